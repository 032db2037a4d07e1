"""What the catalog's expressions and transforms may ask for while one record is worked on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tfdrift_core.terraform.model import Attributes


@dataclass(frozen=True)
class Scope:
    """The names of an expression; ``docs/catalog.md`` lists them.

    ``request`` and ``response`` are the parameters in plain form, ``record`` is the record as logged.  ``item`` is the
    element of ``each`` that an effect is applied for.  ``state`` holds the resource's attributes as earlier calls left
    them, ``baseline`` what Terraform wants, ``default_tags`` what its provider adds to that, and ``gone`` says that an
    earlier call deleted it.  ``created`` is what was logged when the unmanaged resource was made that the request
    names; ``other`` holds the attributes of the resource that an effect asks for beside its own, and ``found`` those
    of all that an inferred effect may mean.
    """

    request: Mapping[str, Any]
    response: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    created: Mapping[str, Any] = field(default_factory=dict)
    item: Any = None
    state: Attributes = field(default_factory=dict)
    baseline: Attributes = field(default_factory=dict)
    gone: bool = False
    default_tags: Mapping[str, str] = field(default_factory=dict)
    other: Attributes | None = None
    found: Sequence[Attributes] = ()

    def having(self, **members: Any) -> Self:
        """The same with other members; ``dataclasses.replace`` takes ten times as long, and scopes are many."""
        scope = object.__new__(type(self))
        vars(scope).update(vars(self), **members)
        return scope
