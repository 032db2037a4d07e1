"""What can be kept of a record that is too long or too deep to be read: its outside, without the values.

Whoever makes a call chooses how large its parameters are.  A record that nobody reads would hide the call.
"""

import re
from typing import Any, Final

import orjson

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^"{}\[\],: \t\r\n]++', re.DOTALL)
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_DEPTHS: Final = (9, 5, 3, 2)
"""So many levels are kept, fewer while what is kept is too long: the second holds the names of the parameters."""

_MAX_BYTES: Final = 100_000
"""CloudTrail cuts off what is longer."""

_MAX_TEXT: Final = 2048
_TOO_LONG: Final = b'"(too long)"'


def outside(text: bytes, reason: str) -> dict[str, Any] | None:
    """The outer levels of a record in JSON of 100 kB at most; ``None`` when these are not JSON either.

    Its parameters are marked as CloudTrail marks those that it leaves out.
    """
    for depth in _DEPTHS:
        kept = _shallow(text, depth)
        if kept is None:
            continue
        try:
            raw = orjson.loads(kept)
        except ValueError:
            return None
        if not isinstance(raw, dict):
            return None
        parameters = raw.get("requestParameters")
        left = parameters if isinstance(parameters, dict) else {}
        raw["requestParameters"] = {**left, "omitted": True, "originalSize": len(text), "reason": reason}
        return raw
    return None


def _shallow(text: bytes, depth: int) -> bytes | None:
    """The text with ``null`` for what is nested deeper; ``None`` when that is still too long."""
    parts: list[bytes] = []
    size = level = 0
    for match in _TOKEN.finditer(text):
        first = text[match.start()]
        if first in _CLOSING:
            level -= 1
            if level >= depth:
                continue
        elif first in _OPENING:
            level += 1
            if level > depth + 1:
                continue
        elif level > depth:
            continue
        if level > depth:
            part = b"null"
        elif match.end() - match.start() > _MAX_TEXT:
            part = _TOO_LONG
        else:
            part = match.group()
        parts.append(part)
        size += len(part)
        if size > _MAX_BYTES:
            return None
    return b"".join(parts)
