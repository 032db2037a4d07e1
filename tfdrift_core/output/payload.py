"""The payload of a Falco event: a versioned table of field values.

``TFD`` and a version byte, then one entry per value in ascending order of its field's number: number (u16), a reserved
u16, length (u32), bytes.  Texts end with a NUL that the length counts; integers, booleans and times are 8 bytes; a list
repeats its number.  The raw record (JSON text) comes last as number ``RAW``.  All integers are little-endian.  Readers
skip numbers that they do not know, so old captures stay readable and new ones can be read by old plugins.
"""

import struct
from collections.abc import Iterator, Sequence

from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.output.fields import FIELDS, LISTS, Type, Value, shown, to_json

VERSION = 1
MAGIC = b"TFD" + bytes((VERSION,))
RAW = 0xFFFF
"""The number of the raw record, the highest possible."""

_ENTRY = struct.Struct("<HHI")
_NUMBER = struct.Struct("<Q")
_U64 = (1 << 64) - 1
_STORED = tuple(sorted({f.number: f.get for f in reversed(FIELDS)}.items()))
"""Numbers and getters of the fields; an alias is not stored."""


class PayloadError(ValueError):
    """Bytes that are not a payload of a known version, or that end too early."""


def text_bytes(value: str) -> bytes:
    """Valid UTF-8 without NUL.  Falco exits on invalid UTF-8, and cuts a text at a NUL."""
    return value.encode("utf-8", "replace").replace(b"\0", b"?")


def encode(event: DriftEvent) -> bytes:
    """The payload of an event; secrets are hidden in it."""
    event = shown(event)
    parts = _parts(event)
    parts.append(_entry(RAW, to_json(event.record.raw)))
    return b"".join(parts)


def encode_all(events: Sequence[DriftEvent]) -> bytes:
    """What the drifts of one call, at least one, say together: the fields of the first, and the lists; no record."""
    events = [shown(event) for event in events]
    parts = _parts(events[0])
    for field in LISTS:
        for event in events:
            item = field.get(event)
            assert isinstance(item, str)
            parts.append(_entry(field.number, item))
    return b"".join(parts)


def _parts(event: DriftEvent) -> list[bytes]:
    parts = [MAGIC]
    for number, get in _STORED:
        value = get(event)
        if value is None or value == "":
            continue
        if isinstance(value, (str, int)):
            parts.append(_entry(number, value))
        else:
            parts += [_entry(number, item) for item in value]
    return parts


def decode(payload: bytes) -> tuple[dict[str, Value], bytes]:
    """The values of a payload by field name, aliases included, and the raw record as JSON.

    :raises PayloadError: if it is not a payload, or ends too early.
    """
    found: dict[int, list[bytes]] = {}
    for number, data in _entries(payload):
        found.setdefault(number, []).append(data)
    values: dict[str, Value] = {}
    for field in FIELDS:
        if items := [_value(field.type, data) for data in found.get(field.number, ())]:
            values[field.name] = tuple(str(item) for item in items) if field.is_list or field.key else items[0]
    return values, found.get(RAW, [b"\0"])[0][:-1]


def _entry(number: int, item: str | int) -> bytes:
    data = text_bytes(item) + b"\0" if isinstance(item, str) else _NUMBER.pack(min(max(item, 0), _U64))
    return _ENTRY.pack(number, 0, len(data)) + data


def _entries(payload: bytes) -> Iterator[tuple[int, bytes]]:
    if payload[: len(MAGIC)] != MAGIC:
        raise PayloadError(f"not a payload of version {VERSION}: it starts with {payload[:4]!r}")
    at = len(MAGIC)
    while at < len(payload):
        if at + _ENTRY.size > len(payload):
            raise PayloadError(f"an entry's head is cut off at byte {at}")
        number, _, size = _ENTRY.unpack_from(payload, at)
        at += _ENTRY.size
        if at + size > len(payload):
            raise PayloadError(f"entry {number} at byte {at} is cut off: {size} bytes promised")
        yield number, payload[at : at + size]
        at += size


def _value(kind: Type, data: bytes) -> str | int | bool:
    if kind is Type.STRING:
        if not data.endswith(b"\0"):
            raise PayloadError("a text has no closing NUL")
        return data[:-1].decode("utf-8", "replace")
    if len(data) != _NUMBER.size:
        raise PayloadError(f"a number has {len(data)} bytes, not {_NUMBER.size}")
    number: int = _NUMBER.unpack(data)[0]
    return bool(number) if kind is Type.BOOL else number
