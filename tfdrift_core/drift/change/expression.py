"""The catalog's expressions: JMESPath over a record, tolerant of the first letter's case.

CloudTrail logs ``DBInstanceIdentifier`` as ``dBInstanceIdentifier`` for most services and unchanged for some, so a
field is looked up as written and then with the case of its first letter swapped.
"""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jmespath
import jmespath.exceptions
import jmespath.functions
import jmespath.visitor

from tfdrift_core.drift import names
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.values import tag_map

_Step = Callable[[Any], Any]


class ExpressionError(ValueError):
    """The text is not a JMESPath expression."""


_LAMBDA_NAME = re.compile(r"(?:^|:)(?:function|layer):([^:]+)")


def swap_first(name: str) -> str:
    """A name as CloudTrail may log it as well."""
    return name[:1].swapcase() + name[1:]


class _Functions(jmespath.functions.Functions):
    @jmespath.functions.signature({"types": []})
    def _func_list(self, value: Any) -> list[Any]:
        """The value as a list: a bare element is a list of one, null and an empty text none."""
        if value in (None, "", {}):
            return []
        return value if isinstance(value, list) else [value]

    @jmespath.functions.signature({"types": []})
    def _func_arn_name(self, value: Any) -> Any:
        """The last part of an ARN or path; anything else as it is."""
        if not isinstance(value, str):
            return value
        if value.startswith("arn:"):
            value = value.split(":", 5)[-1]
            return value.rpartition("/")[2] if "/" in value else value.rpartition(":")[2]
        return value.rpartition("/")[2] if "/" in value else value

    @jmespath.functions.signature({"types": []}, {"types": ["number"]})
    def _func_arn_part(self, value: Any, index: int) -> Any:
        """Part ``index`` of an ARN split at ``:`` and ``/`` (negative from the end); null when there is none."""
        if not isinstance(value, str):
            return None
        parts = value.replace("/", ":").split(":")
        return parts[int(index)] if -len(parts) <= int(index) < len(parts) else None

    @jmespath.functions.signature({"types": []})
    def _func_lambda_name(self, value: Any) -> Any:
        """The name of a Lambda function or layer given by name or by full or partial ARN, without a qualifier."""
        if not isinstance(value, str):
            return value
        found = _LAMBDA_NAME.search(value)
        return found[1] if found else value.partition(":")[0]

    @jmespath.functions.signature({"types": ["string"]}, {"types": []})
    def _func_split(self, separator: str, value: Any) -> list[str]:
        return value.split(separator) if isinstance(value, str) else []

    @jmespath.functions.signature({"types": []})
    def _func_lower(self, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @jmespath.functions.signature({"types": []})
    def _func_dns_name(self, value: Any) -> Any:
        """A DNS name as Terraform keeps it: lower case, without escapes and the last dot."""
        return names.dns_name(value) if isinstance(value, str) else value

    @jmespath.functions.signature({"types": []}, {"types": ["string"]})
    def _func_strip(self, value: Any, characters: str) -> Any:
        return value.strip(characters) if isinstance(value, str) else value

    @jmespath.functions.signature({"types": []})
    def _func_unquote(self, value: Any) -> Any:
        """A text without the quotes around it; those inside stay."""
        quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"'
        return value[1:-1] if quoted else value

    @jmespath.functions.signature({"types": []})
    def _func_parse(self, value: Any) -> Any:
        """The value of a JSON text; null when it is not JSON."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None

    @jmespath.functions.signature({"types": []})
    def _func_from_base64(self, value: Any) -> Any:
        """The text that is encoded in Base64; null when it is none."""
        if not isinstance(value, str):
            return None
        try:
            return base64.b64decode(value, validate=True).decode()
        except ValueError:
            return None

    @jmespath.functions.signature({"types": []})
    def _func_map_of(self, value: Any) -> dict[str, Any]:
        """A list of key and value as an object; an object as it is."""
        return tag_map(value)


_FUNCTIONS = _Functions()
_OF_ANYTHING = frozenset(
    {"list", "arn_name", "lambda_name", "dns_name", "lower", "parse", "map_of", "unquote", "from_base64"}
)
"""Functions of ours that take one value of any type, which the library need not check."""
_OPTIONS = jmespath.Options(custom_functions=_FUNCTIONS)


class _Interpreter(jmespath.visitor.TreeInterpreter):
    def visit_field(self, node: Any, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        name = node["value"]
        return value[name] if name in value else value.get(swap_first(name))


_INTERPRETER = _Interpreter(_OPTIONS)


@lru_cache(maxsize=8192)
def syntax(text: str) -> Any:
    """The syntax tree of an expression.

    :raises ExpressionError: when the text is none.
    """
    try:
        return jmespath.compile(text).parsed
    except jmespath.exceptions.JMESPathError as error:
        reason = str(error).partition(", for expression")[0].partition("\n")[0]
        raise ExpressionError(f"{text!r} is not an expression: {reason}") from error


def functions() -> frozenset[str]:
    """The names of all functions, JMESPath's own and those above."""
    return frozenset(_FUNCTIONS.FUNCTION_TABLE)


def takes(function: str, count: int) -> bool:
    """Whether a function may be called with so many arguments."""
    signature = _FUNCTIONS.FUNCTION_TABLE[function]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    return count >= len(signature) if variadic else count == len(signature)


def evaluate(text: str, scope: Scope | Mapping[str, Any]) -> Any:
    """The value of an expression; ``None`` where it names nothing or the record's types do not fit it."""
    try:
        return _compiled(text)(scope if isinstance(scope, dict) else vars(scope))
    except (jmespath.exceptions.JMESPathError, TypeError, ValueError):
        # The library applies Python to values whose types do not fit, where the specification says null or an error.
        return None


class Expressions(dict[str, str]):
    """Attributes and the expressions of their values, in order.

    A call has few parameters and may set many attributes, so that those are found by the parameters that it has.
    """

    def __init__(self, texts: Mapping[str, str] = MappingProxyType({}), *, conditions: bool = False) -> None:
        """``conditions`` says that false is as good as null."""
        super().__init__(texts)
        self._conditions = conditions
        self._always: list[int] = []
        self._pairs: list[tuple[str, str]] = []
        self._by_member: dict[str, list[int]] | None = None
        self._latest: tuple[tuple[str, ...], Iterable[tuple[str, str]]] = (), ()

    def given(self, request: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """Those that are not bound to be null for this request."""
        if not self:
            return ()
        if self._by_member is None:
            self._by_member = self._tabulate()
        names = tuple(request)
        latest = self._latest
        if latest[0] != names or not names:
            found = set(self._always)
            for name in names:
                found.update(self._by_member.get(name, ()))
            # The calls of a trail repeat themselves.
            latest = self._latest = names, [self._pairs[place] for place in sorted(found)]
        return latest[1]

    def _tabulate(self) -> dict[str, list[int]]:
        self._pairs = list(self.items())
        table: dict[str, list[int]] = {}
        for place, text in enumerate(self.values()):
            members = _members(syntax(text), self._conditions)
            if members is None:
                self._always.append(place)
            for name in members or ():
                table.setdefault(name, []).append(place)
                table.setdefault(swap_first(name), []).append(place)
        return table


def asked(condition: str) -> frozenset[str] | None:
    """The request's members, as they may be written, without all of which a condition is false or a list empty.

    ``None`` when that cannot be told.
    """
    members = _members(syntax(condition), True)
    return None if members is None else members | frozenset(map(swap_first, members))


_REQUEST = {"type": "field", "children": [], "value": "request"}
_OF_FIRST = frozenset({"index_expression", "projection", "flatten", "filter_projection", "value_projection"})
"""Nodes that are null when their first child is."""
_OF_NULL = _OF_FIRST | {"field", "multi_select_dict", "multi_select_list"}
"""Nodes that make null of null."""


def _members(node: Any, conditions: bool) -> frozenset[str] | None:
    """The members of ``request`` without all of which an expression is null (or, of ``conditions``, false).

    ``None`` when that cannot be told.
    """
    kind, children = node["type"], node["children"]
    if kind == "subexpression" and all(child["type"] in _OF_NULL for child in children[1:]):
        if children[0] != _REQUEST:
            return _members(children[0], False)
        step = children[1]
        while step["type"] in _OF_FIRST:
            step = step["children"][0]
        return frozenset({step["value"]}) if step["type"] == "field" else None
    if kind in _OF_FIRST or (kind == "comparator" and conditions and _asks_for_value(node)):
        return _members(children[0], False)
    if kind == "or_expression":
        left, right = (_members(child, conditions) for child in children)
        return None if left is None or right is None else left | right
    if kind == "and_expression":
        return _members(children[0], conditions)
    if conditions and kind == "function_expression" and node["value"] == "list":
        return _members(children[0], False)
    return None


def _asks_for_value(node: Any) -> bool:
    other = node["children"][1]
    return node["value"] == "eq" and other["type"] == "literal" and other["value"] is not None


@lru_cache(maxsize=8192)
def _compiled(text: str) -> _Step:
    return _compile(syntax(text))


def _compile(node: Any) -> _Step:
    """A function for a node of the syntax tree; the plain ones, which are nearly all, need no interpreter."""
    maker = _MAKERS.get(node["type"])
    if maker is None or (node["type"] == "comparator" and node["value"] not in ("eq", "ne")):
        return lambda value: _INTERPRETER.visit(node, value)
    return maker(node, [_compile(child) for child in node["children"]])


def _field(node: Mapping[str, Any], _: list[_Step]) -> _Step:
    name, swapped = node["value"], swap_first(node["value"])

    def step(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        return value[name] if name in value else value.get(swapped)

    return step


def _subexpression(_: Mapping[str, Any], children: list[_Step]) -> _Step:
    def step(value: Any) -> Any:
        for child in children:
            value = child(value)
        return value

    return step


def _or(_: Mapping[str, Any], children: list[_Step]) -> _Step:
    left, right = children

    def step(value: Any) -> Any:
        result = left(value)
        return right(value) if _is_false(result) else result

    return step


def _and(_: Mapping[str, Any], children: list[_Step]) -> _Step:
    left, right = children

    def step(value: Any) -> Any:
        result = left(value)
        return result if _is_false(result) else right(value)

    return step


def _not(_: Mapping[str, Any], children: list[_Step]) -> _Step:
    (inner,) = children
    return lambda value: _is_false(inner(value))


def _comparator(node: Mapping[str, Any], children: list[_Step]) -> _Step:
    left, right = children
    wanted = node["value"] == "eq"

    def step(value: Any) -> Any:
        one, other = left(value), right(value)
        # JSON's true is not 1, as Python's is.
        return (isinstance(one, bool) == isinstance(other, bool) and one == other) is wanted

    return step


def _function(node: Mapping[str, Any], children: list[_Step]) -> _Step:
    name = node["value"]
    if name in _OF_ANYTHING and len(children) == 1:
        (inner,), function = children, getattr(_FUNCTIONS, f"_func_{name}")
        return lambda value: function(inner(value))

    def step(value: Any) -> Any:
        return _FUNCTIONS.call_function(name, [child(value) for child in children])

    return step


def _current(_: Mapping[str, Any], __: list[_Step]) -> _Step:
    return lambda value: value


def _literal(node: Mapping[str, Any], _: list[_Step]) -> _Step:
    constant = node["value"]
    return lambda value: constant


def _is_false(value: Any) -> bool:
    """Whether JMESPath takes a value for false; zero is true (https://jmespath.org/specification.html#or-expressions)."""
    return value is None or value is False or value == "" or value == [] or value == {}


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], list[_Step]], _Step]] = {
    "field": _field,
    "subexpression": _subexpression,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparator,
    "literal": _literal,
    "function_expression": _function,
    "current": _current,
}


def request_fields(text: str) -> set[tuple[str, ...]]:
    """The chains of field names in an expression, for checking them against a service model."""
    chains: set[tuple[str, ...]] = set()

    def walk(node: dict[str, Any], prefix: tuple[str, ...]) -> tuple[str, ...]:
        kind = node["type"]
        if kind == "field":
            chain = (*prefix, node["value"])
            chains.add(chain)
            return chain
        if kind == "filter_projection":
            left = walk(node["children"][0], prefix)
            walk(node["children"][2], left)
            return walk(node["children"][1], left)
        if kind == "function_expression" and node["value"] in (*_OF_ANYTHING, "strip"):
            return walk(node["children"][0], prefix)
        if kind in ("subexpression", "index_expression", "projection", "value_projection", "pipe"):
            left = walk(node["children"][0], prefix)
            for child in node["children"][1:]:
                left = walk(child, left)
            return left
        if kind in ("flatten", "identity", "index", "slice", "current"):
            return walk(node["children"][0], prefix) if node.get("children") and kind == "flatten" else prefix
        for child in node.get("children", ()):
            if isinstance(child, dict) and "type" in child:
                walk(child, prefix)
        return prefix

    walk(syntax(text), ())
    return chains
