"""HCL's native syntax: blocks and attributes, and of the values what is literal.

An expression is told from what follows by its brackets and line ends alone, so that whatever Terraform may allow in one
some day does not hide the rest of the file.
"""

import re
from typing import Any

from tfdrift_core.terraform.hcl.model import UNKNOWN, Block, Body, HclError, Value, number_of
from tfdrift_core.terraform.hcl.tokens import NEWLINE, NUMBER, STRING, WORD, Token, closings, tokens

_ESCAPE = re.compile(r'\\(["\\nrt]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([$%])\2\{')
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_TEMPLATE = re.compile(r"(?<!\$)(?:\$\$)*\$\{|(?<!%)(?:%%)*%\{")
_WORDS = {"true": True, "false": False, "null": None}
_MAX_DEPTH = 100


def parse(text: str) -> Body:
    """A file or part of one.  :raises HclError: when it is not HCL."""
    return _Reader(text).file()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._closing = closings(self._tokens)

    def file(self) -> Body:
        return self._body(0, len(self._tokens), 0)

    def _body(self, place: int, end: int, depth: int) -> Body:
        if depth > _MAX_DEPTH:
            raise HclError("nested too deeply")
        attributes: dict[str, Value] = {}
        blocks: list[Block] = []
        while place < end:
            head = self._tokens[place]
            if head.kind == NEWLINE:
                place += 1
                continue
            if head.kind != WORD or place + 1 >= end:
                raise self._wrong(place)
            if self._tokens[place + 1].kind == "=":
                stop = self._expression(place + 2, end)
                attributes[self._written(head)] = self._value(place + 2, stop, head.line)
            else:
                opening = self._opening(place + 1, end)
                stop = self._closing[opening] + 1
                labels = tuple(self._label(token) for token in self._tokens[place + 1 : opening])
                body = self._body(opening + 1, stop - 1, depth + 1)
                blocks.append(Block(self._written(head), labels, head.line, body))
            if stop < end and self._tokens[stop].kind != NEWLINE:
                raise self._wrong(stop)
            place = stop
        return Body(attributes, blocks)

    def _opening(self, place: int, end: int) -> int:
        """The place of a block's opening brace, after its labels."""
        while place < end and self._tokens[place].kind in (WORD, STRING):
            place += 1
        if place >= end or self._tokens[place].kind != "{":
            raise self._wrong(min(place, len(self._tokens) - 1))
        return place

    def _expression(self, place: int, end: int) -> int:
        """Where the expression ends that begins here: at the line's end outside of brackets, or at ``end``."""
        start = place
        while place < end and self._tokens[place].kind not in (NEWLINE, ","):
            if self._tokens[place].kind == "=":
                raise self._wrong(place)
            place = self._closing.get(place, place) + 1
        if place == start:
            raise self._wrong(min(place, len(self._tokens) - 1))
        return place

    def _value(self, start: int, end: int, line: int) -> Value:
        items: tuple[str, ...] = ()
        members: dict[str, int] = {}
        if self._is_whole(start, end, "["):
            items = tuple(self._source(*item) for item in self._elements(start + 1, end - 1))
        elif self._is_whole(start, end, "{"):
            for element in self._elements(start + 1, end - 1):
                key, _ = self._pair(*element)
                if isinstance(key, str):
                    members[key] = self._tokens[element[0]].line
        return Value(line, self._literal(start, end, 0), self._source(start, end), items, members)

    def _literal(self, start: int, end: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise HclError("nested too deeply")
        first = self._tokens[start]
        if self._is_whole(start, end, "["):
            values = [self._literal(*element, depth + 1) for element in self._elements(start + 1, end - 1)]
            return UNKNOWN if any(value is UNKNOWN for value in values) else values
        if self._is_whole(start, end, "{"):
            return self._object(start + 1, end - 1, depth + 1)
        if first.kind == "-" and end - start == 2 and self._tokens[start + 1].kind == NUMBER:
            number = number_of(self._written(self._tokens[start + 1]))
            return UNKNOWN if number is UNKNOWN else -number
        if end - start != 1:
            return UNKNOWN
        match first.kind:
            case "number":
                return number_of(self._written(first))
            case "string":
                return _string(self._written(first))
            case "word":
                return _WORDS.get(self._written(first), UNKNOWN)
        return UNKNOWN

    def _object(self, start: int, end: int, depth: int) -> Any:
        pairs = {}
        for element in self._elements(start, end):
            key, value = self._pair(*element)
            found = self._literal(value, element[1], depth) if 0 <= value < element[1] else UNKNOWN
            if key is UNKNOWN or found is UNKNOWN:
                return UNKNOWN
            pairs[key] = found
        return pairs

    def _pair(self, start: int, end: int) -> tuple[Any, int]:
        """An object element's key, where it is literal, and the place of its value; -1 without one."""
        if end - start < 2 or self._tokens[start + 1].kind not in ("=", ":"):
            place = start
            while place < end and self._tokens[place].kind not in ("=", ":"):
                place = self._closing.get(place, place) + 1
            return UNKNOWN, place + 1 if place < end else -1
        token = self._tokens[start]
        key = self._written(token) if token.kind == WORD else self._literal(start, start + 1, 0)
        return key, start + 2

    def _elements(self, place: int, end: int) -> list[tuple[int, int]]:
        """The elements between two brackets: what commas, and in braces line ends, separate."""
        braces = self._tokens[place - 1].kind == "{"
        elements: list[tuple[int, int]] = []
        start = -1
        stop = place
        while place < end:
            kind = self._tokens[place].kind
            if kind == "," or (kind == NEWLINE and braces):
                if start >= 0:
                    elements.append((start, stop))
                start = -1
                place += 1
                continue
            if kind != NEWLINE:
                start = place if start < 0 else start
                place = self._closing.get(place, place)
                stop = place + 1
            place += 1
        return [*elements, (start, stop)] if start >= 0 else elements

    def _is_whole(self, start: int, end: int, bracket: str) -> bool:
        """Whether these are one list or object, and not one made by ``for``."""
        if self._tokens[start].kind != bracket or self._closing[start] != end - 1:
            return False
        inside = next((t for t in self._tokens[start + 1 : end - 1] if t.kind != NEWLINE), None)
        return inside is None or inside.kind != WORD or self._written(inside) != "for"

    def _label(self, token: Token) -> str:
        return self._written(token) if token.kind == WORD else str(_string(self._written(token)))

    def _written(self, token: Token) -> str:
        return self._text[token.start : token.end]

    def _source(self, start: int, end: int) -> str:
        return self._text[self._tokens[start].start : self._tokens[end - 1].end]

    def _wrong(self, place: int) -> HclError:
        return HclError(f"line {self._tokens[place].line}: not valid HCL")


def _string(quoted: str) -> Any:
    inner = quoted[1:-1]
    return UNKNOWN if _TEMPLATE.search(inner) else _ESCAPE.sub(_unescaped, inner)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code is None:
        return f"{match[2]}{{"
    if code[0] not in "uU":
        return _ESCAPES[code]
    point = int(code[1:], 16)
    # Half of a pair is no character, and no file system takes it for one.
    return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else "\ufffd"
