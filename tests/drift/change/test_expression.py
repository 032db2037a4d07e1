"""What the catalog's expressions give, and which of them need not be asked."""

from collections.abc import Iterator
from typing import Any

import pytest

from tfdrift_core.drift.change.catalog import load
from tfdrift_core.drift.change.effect import Effect
from tfdrift_core.drift.change.expression import Expressions, asked, evaluate

ELSEWHERE = {"a": {"b": [{"c": "x"}]}, "name": "n", "enabled": True, "version": 3}


class Anything(dict[str, Any]):
    """Has every member."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Any:
        return ELSEWHERE


SCOPE = {"response": Anything(), "record": Anything(), "state": Anything(), "item": Anything(), "request": {}}


def effects() -> Iterator[Effect]:
    for event in load().events.values():
        yield from event.effects


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("request.a", {"a", "A"}),
        ("request.Name.value", {"Name", "name"}),
        ("request.a || request.b.c", {"a", "A", "b", "B"}),
        ("request.a[].b", {"a", "A"}),
        ("request.a[0]", {"a", "A"}),
        ("request.a[*].b.c", {"a", "A"}),
        ("request.a[?b == 'c'].d", {"a", "A"}),
        ("request.a == 'x'", {"a", "A"}),
        ("request.a && response.b", {"a", "A"}),
        ("list(request.a)", {"a", "A"}),
        ("request.a == null", None),
        ("request.a != 'x'", None),
        ("!(request.a)", None),
        ("request.a || `true`", None),
        ("request", None),
        ("response.a", None),
        ("{a: request.a}", None),
        ("request.a | length(@)", None),
        ("list(request.a == 'x')", None),
    ],
)
def test_what_a_condition_asks_for(text: str, members: set[str] | None) -> None:
    assert asked(text) == (None if members is None else frozenset(members))
    if members is not None:
        assert not evaluate(text, {**SCOPE, "request": {"other": 1}})


def test_what_is_not_given_is_null() -> None:
    """Over the whole catalog: leaving an expression out changes nothing."""
    left_out = 0
    for effect in effects():
        for expressions, nothing in ((effect.set, (None,)), (effect.unknown, (None, False, "", [], {}))):
            given = dict(expressions.given({}))
            for name, text in expressions.items():
                if name not in given:
                    left_out += 1
                    assert evaluate(text, SCOPE) in nothing, text
    assert left_out > 400


def test_an_effect_whose_members_are_missing_does_nothing() -> None:
    for effect in effects():
        condition = effect.each or effect.when
        if condition and asked(condition) is not None:
            assert not evaluate(condition, SCOPE), condition


def test_the_given_ones_keep_their_order() -> None:
    expressions = Expressions({"a": "request.x", "b": "response.y", "c": "request.z.w", "d": "request.X"})
    assert [name for name, _ in expressions.given({"Z": 1, "x": 2})] == ["a", "b", "c", "d"]
    assert [name for name, _ in expressions.given({"z": 1})] == ["b", "c"]
    assert list(Expressions().given({"z": 1})) == []
