"""Conditions of Falco rules: parsing, checking against the field list, evaluation.

The grammar is ``condition.lark``.  What an operator accepts and does follows libsinsp 0.23 (``filter_compare.cpp``,
``sinsp_filtercheck.cpp``, ``value_parser.cpp``): every comparison with an absent field is false, even ``!=``.
"""

import ctypes
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import lark
import re2  # type: ignore[import-untyped]

from tfdrift_core.fields import Type
from tfdrift_plugin.host.fields import TRANSFORMER_NAMES, Catalogue, Field, FieldError, Value, Values, c_string

# Falco gives up at 1000; no readable condition comes near this, and evaluation recurses.
MAX_DEPTH = 200


class ConditionError(ValueError):
    """A condition that libsinsp would refuse, with the place inside the condition (both from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class Event(Protocol):
    """What evaluation needs of an event."""

    def get(self, field: Field) -> Values:
        """The field's raw values, before transformers; ``None`` where it is absent."""


Predicate = Callable[[Event], bool]


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


# --- parsing ----------------------------------------------------------------------------------------------------------

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
    if not isinstance(tree, Check | Macro | Not | Group):
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


# --- compiling --------------------------------------------------------------------------------------------------------

ORDER: dict[str, Callable[[bytes, bytes], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_LIBC = ctypes.CDLL(None)
_LIBC.fnmatch.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
_LIBC.newlocale.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
_LIBC.newlocale.restype = ctypes.c_void_p
_LIBC.uselocale.argtypes = [ctypes.c_void_p]
_LIBC.uselocale.restype = ctypes.c_void_p
_LC_ALL_MASK = 0x1FBF
_BYTES_LOCALE = _LIBC.newlocale(_LC_ALL_MASK, b"C", None)
_FNM_CASEFOLD = 16


def _glob(flags: int) -> Callable[[bytes, bytes], bool]:
    """The C library's own matcher, because it is libsinsp's: Python's fnmatch knows neither escapes nor classes."""

    def match(value: bytes, pattern: bytes) -> bool:
        # Falco never leaves the C locale, in which `?` is a byte.
        before = _LIBC.uselocale(_BYTES_LOCALE)
        try:
            return bool(_LIBC.fnmatch(pattern, value, flags) == 0)
        finally:
            _LIBC.uselocale(before)

    return match


STRING: dict[str, Callable[[bytes, bytes], bool]] = {
    **ORDER,
    "contains": lambda value, part: part in value,
    "icontains": lambda value, part: part.lower() in value.lower(),
    "startswith": bytes.startswith,
    "endswith": bytes.endswith,
    "glob": _glob(0),
    "iglob": _glob(_FNM_CASEFOLD),
}
NUMBER: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SETS = ("in", "intersects")
ALLOWED: dict[Type, frozenset[str]] = {
    Type.STRING: frozenset((*STRING, *SETS, "pmatch", "regex")),
    Type.BOOL: frozenset(("=", "==", "!=", *SETS)),
    **dict.fromkeys((Type.UINT64, Type.ABSTIME, Type.RELTIME), frozenset((*NUMBER, *SETS))),
}
KIND = {Type.STRING: "string", Type.BOOL: "numeric"}


def resolve(name: Name, catalogue: Catalogue) -> Field:
    """The field behind a name.  Raises `FieldError`."""
    field = catalogue.exact(name.text)
    for transformer in name.transformers:
        field = field.transformed(transformer)
    return field


def compile_condition(node: Expr, catalogue: Catalogue) -> Predicate:
    """A function that tells whether an event matches.  Raises `ConditionError`."""
    match node:
        case Group(op=op, children=several):
            parts = [compile_condition(child, catalogue) for child in several]
            if op == "and":
                return lambda event: all(part(event) for part in parts)
            return lambda event: any(part(event) for part in parts)
        case Not(child=child):
            inner = compile_condition(child, catalogue)
            return lambda event: not inner(event)
        case Macro():
            raise ConditionError(f"filter error: unexpected identifier '{node.name}'", node.line, node.column)
        case Check():
            try:
                return _check(node, catalogue)
            except FieldError as error:
                raise ConditionError(str(error), node.line, node.column) from error


def _check(check: Check, catalogue: Catalogue) -> Predicate:
    left, op = resolve(check.left, catalogue), check.op
    if op == "exists":
        return lambda event: left.apply(event.get(left)) is not None
    if op not in (SETS if left.is_list else ALLOWED[left.type]):
        kind = "list" if left.is_list else f"for {KIND.get(left.type, 'numeric')}"
        raise FieldError(f"filter error: '{op}' operator not supported {kind} filters")
    if isinstance(check.right, Name):
        return _against_field(left, op, resolve(check.right, catalogue))
    constants = tuple(_constant_value(text, left.type) for text in check.right)
    matches = _comparison(left, op, constants)
    return lambda event: (values := left.apply(event.get(left))) is not None and matches(values)


def _against_field(left: Field, op: str, right: Field) -> Predicate:
    if op in ("pmatch", "regex"):
        raise FieldError(f"operator '{op.upper()}' doesn't support right-hand side fields")
    if (left.type, left.is_list) != (right.type, right.is_list):
        raise FieldError(
            f"field '{left.spec.name}' has type '{left.type.upper()}'{' (list)' * left.is_list} while the right-hand "
            f"side field '{right.spec.name}' has incompatible type '{right.type.upper()}'{' (list)' * right.is_list}"
        )

    def run(event: Event) -> bool:
        values, others = left.apply(event.get(left)), right.apply(event.get(right))
        return values is not None and others is not None and _comparison(left, op, others)(values)

    return run


def _comparison(left: Field, op: str, constants: tuple[Value, ...]) -> Callable[[tuple[Value, ...]], bool]:
    if op in SETS:
        members = frozenset(constants)
        if left.is_list:
            return members.issuperset if op == "in" else lambda values: not members.isdisjoint(values)
        return lambda values: _stripped(values[0]) in members
    if op == "pmatch":
        paths = [_components(path) for path in constants]
        return lambda values: any(_is_prefix(path, _components(_stripped(values[0]))) for path in paths)
    if op == "regex":
        pattern = posix_regex(c_string(constants[0]))
        return lambda values: pattern is not None and pattern.fullmatch(_stripped(values[0])) is not None
    if left.type is Type.STRING:
        text, operand = STRING[op], c_string(constants[0])
        return lambda values: text(c_string(values[0]), operand)
    number = NUMBER[op]
    return lambda values: number(int(values[0]), int(constants[0]))


def _stripped(value: Value) -> Value:
    return value.rstrip(b"\0") if isinstance(value, bytes) else value


_DECIMAL = re.compile(r"\s*([+-]?)(\d+)", re.ASCII)


def _constant_value(text: str, kind: Type) -> Value:
    if kind is Type.STRING:
        return text.encode("utf-8", "surrogateescape")
    if kind is Type.BOOL:
        if text not in ("true", "false"):
            raise FieldError(f"filter error: unrecognized boolean value {text}")
        return int(text == "true")
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise FieldError(f"{text} is not a valid number")
    # As C's scanf reads an unsigned number: too large is the largest, and a minus wraps around.
    value = min(int(match[2]), 2**64 - 1)
    return -value % 2**64 if match[1] == "-" else value


def posix_regex(pattern: bytes) -> Any:
    """The pattern as libsinsp compiles it; ``None`` where RE2 refuses it, and then nothing ever matches."""
    options = re2.Options()
    options.posix_syntax = True
    options.longest_match = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error:
        return None


def _components(path: Value) -> list[bytes]:
    return [part for part in c_string(path).split(b"/") if part]


def _is_prefix(search: list[bytes], path: list[bytes]) -> bool:
    glob = STRING["glob"]
    pairs = zip(search, path, strict=False)
    return len(search) <= len(path) and all(
        glob(part, wanted) if re.search(rb"[?*\[]", wanted) else part == wanted for wanted, part in pairs
    )


# --- warnings ---------------------------------------------------------------------------------------------------------


def warnings(node: Expr, catalogue: Catalogue) -> Iterator[str]:
    """What Falco warns about in a condition that it accepts, and regular expressions that can never match."""
    for check in walk(node):
        if not isinstance(check, Check) or isinstance(check.right, Name):
            continue
        for text in check.right:
            if check.op == "regex":
                if posix_regex(text.encode()) is None:
                    yield f"regex check with '{text}' never matches: it is not a valid POSIX (RE2) expression"
                elif not re.search(r"[.+*?^$()\[\]{}|\\]", re.sub(r"^\^?(\.[+*?])?|(\.[+*?])?\$?$", "", text)):
                    yield f"regex check with '{text}' may be optimized with simpler operators"
            compact = "".join(text.split())
            if _is_field(compact, catalogue):
                yield f"'{text}' may be a valid field misused as a const string value"
            if compact.endswith(")") and compact.partition("(")[0] in (*TRANSFORMER_NAMES, "val"):
                yield f"'{text}' may be a valid field transformer misused as a const string value"


def _is_field(text: str, catalogue: Catalogue) -> bool:
    try:
        catalogue.exact(text)
    except FieldError:
        return False
    return True
