"""What a Terraform file holds, whichever syntax it is written in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN = _Unknown()
"""The value of an expression that is not a literal."""


_MAX_DIGITS = 300


def number_of(text: str) -> Any:
    """A number as it is written; one with more digits than any that means something is ``UNKNOWN``."""
    if len(text) > _MAX_DIGITS:
        return UNKNOWN
    return int(text) if text.lstrip("-").isdigit() else float(text)


class HclError(Exception):
    """A file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: where it stands, its literal value or ``UNKNOWN``, and as it is written.

    ``items`` are the elements of a list as they are written, ``members`` the lines of the literal keys of an object.
    """

    line: int
    literal: Any
    text: str
    items: tuple[str, ...] = ()
    members: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """What is between the braces of a block, or in a file."""

    attributes: Mapping[str, Value] = field(default_factory=dict)
    blocks: Sequence["Block"] = ()

    def all(self, type: str, *labels: str) -> Iterator["Block"]:
        """The blocks of this type whose first labels are these."""
        for block in self.blocks:
            if block.type == type and block.labels[: len(labels)] == labels:
                yield block

    def literals(self) -> dict[str, Any]:
        """The attributes that are literals."""
        return {name: v.literal for name, v in self.attributes.items() if v.literal is not UNKNOWN}


@dataclass(frozen=True, slots=True)
class Block:
    """``type "label" ... { body }``."""

    type: str
    labels: tuple[str, ...]
    line: int
    body: Body
