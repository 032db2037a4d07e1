"""What every transform is: a frozen dataclass whose fields are its options.

``describe`` makes the JSON Schema of ``with`` and the table in ``docs/catalog.md`` from the fields: from their types,
their defaults and the docstrings below them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeVar, dataclass_transform

from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.terraform.model import Attributes

Expression = Annotated[str, "expression"]
"""A field that is evaluated over the record; the annotation is its definition in the schema.  "": not given."""
Attribute = Annotated[str, "attribute"]
"""A field that is the path of an attribute."""


_Class = TypeVar("_Class")


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def with_options(cls: type[_Class]) -> type[_Class]:
    """Make a frozen dataclass of a class, without the comparison and text that no one asks for.

    They would take longer to make than all the rest, at every start.
    """
    return dataclass(frozen=True, eq=False, repr=False)(cls)


@with_options
class Transform(ABC):
    """A change that the catalog's data alone cannot describe.  Only one with fields needs the decorator itself."""

    name: ClassVar[str]
    """What ``transform`` says."""
    one_of: ClassVar[tuple[str, ...]] = ()
    """Options of which at least one has to be given."""

    @abstractmethod
    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        """The attributes that change, with their new values; ``None`` when the resource is gone.

        ``block`` is the schema of the resource, where there is one.
        """

    @property
    def changes(self) -> str:
        """What it changes: the attribute, or this rule's name in brackets."""
        return f"({self.name})"
