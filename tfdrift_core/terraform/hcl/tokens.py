"""HCL's native syntax as tokens.

Strings and heredocs are one token each, with all that is interpolated in them.  Form:
https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""

import re
from dataclasses import dataclass

from tfdrift_core.terraform.hcl.model import HclError

NEWLINE, WORD, NUMBER, STRING, HEREDOC, SIGN = "newline", "word", "number", "string", "heredoc", "sign"

_MAX_DEPTH = 100
# A name begins with a letter of any alphabet; its further characters may be marks, which Python does not count as such.
_TOKEN = re.compile(
    r"""[^\S\n]+
    | (?P<comment> (?:\#|//)[^\n]* | /\*.*?\*/ )
    | (?P<newline> \n )
    | (?P<heredoc> <<-?[^\W\d](?:[\w-]|[^\x00-\x7f\s])*[^\S\n]*\n )
    | (?P<string> " )
    | (?P<number> \d+(?:\.\d+)?(?:[eE][+-]?\d+)? )
    | (?P<word> [^\W\d](?:[\w-]|[^\x00-\x7f\s])* )
    | (?P<sign> \.\.\. | [=!<>]= | => | && | \|\| | [=!<>?:.,+\-*/%()\[\]{}] )
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_STRING = re.compile(r'[^"\\\n$%]+|\\.|(?P<literal>([$%])\2\{)|(?P<template>[$%]\{)|(?P<end>")|[$%]')
_CLOSING = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is a sign's own text, else one of the names above."""

    kind: str
    start: int
    end: int
    line: int


def tokens(text: str) -> list[Token]:
    """All tokens but spaces and comments.  :raises HclError: where there is none."""
    found: list[Token] = []
    position, line = 0, 1
    while position < len(text):
        token = _next(text, position, line, 0)
        if token.kind:
            found.append(token)
        line += text.count("\n", position, token.end)
        position = token.end
    return found


def _next(text: str, position: int, line: int, depth: int) -> Token:
    """The token that begins here; a space or comment has no kind."""
    match = _TOKEN.match(text, position)
    if match is None:
        raise HclError(f"line {line}: not valid HCL")
    kind, end = match.lastgroup or "", match.end()
    if text.startswith("/*", position) and kind != "comment":
        raise HclError(f"line {line}: not valid HCL: the comment has no end")
    if kind == STRING:
        end = _string_end(text, end, line, depth)
    elif kind == HEREDOC:
        end = _heredoc_end(text, match)
        if end < 0:
            raise HclError(f"line {line}: not valid HCL: the heredoc has no end")
    elif kind == SIGN:
        kind = match[0]
    elif kind == "comment":
        kind = ""
    return Token(kind, position, end, line)


def _string_end(text: str, position: int, line: int, depth: int) -> int:
    while match := _IN_STRING.match(text, position):
        position = match.end()
        if match["end"]:
            return position
        if match["template"]:
            position = _template_end(text, position, line, depth + 1)
    raise HclError(f"line {line}: not valid HCL: the string has no end")


def _template_end(text: str, position: int, line: int, depth: int) -> int:
    """Where the closing brace of an interpolation or directive is, in which newlines mean nothing."""
    if depth > _MAX_DEPTH:
        raise HclError("nested too deeply")
    opened = 1
    while position < len(text):
        # A strip marker stands for itself only before the brace.
        position += text[position] == "~"
        token = _next(text, position, line, depth)
        position = token.end
        opened += (token.kind == "{") - (token.kind == "}")
        if not opened:
            return position
    raise HclError(f"line {line}: not valid HCL: the template has no end")


def _heredoc_end(text: str, opening: re.Match[str]) -> int:
    """The end of the closing marker; its newline is not part of the heredoc."""
    marker = opening[0].strip().removeprefix("<<").removeprefix("-")
    closing = re.compile(rf"^[^\S\n]*{re.escape(marker)}(?=[^\S\n]*(?:\n|\Z))", re.MULTILINE)
    match = closing.search(text, opening.end())
    return match.end() if match else -1


def closings(found: list[Token]) -> dict[int, int]:
    """The place of the closing bracket for the place of each opening one.  :raises HclError: when they do not pair."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(found):
        if token.kind in _CLOSING:
            opened.append(place)
        elif token.kind in _CLOSING.values():
            if not opened or _CLOSING[found[opened[-1]].kind] != token.kind:
                raise HclError(f"line {token.line}: not valid HCL")
            pairs[opened.pop()] = place
    if opened:
        raise HclError(f"line {found[opened[-1]].line}: not valid HCL")
    return pairs
