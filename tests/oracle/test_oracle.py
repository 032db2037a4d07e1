"""Every ready-made judgement of Terraform is met, or excluded by name with the evidence."""

import json
from typing import Any

import pytest

from tests.oracle import score
from tests.oracle.compare import compare
from tfdrift_core.cloudtrail.record import Record
from tfdrift_core.drift.event import DriftEvent, Kind, Resource

_PRESENT = (score.oracle() / "scenarios.jsonl").is_file()
_SCENARIOS = score.scenarios() if _PRESENT else ()


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenario(scenario: dict[str, Any]) -> None:
    result = score.judge(scenario, score.replay_function())
    text = score.explain(scenario, result)
    if scenario["name"] in score.excluded():
        assert not result.good, f"{scenario['name']} is right now: take it off {score.EXCLUDED.name}"
    else:
        assert result.good, text


def test_exclusions_name_scenarios() -> None:
    if _PRESENT:
        assert score.excluded().keys() <= {scenario["name"] for scenario in _SCENARIOS}


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario["name"])
def test_the_judgement_itself_scores_full(scenario: dict[str, Any]) -> None:
    """Guards the scorer: events that say just what Terraform says are right."""
    events = [_event(item) for item in scenario["drift"]] if scenario["kind"] != "ignored" else []
    result = compare(scenario, events)
    assert result.good
    assert not result.unowed
    assert len(result.right) == len(events)


def _event(item: dict[str, Any]) -> DriftEvent:
    resource = Resource(type=item["type"], address=item["address"])
    if item["action"] == "delete":
        return DriftEvent(Record({}), Kind.DELETED, resource, "1")
    added, removed = (tuple(_text(e) or "" for e in item.get(name, ())) for name in ("added", "removed"))
    path, old, new = item["attribute"], _text(item["before"]), _text(item["after"])
    return DriftEvent(Record({}), Kind.MODIFIED, resource, "1", path, path, old, new, added, removed)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
