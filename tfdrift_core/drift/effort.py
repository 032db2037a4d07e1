"""How much work one record may make: whoever can call AWS can write records that are made to be slow.

CloudTrail cuts parameters off at 100 kB and a record at 256 kB, so that a real one is far below every limit.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

import orjson

MAX_VALUES: Final = 50_000
MAX_CHARACTERS: Final = 1_000_000
MAX_DEPTH: Final = 60
MAX_WORK: Final = 10_000_000

_CHARACTERS_OF_A_VALUE: Final = 64
_TRIMMED_DEPTH: Final = 8
_TRIMMED_WIDTH: Final = 1000
_TRIMMED_TEXT: Final = 4096


class TooMuchWorkError(Exception):
    """A record, or a value in it, takes more work than one record may make; the message says what of it is too much."""


class Budget:
    """What one record may still make of work, counted in values that are looked at.

    ``size`` is what looking at the whole record once takes.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """
        :raises TooMuchWorkError: when the record is too large to be looked at.
        """
        values, characters = _bounds(raw) or _measure(raw)
        self.size = values + characters // _CHARACTERS_OF_A_VALUE
        self._left = MAX_WORK

    def spend(self, work: int) -> None:
        """
        :raises TooMuchWorkError: when nothing is left.
        """
        self._left -= work
        if self._left < 0:
            raise TooMuchWorkError("it touches so much that working on it would take too long")


def _bounds(raw: Mapping[str, Any]) -> tuple[int, int] | None:
    """At least as many values and characters as a record has, by its text, where these and its levels are few enough.

    A value stands behind a bracket or a comma, and each level has a bracket of its own.
    """
    try:
        text = orjson.dumps(raw)
    except orjson.JSONEncodeError:
        return None
    brackets = text.count(b"{") + text.count(b"[")
    values, characters = 1 + brackets + text.count(b","), len(text)
    if brackets >= MAX_DEPTH or values > MAX_VALUES or characters > MAX_CHARACTERS:
        return None
    return values, characters


def trimmed(value: Any, depth: int = _TRIMMED_DEPTH) -> Any:
    """As much of a value as names things, of a record that is too large: its outer and first members."""
    if isinstance(value, dict):
        members = islice(value.items(), _TRIMMED_WIDTH)
        return {name: trimmed(member, depth - 1) for name, member in members} if depth else {}
    if isinstance(value, list):
        return [trimmed(element, depth - 1) for element in value[:_TRIMMED_WIDTH]] if depth else []
    return None if isinstance(value, str) and len(value) > _TRIMMED_TEXT else value


def _measure(raw: Mapping[str, Any]) -> tuple[int, int]:
    """The values and characters of a record.

    :raises TooMuchWorkError: when these or its levels are too many.
    """
    values = characters = depth = 0
    level: list[Any] = [raw]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
                characters += sum(map(len, item))
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                characters += len(item)
        values += len(level)
        depth += 1
        for what, found, most in (
            ("values", values + len(below), MAX_VALUES),
            ("characters", characters, MAX_CHARACTERS),
            ("levels", depth, MAX_DEPTH),
        ):
            if found > most:
                raise TooMuchWorkError(f"it has more than {most} {what}")
        level = below
    return values, characters
