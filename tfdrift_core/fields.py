"""The field table: the only place where a Falco field is defined.

The C field list, the payload's numbers, ``plugin_get_fields``, ``event_to_string`` and the README's table are made from
it.  Numbers are part of the capture-file format: never change or reuse one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tfdrift_core.cloudtrail.record import Record
from tfdrift_core.drift.event import DriftEvent

Value = str | int | bool | Sequence[str] | None


class Type(StrEnum):
    """Falco's field types, named as the plugin API's field list names them."""

    STRING = "string"
    UINT64 = "uint64"
    BOOL = "bool"
    ABSTIME = "abstime"
    RELTIME = "reltime"


@dataclass(frozen=True, slots=True)
class Field:
    """One field.  ``get`` gives ``None`` (or an empty string or list) where the field is absent.

    ``path`` marks a field whose optional argument selects a value inside it (``ct.request[a.b]``).
    """

    number: int
    name: str
    type: Type
    desc: str
    get: Callable[[DriftEvent], Value]
    is_list: bool = False
    path: bool = False


FIELDS: tuple[Field, ...] = ()
BY_NAME: dict[str, Field] = {f.name: f for f in FIELDS}


def values(event: DriftEvent) -> dict[str, Value]:
    """Every present field of an event, by name."""
    return {f.name: value for f in FIELDS if (value := f.get(event)) not in (None, "", (), [])}


__all__ = ["BY_NAME", "FIELDS", "Field", "Record", "Type", "Value", "values"]
