"""Conditions of Falco rules as trees.  The grammar is ``condition.lark``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import lark

# Falco gives up at 1000; no readable condition comes near this, and evaluation recurses.
MAX_DEPTH = 200


class ConditionError(ValueError):
    """A condition that libsinsp would refuse, with the place inside the condition (both from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Name:
    """A field as written, not yet looked up: ``text`` with its argument, transformers from the inside out."""

    text: str
    transformers: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = self.text
        for transformer in self.transformers:
            text = f"{transformer}({text})"
        return text


@dataclass(frozen=True, slots=True)
class Check:
    """``left op right``; ``right`` is a field, the list of constant values, or nothing for ``exists``."""

    left: Name
    op: str
    right: Name | tuple[str, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Macro:
    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    child: "Expr"


@dataclass(frozen=True, slots=True)
class Group:
    """``children`` joined by ``op``, which is ``and`` or ``or``."""

    op: str
    children: tuple["Expr", ...]


Expr = Check | Macro | Not | Group


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", " ": "\\", "\\": "\\", "/": "/"}


def unescape(quoted: str) -> str:
    """The text of a quoted string.  Raises `ConditionError` for an escape that libsinsp does not know."""
    quote = quoted[0]

    def one(match: re.Match[str]) -> str:
        char = match[1]
        if char == quote:
            return char
        if char in "\"'":
            raise ConditionError(f"invalid \\{char} escape in {quote}-quoted string")
        if char not in ESCAPES:
            raise ConditionError(f"unsupported string escape sequence: \\{char}")
        return ESCAPES[char]

    return re.sub(r"\\(.)", one, quoted[1:-1], flags=re.DOTALL)


def _constant(token: lark.Token) -> str:
    if token.type != "QUOTED":
        return str(token)
    try:
        return unescape(token)
    except ConditionError as error:
        raise ConditionError(str(error), token.line or 1, token.column or 1) from error


@lark.v_args(inline=True)
class _Builder(lark.Transformer[lark.Token, Expr]):
    def any(self, *children: Expr) -> Expr:
        return Group("or", children) if len(children) > 1 else children[0]

    def all(self, *children: Expr) -> Expr:
        return Group("and", children) if len(children) > 1 else children[0]

    def negated(self, child: Expr) -> Expr:
        return Not(child)

    def left(self, first: lark.Token, inner: "tuple[lark.Token, Name] | None" = None) -> tuple[lark.Token, Name]:
        if inner is not None:
            name = inner[1]
            return first, Name(name.text, (*name.transformers, first.rstrip("(")))
        text, bracket, arg = first.partition("[")
        if bracket and arg[0] in "\"'":
            arg = unescape(arg[:-1]) + "]"
        return first, Name(text + bracket + arg)

    def field(self, first: lark.Token, inner: "lark.Token | tuple[lark.Token, Name]") -> Name:
        return self.left(inner)[1] if isinstance(inner, lark.Token) else self.left(first, inner)[1]

    def number(self, token: lark.Token) -> tuple[str, ...]:
        return (str(token),)

    def string(self, token: lark.Token) -> tuple[str, ...]:
        return (_constant(token),)

    def identifier(self, token: lark.Token) -> tuple[str, ...]:
        return (str(token),)

    def list(self, *tokens: lark.Token) -> tuple[str, ...]:
        return tuple(map(_constant, tokens))

    def unary(self, left: tuple[lark.Token, Name], op: lark.Token) -> Expr:
        return Check(left[1], str(op), (), left[0].line or 1, left[0].column or 1)

    def binary(self, left: tuple[lark.Token, Name], op: lark.Token, right: Name | tuple[str, ...]) -> Expr:
        return Check(left[1], str(op), right, left[0].line or 1, left[0].column or 1)

    def macro(self, token: lark.Token) -> Expr:
        return Macro(str(token), token.line or 1, token.column or 1)


@cache
def _parser() -> lark.Lark:
    grammar = files(__package__).joinpath("condition.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", transformer=_Builder())


def parse(text: str) -> Expr:
    """The condition's tree.  Raises `ConditionError`."""
    if not text.strip():
        raise ConditionError("filter input string is empty")
    try:
        tree: object = _parser().parse(text)
    except lark.exceptions.VisitError as error:
        if isinstance(error.orig_exc, ConditionError):
            raise error.orig_exc from error
        raise
    except lark.UnexpectedInput as error:
        line, column = (error.line, error.column) if error.line > 0 else _end(text)
        raise ConditionError(_unexpected(error), line, column) from error
    if not isinstance(tree, (Check, Macro, Not, Group)):
        raise TypeError(f"the grammar gave {tree!r}")
    if _too_deep(tree):
        raise ConditionError(f"exceeded max depth limit of {MAX_DEPTH}")
    return tree


def _end(text: str) -> tuple[int, int]:
    lines = text.rstrip().split("\n")
    return len(lines), len(lines[-1]) + 1


EXPECTED = {
    "NUMBER_OP": "a check operator",
    "IDENTIFIER": "a field check or an identifier",
    "NUMBER": "a number value",
    "BARE": "a string value",
    "_AND": "'or', 'and'",
    "RPAR": "a ')' token",
}


def _unexpected(error: lark.UnexpectedInput) -> str:
    if isinstance(error, lark.UnexpectedToken):
        found = "end of condition" if error.token.type == "$END" else f"token '{error.token}'"
        allowed = error.expected
    elif isinstance(error, lark.UnexpectedCharacters):
        found, allowed = f"character '{error.char}'", error.allowed or set()
    else:
        found, allowed = "end of condition", set()
    wanted = next((text for name, text in EXPECTED.items() if name in allowed), "nothing more")
    return f"unexpected {found}, expected {wanted}"


def _too_deep(tree: Expr) -> bool:
    level: list[Expr] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in children(node)]
        if not level:
            return False
    return True


def children(node: Expr) -> tuple[Expr, ...]:
    match node:
        case Group(children=several):
            return several
        case Not(child=one):
            return (one,)
        case _:
            return ()


def walk(node: Expr) -> Iterator[Expr]:
    """Every node of the tree, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)


def expand(node: Expr, macros: Mapping[str, Expr], inside: tuple[str, ...] = ()) -> Expr:
    """The tree with every macro replaced by its condition, all the way down.  Raises `ConditionError`."""
    match node:
        case Macro(name=name) if name in inside:
            raise ConditionError(f"reference loop in macro '{name}'", node.line, node.column)
        case Macro(name=name) if name not in macros:
            raise ConditionError(f"Undefined macro '{name}' used in filter.", node.line, node.column)
        case Macro(name=name):
            return expand(macros[name], macros, (*inside, name))
        case Not(child=child):
            return Not(expand(child, macros, inside))
        case Group(op=op, children=several):
            return Group(op, tuple(expand(child, macros, inside) for child in several))
        case _:
            return node


def unparse(node: Expr) -> str:
    """The tree as a condition that libsinsp parses to the same tree."""
    match node:
        case Macro(name=name):
            return name
        case Not(child=child):
            return f"not ({unparse(child)})"
        case Group(op=op, children=several):
            return f" {op} ".join(f"({unparse(child)})" for child in several)
        case Check(left=left, op=op, right=Name() as right):
            return f"{left} {op} {right if right.transformers else f'val({right})'}"
        case Check(left=left, op="exists"):
            return f"{left} exists"
        case Check(left=left, op=("in" | "intersects" | "pmatch") as op, right=tuple() as values):
            return f"{left} {op} ({', '.join(map(_quote, values))})"
        case Check(left=left, op=("<" | "<=" | ">" | ">=") as op, right=tuple() as values):
            return f"{left} {op} {values[0]}"
        case Check(left=left, op=op, right=tuple() as values):
            return f"{left} {op} {_quote(values[0])}"
    raise TypeError(f"not a condition: {node!r}")


def _quote(text: str) -> str:
    for char, escape in (
        ("\\", "\\\\"),
        ('"', '\\"'),
        ("\b", "\\b"),
        ("\f", "\\f"),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\t", "\\t"),
    ):
        text = text.replace(char, escape)
    return f'"{text}"'
