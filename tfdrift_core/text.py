"""Text of others, made fit to be shown: records, state and alerts hold what anybody could write."""

import json

import orjson


def json_line(row: object) -> bytes:
    """``row`` as a line of JSON."""
    try:
        return orjson.dumps(row) + b"\n"
    except orjson.JSONEncodeError:
        # JSON can spell half a surrogate pair, UTF-8 cannot.
        return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def one_line(text: str) -> str:
    """``text`` as one line that a terminal, a chat or a mail program shows as it is.

    White space becomes a blank; what is not printable becomes ``?``: control characters, which a terminal would obey,
    and format characters, which turn the direction of writing or hide a part of it.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "?" for char in text)


def message(text: str) -> str:
    """``text`` as lines of that kind; those behind the first are indented, so that none passes for another message."""
    return "\n  ".join(map(one_line, text.split("\n")))


def counted(number: int, thing: str) -> str:
    """``1 state``, ``2,000 states``; ``thing`` is a noun whose plural ends in s."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
