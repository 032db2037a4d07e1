"""Values and names in messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def near(name: object, known: Iterable[str]) -> str:
    """The right spelling that was most likely meant, as the end of a message."""
    close = get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """A value, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
