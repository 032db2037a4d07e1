"""Counts what work takes, so that its growth can be told without a clock: Python's lines, and steps of a pattern."""

import sys
from collections.abc import Callable, Iterator
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

_MAX_BOUND = 12
"""Bounded repetitions are cut to this: the bound is a constant factor, and texts can then be short."""


def lines(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Steps:
    """A pattern as a backtracking matcher that counts its steps, as ``re`` takes them without its short cuts."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._tree = parser.parse(pattern, flags)
        self._flags = self._tree.state.flags
        self.count = 0

    def over(self, text: str, anchored: bool = False) -> int:
        """The steps of looking for every match in a text, or for one at its start."""
        self.count = 0
        start = 0
        while start <= (0 if anchored else len(text)):
            end = next(self._match(list(self._tree), text, start), None)
            start = max(end, start + 1) if end is not None else start + 1
        return self.count

    def pieces(self) -> list[str]:
        """Texts that the pattern is made of, to be repeated."""
        example = "".join(self._example(list(self._tree)))
        parts = {example[a:b] for a in range(len(example)) for b in (a + 1, a + 2, a + 5) if b <= len(example)}
        classes = {self._member(node) for node in self._nodes(list(self._tree)) if node[0] is sre.IN}
        begun = {example[:n] + unit for unit in classes | {"-", " ", "."} for n in (1, 2, 3, 4, 7)}
        return sorted(parts | classes | begun | {example, example + " "})

    def _nodes(self, nodes: list[Any]) -> Iterator[Any]:
        for node in nodes:
            yield node
            for inner in _inner(node):
                yield from self._nodes(list(inner))

    def _example(self, nodes: list[Any]) -> Iterator[str]:
        for op, argument in nodes:
            if op is sre.LITERAL:
                yield chr(argument)
            elif op in (sre.IN, sre.NOT_LITERAL, sre.ANY):
                yield self._member((op, argument))
            elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
                low, _, inner = argument
                yield "".join(self._example(list(inner))) * max(int(low), 1)
            elif op is sre.SUBPATTERN:
                yield from self._example(list(argument[3]))
            elif op is sre.ATOMIC_GROUP:
                yield from self._example(list(argument))
            elif op is sre.BRANCH:
                yield from self._example(list(argument[1][0]))

    def _member(self, node: Any) -> str:
        candidates = "a1A-_./:=\"' \\[{\n" + "".join(map(chr, range(33, 127)))
        return next((char for char in candidates if self._is(node, char)), "a")

    def _is(self, node: Any, char: str) -> bool:
        op, argument = node
        ignoring = bool(self._flags & sre.SRE_FLAG_IGNORECASE)
        if op is sre.ANY:
            return char != "\n" or bool(self._flags & sre.SRE_FLAG_DOTALL)
        if op is sre.LITERAL:
            return _folded(char, ignoring) == _folded(chr(argument), ignoring)
        if op is sre.NOT_LITERAL:
            return _folded(char, ignoring) != _folded(chr(argument), ignoring)
        inside = any(
            _in(item, c) for item in argument for c in ({char, char.lower(), char.upper()} if ignoring else char)
        )
        return inside is not (argument[0][0] is sre.NEGATE)

    def _match(self, nodes: list[Any], text: str, at: int) -> Iterator[int]:
        self.count += 1
        if not nodes:
            yield at
            return
        (op, argument), rest = nodes[0], nodes[1:]
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            if at < len(text) and self._is((op, argument), text[at]):
                yield from self._match(rest, text, at + 1)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from self._repeat(op, argument, rest, text, at)
        elif op is sre.SUBPATTERN:
            yield from self._match([*argument[3], *rest], text, at)
        elif op is sre.ATOMIC_GROUP:
            end = next(self._match(list(argument), text, at), None)
            if end is not None:
                yield from self._match(rest, text, end)
        elif op is sre.BRANCH:
            for choice in argument[1]:
                yield from self._match([*choice, *rest], text, at)
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            if self._looks(argument, text, at) is (op is sre.ASSERT):
                yield from self._match(rest, text, at)
        elif op is sre.AT:
            if self._at(argument, text, at):
                yield from self._match(rest, text, at)
        else:
            raise NotImplementedError(str(op))

    def _looks(self, argument: Any, text: str, at: int) -> bool:
        direction, inner = argument
        if direction > 0:
            return next(self._match(list(inner), text, at), None) is not None
        return any(at in self._match(list(inner), text, start) for start in range(max(at - 8, 0), at + 1))

    def _at(self, where: Any, text: str, at: int) -> bool:
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            lines = self._flags & sre.SRE_FLAG_MULTILINE and where is sre.AT_BEGINNING
            return at == 0 or bool(lines and text[at - 1] == "\n")
        if where in (sre.AT_END, sre.AT_END_STRING):
            lines = self._flags & sre.SRE_FLAG_MULTILINE
            return at == len(text) or (where is sre.AT_END and (text[at:] == "\n" or bool(lines and text[at] == "\n")))
        edge = (at > 0 and _word(text[at - 1])) != (at < len(text) and _word(text[at]))
        return edge is (where is sre.AT_BOUNDARY)

    def _repeat(self, op: Any, argument: Any, rest: list[Any], text: str, at: int) -> Iterator[int]:
        low, high, inner = argument
        low, high = min(int(low), _MAX_BOUND), _MAX_BOUND if high is not sre.MAXREPEAT and high > _MAX_BOUND else high
        ends = [at]
        found = iter(self._ends(list(inner), int(high) if high is not sre.MAXREPEAT else len(text) + 1, text, at))
        if op is sre.MIN_REPEAT:
            for count, end in enumerate(_first(at, found)):
                if count >= low:
                    yield from self._match(rest, text, end)
            return
        ends.extend(found)
        for end in reversed(ends[low:] if op is not sre.POSSESSIVE_REPEAT else ends[low:][-1:]):
            yield from self._match(rest, text, end)

    def _ends(self, inner: list[Any], most: int, text: str, at: int) -> Iterator[int]:
        """Where each further repetition ends.  Of what is inside, the first way to match is taken."""
        for _ in range(most):
            self.count += 1
            end = next(self._match(inner, text, at), None)
            if end is None or end == at:
                return
            at = end
            yield at


def _first(at: int, ends: Iterator[int]) -> Iterator[int]:
    yield at
    yield from ends


def _inner(node: Any) -> Iterator[Any]:
    op, argument = node
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        yield argument[2]
    elif op is sre.SUBPATTERN:
        yield argument[3]
    elif op is sre.ATOMIC_GROUP:
        yield argument
    elif op is sre.BRANCH:
        yield from argument[1]
    elif op in (sre.ASSERT, sre.ASSERT_NOT):
        yield argument[1]


def _folded(char: str, ignoring: bool) -> str:
    return char.lower() if ignoring else char


def _word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _in(item: Any, char: str) -> bool:
    op, argument = item
    if op is sre.LITERAL:
        return bool(ord(char) == argument)
    if op is sre.RANGE:
        return bool(argument[0] <= ord(char) <= argument[1])
    if op is sre.CATEGORY:
        known: dict[Any, Callable[[str], bool]] = {
            sre.CATEGORY_DIGIT: str.isdigit,
            sre.CATEGORY_SPACE: str.isspace,
            sre.CATEGORY_WORD: _word,
            sre.CATEGORY_NOT_DIGIT: lambda c: not c.isdigit(),
            sre.CATEGORY_NOT_SPACE: lambda c: not c.isspace(),
            sre.CATEGORY_NOT_WORD: lambda c: not _word(c),
        }
        return known[argument](char)
    return False
