"""What is wrong with an expression."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from tfdrift_core.drift.change.check.spelling import near
from tfdrift_core.drift.change.expression import ExpressionError, functions, swap_first, syntax, takes
from tfdrift_core.drift.change.scope import Scope

_NAMES: Final = tuple(field.name for field in fields(Scope))
_OF_FIRST: Final = frozenset(
    {"subexpression", "index_expression", "projection", "filter_projection", "value_projection", "flatten", "pipe"}
)
"""Nodes of which only the first child is evaluated over the scope."""


def check(text: str) -> None:
    """:raises ExpressionError: when it is no expression, or asks for a name or a function that there is not."""
    wrong = list(dict.fromkeys(_misspelt(syntax(text), over_scope=True)))
    if wrong:
        raise ExpressionError("; ".join(wrong))


def _misspelt(node: Any, *, over_scope: bool) -> Iterator[str]:
    kind, children = node["type"], [child for child in node["children"] if isinstance(child, dict)]
    if kind == "field" and over_scope and not {node["value"], swap_first(node["value"])} & set(_NAMES):
        yield f"unknown name {node['value']!r}{near(node['value'], _NAMES)}"
    if kind == "function_expression":
        name, known = node["value"], functions()
        if name not in known:
            yield f"unknown function {name!r}{near(name, known)}"
        elif not takes(name, len(children)):
            yield f"{name}() does not take {len(children)} values"
    for index, child in enumerate(children):
        below = kind == "expref" or (kind in _OF_FIRST and index > 0)
        yield from _misspelt(child, over_scope=over_scope and not below)
