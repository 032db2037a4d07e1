"""Every ready-made judgement of Terraform is met, or excluded by name with the evidence."""

import json
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from tests.oracle import score
from tests.oracle.compare import compare
from tfdrift_core.drift.event import DriftEvent, Kind, Resource
from tfdrift_core.records.record import Record

Case = tuple[score.Suite, dict[str, Any]]

_SUITES = list(score.SUITES.values())


def _cases(suites: list[score.Suite]) -> list[ParameterSet]:
    return [pytest.param((suite, scenario), id=scenario["name"]) for suite in suites for scenario in suite.scenarios]


_CASES = _cases(_SUITES)


@pytest.mark.parametrize("case", _CASES)
def test_scenario(case: Case) -> None:
    suite, scenario = case
    result = score.judge(suite, scenario)
    if scenario["name"] in suite.excluded:
        assert not result.good, f"{scenario['name']} is right now: take it off {suite.exclusions.name}"
    else:
        assert result.good, score.explain(suite, scenario, result)
        assert not result.lacks_unmanaged, f"{scenario['name']}: what was created outside Terraform is not reported"


@pytest.mark.parametrize("suite", _SUITES, ids=lambda suite: suite.folder.name)
def test_exclusions_name_scenarios(suite: score.Suite) -> None:
    assert suite.excluded.keys() <= {scenario["name"] for scenario in suite.scenarios}


def test_differences_say_what_differs_and_who_says_so() -> None:
    for name, entry in score.differences().items():
        assert entry.keys() - {"scenarios"} == {"call", "simulator", "aws", "source"}, name
        for suite, scenarios in entry.get("scenarios", {}).items():
            calls = {
                r["eventName"] for s in score.SUITES[suite].scenarios if s["name"] in scenarios for r in s["records"]
            }
            assert any(call.startswith(named) for named in entry["call"] for call in calls), name


@pytest.mark.parametrize("case", _CASES)
def test_the_judgement_itself_scores_full(case: Case) -> None:
    """Guards the scorer: events that say just what Terraform says are right."""
    _, scenario = case
    drift = [item for item in scenario["drift"] if not item.get("cosmetic")]
    events = [_event(item) for item in drift] if scenario["kind"] != "ignored" else []
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
