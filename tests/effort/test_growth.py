"""What a call asks for grows; the work on it grows with it and no faster, except where the record's budget counts it.

Lines of Python are counted, never time.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.drift.change.test_catalog_cases import FILES, _state
from tests.drift.replayed import record_of
from tests.drift.replayed import state as state_of
from tests.effort.steps import lines
from tfdrift_core import yaml_data
from tfdrift_core.drift.compare.values import Elements
from tfdrift_core.drift.effort import Budget
from tfdrift_core.drift.present import redact
from tfdrift_core.drift.present.redact import Redactor
from tfdrift_core.replay import replay

Place = tuple[str | int, ...]
_SIZE = 24


def _places(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield place, value
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from _places(inner, (*place, step))


def _other(value: Any, index: int, shape: str) -> Any:
    """``value`` with every text in it made another one, of the same look."""
    if isinstance(value, dict):
        return {key: _other(member, index, shape) for key, member in value.items()}
    if isinstance(value, list):
        return [_other(element, index, shape) for element in value]
    return shape.format(value, index) if isinstance(value, str) else value


def _put(document: Any, place: Place, value: Any) -> Any:
    document = copy.deepcopy(document)
    holder = document
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    return document


def _grown(value: Any, size: int) -> Iterator[Any]:
    """The value made larger, in the ways that a caller can."""
    if isinstance(value, list) and value:
        for shape in ("{0}{1}", "{1}/{0}", "{1}:{0}"):
            yield [*value, *(_other(value[n % len(value)], n, shape) for n in range(size))]
    elif isinstance(value, dict):
        yield {**value, **{f"Name{n}": f"value{n}" for n in range(size)}}
        yield {**value, **{f"secret{n}Password": f"value{n}" for n in range(size)}}
        deep: Any = "x"
        for _ in range(size // 3):
            deep = {"a": deep, "b": ""}
        yield {**value, "Deep": deep}
    elif isinstance(value, str):
        yield json.dumps({"Statement": [{"Effect": "Allow", "Action": f"a:{n}", "Resource": "*"} for n in range(size)]})
        yield json.dumps([{"name": f"n{n}", "value": {"from": n}} for n in range(5 * size)])
        yield json.dumps([f"{n}/x" for n in range(size)])
        document: Any = {"Sid": "x"}
        for _ in range(size):
            document = {"Statement": [document]}
        yield json.dumps(document)
        yield "A/" * size
        yield "Ab:" * size


def _cases() -> Iterator[Any]:
    for file in FILES:
        document = yaml_data.load(file.read_text(encoding="utf-8"))
        for case in document["cases"][::3]:
            yield pytest.param(document, case, id=f"{file.stem}-{case['name'].replace(' ', '_')}")


@pytest.mark.parametrize(("document", "case"), list(_cases()))
def test_twice_the_request_takes_twice_the_work(
    document: Mapping[str, Any], case: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is allowed whatever the size would look like growth.
    monkeypatch.setattr(redact, "_MANY", 4)
    monkeypatch.setattr(Elements, "_FREE", 0)
    monkeypatch.setattr(Elements, "_FOR_EACH", 4)
    state = state_of(_state(document, case))
    name, request, *answer = case["calls"][-1]

    def work(request: Mapping[str, Any]) -> Callable[[], object]:
        record = record_of(document["source"], (name, request, *(part or {} for part in answer)))

        def run() -> None:
            for event in replay(state, [record]):
                Redactor.of(event.redacted).event(event)

        return run

    spent = 0
    spend = Budget.spend

    def counted(self: Budget, work: int) -> None:
        nonlocal spent
        spent += work
        spend(self, work)

    monkeypatch.setattr(Budget, "spend", counted)

    def measured(value: Any) -> tuple[int, int]:
        nonlocal spent
        spent = 0
        taken = lines(work(value))
        return taken, max(spent, 1)

    work(request)()
    for place, value in _places(request or {}):
        if not place:
            continue
        for variants in zip(*(_grown(value, _SIZE * factor) for factor in (1, 2, 4)), strict=True):
            # What is read once, such as the schema of a type that only this request makes, is no growth.
            work(_put(request, place, variants[0]))()
            (small, _), (middle, before), (large, after) = (measured(_put(request, place, v)) for v in variants)
            grown = "".join(map(str, place)), str(variants[0])[:200]
            in_step = large - middle <= 2.7 * max(middle - small, 0) + 2500
            assert in_step or large / middle <= 1.2 * after / before, f"{grown}: {small}, {middle}, {large}"
