"""Conditions of Falco rules: checked against the field list, and evaluated.

What an operator accepts and does follows libsinsp 0.23 (``filter_compare.cpp``, ``sinsp_filtercheck.cpp``,
``value_parser.cpp``): every comparison with an absent field is false, even ``!=``.
"""

import ctypes
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import re2  # type: ignore[import-untyped]

from tfdrift_core.output.fields import Type
from tfdrift_plugin.host.condition import Check, ConditionError, Expr, Group, Macro, Name, Not, walk
from tfdrift_plugin.host.fields import TRANSFORMER_NAMES, Catalogue, Field, FieldError, Value, Values, c_string


class Event(Protocol):
    """What evaluation needs of an event."""

    def get(self, field: Field) -> Values:
        """The field's raw values, before transformers; ``None`` where it is absent."""


Predicate = Callable[[Event], bool]


ORDER: dict[str, Callable[[Any, Any], bool]] = {
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
NUMBER: dict[str, Callable[[int, int], bool]] = ORDER
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
            if catalogue.has(compact):
                yield f"'{text}' may be a valid field misused as a const string value"
            if compact.endswith(")") and compact.partition("(")[0] in (*TRANSFORMER_NAMES, "val"):
                yield f"'{text}' may be a valid field transformer misused as a const string value"
