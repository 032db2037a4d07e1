"""Escapes text of others for our Markdown, so that it has no effect there."""

import re

from tfdrift_core.text import one_line

MAX_VALUE = 300
"""How many characters of a value a message shows."""

_MARKUP = re.compile(r"[<>`*|~\[\]]|&(?=#?\w+;)")
_IN_CODE = re.compile(r"[<>`]|&(?=#?\w+;)")
# A mention is one without brackets, too: @here.  An address (a@b) is none.
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def plain(text: str) -> str:
    """Text of others, escaped: it makes no mark-up, link or mention in Markdown, Slack's dialect or HTML."""
    return _MENTION.sub("@ ", _MARKUP.sub("'", _cut(text, MAX_VALUE)))


def code(text: str, limit: int = MAX_VALUE) -> str:
    """Text of others as a code span, where Markdown means nothing.

    Some services look for mentions and links even there, and for brackets that are written as ``&lt;``.
    """
    text = _IN_CODE.sub("'", _cut(text, limit)).replace("](", "] (")
    return f"`{_MENTION.sub('@ ', text)}`"


def _cut(text: str, limit: int) -> str:
    # What is cut off is not looked at: a value may have megabytes.
    line = one_line(text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
