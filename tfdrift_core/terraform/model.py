"""Terraform resource instances as the drift engine sees them, wherever they were loaded from."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Attributes = Mapping[str, Any]
"""Attribute name to value, exactly as state holds it: scalars, lists (also for sets and blocks), maps."""


@dataclass(frozen=True, slots=True)
class IgnoredTags:
    """Tags that a provider does not see: its ``ignore_tags``, from its block or from the environment."""

    keys: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (key in self.keys or key.startswith(self.prefixes))

    def __or__(self, other: "IgnoredTags") -> "IgnoredTags":
        return IgnoredTags(self.keys | other.keys, (*self.prefixes, *other.prefixes))


NO_TAGS = IgnoredTags()


class Instance(Protocol):
    """One managed resource instance of a state.

    ``attributes`` is parsed when first asked for and must not be changed by the caller.  ``sensitive`` holds the
    attribute paths that state marks sensitive, each a tuple of steps (``("environment", 0, "variables")``).
    ``file`` and ``line`` are "" and 0 where no configuration was given.
    """

    @property
    def address(self) -> str: ...  # module.web["a"].aws_instance.app[0]
    @property
    def type(self) -> str: ...  # aws_instance
    @property
    def name(self) -> str: ...  # app
    @property
    def module(self) -> str: ...  # module.web["a"], "" in the root module
    @property
    def workspace(self) -> str: ...
    @property
    def state(self) -> str: ...  # where the state was read from
    @property
    def account(self) -> str: ...  # 12 digits, "" when unknown
    @property
    def region(self) -> str: ...  # "" when unknown or global
    @property
    def attributes(self) -> Attributes: ...
    @property
    def tool(self) -> str: ...  # the command that manages it: terraform or tofu
    @property
    def default_tags(self) -> Mapping[str, str]: ...  # of its provider, as far as its other resources show them
    @property
    def sensitive(self) -> Sequence[tuple[str | int, ...]]: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...
    def attribute_line(self, attribute: str) -> int: ...  # 0 when unknown
    @property
    def ignore_changes(self) -> Sequence[str]: ...  # paths as written ("tags", 'tags["Env"]'), ("all",) for all
    @property
    def ignored_tags(self) -> IgnoredTags: ...


class StateIndex(Protocol):
    """Finds instances over all loaded states.  Reading it is safe while a refresh swaps in a newer version."""

    def find(self, type: str, attribute: str, value: str, *, account: str = "", region: str = "") -> Sequence[Instance]:
        """Instances of ``type`` whose top-level ``attribute`` equals ``value``.

        Account and region restrict only where both sides know them.  ``id``, ``arn`` and the attributes that
        ``KEYS`` of the index names are hashed at load; any other attribute is hashed at its first use.
        """
        ...

    def find_any(self, value: str, *, account: str = "", region: str = "") -> Sequence[Instance]:
        """Instances of any type whose ``id`` or ``arn`` is ``value``."""
        ...

    def all(self, type: str | None = None) -> Iterable[Instance]: ...

    def has_type(self, type: str) -> bool:
        """Whether any instance of the type is managed; false lets the caller skip the work."""
        ...

    @property
    def versions(self) -> Mapping[str, object]:
        """Where each loaded state was read from, and an object that is another one when that state was read anew."""
        ...

    @property
    def tool(self) -> str:
        """The command that manages all of them: ``terraform``, or ``tofu``."""
        ...

    def identity(self, type: str) -> Sequence[str]:
        """The members of the identity of a type, where Terraform 1.12 or newer has written one of a resource."""
        ...

    def at(self, state: str, addresses: Collection[str]) -> Mapping[str, Instance]:
        """The instances of one state that have these addresses."""
        ...

    def __len__(self) -> int: ...
