"""The examples' day: exactly the drift that is promised, and each under the right rule."""

import json
from typing import Any

import pytest

from tests.rules.example_day import EXAMPLES, alerts, events, rule_for

EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())


def fits(event: dict[str, Any], entry: dict[str, Any]) -> bool:
    return (
        event["drift.kind"] == entry["kind"]
        and entry["address"] in (event.get("tf.address"), event["cloud.resource.id"])
        and event.get("drift.path", "") == entry["path"]
        and event["drift.user"] == entry["user"]
        and all(event.get(f"drift.{side}_value") == entry[side] for side in ("old", "new") if side in entry)
        and all(entry["added"] in element for element in event.get("drift.added", [""]) if "added" in entry)
    )


@pytest.mark.parametrize("entry", EXPECTED, ids=lambda e: f"{e['address']} {e['path']}")
def test_is_reported_once_under_its_rule(entry: dict[str, Any]) -> None:
    (event,) = (event for event in events() if fits(event, entry))
    rule = rule_for(event)
    assert (rule.name if rule else None) == entry["rule"]


def test_nothing_else_is_reported() -> None:
    assert [event for event in events() if not any(fits(event, entry) for entry in EXPECTED)] == []
    assert len(alerts()) == sum(entry["rule"] is not None for entry in EXPECTED)


def test_every_managed_event_has_a_place_and_every_event_a_hint() -> None:
    for event in events():
        assert event["drift.hint"]
        assert (event["drift.kind"] == "unmanaged") == ("tf.file" not in event)


def test_the_readme_tells_of_every_managed_resource() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    for entry in EXPECTED:
        if "again" not in entry and entry["kind"] != "unmanaged":
            assert f"`{entry['address']}`" in readme, entry["address"]
