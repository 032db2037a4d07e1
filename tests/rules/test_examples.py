"""The examples' day: exactly the drift that is promised, and each under the right rule."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tfdrift_plugin.host.rules import load as load_rules

from tests.rules.sample_events import ROOT, RULES, SampleEvent, catalogue
from tfdrift_core.cloudtrail.record import Record
from tfdrift_core.config import load as load_config
from tfdrift_core.drift.catalog import load as load_catalog
from tfdrift_core.drift.classify import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.fields import values
from tfdrift_core.metrics import Metrics
from tfdrift_core.terraform.store import StateStore

EXAMPLES = ROOT / "examples"
EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())


def records(path: Path) -> list[Record]:
    raw = path.read_bytes()
    document = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return [Record(record) for record in document["Records"]]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    config = {
        "state": [str(EXAMPLES / "state" / "network.tfstate"), str(EXAMPLES / "state" / "app.tfstate")],
        "config": [str(EXAMPLES / "infrastructure" / "network"), str(EXAMPLES / "infrastructure" / "app")],
        "data_dir": str(tmp_path_factory.mktemp("data")),
    }
    store = StateStore(load_config(json.dumps(config)), metrics=Metrics())
    store.refresh(force=True)
    engine = Engine(load_catalog(), Expectations())
    found = [
        values(event)
        for path in sorted((EXAMPLES / "trail").iterdir())
        for event in engine.process(store.index, records(path)).events
    ]
    store.close()
    return found


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
def test_is_reported_once_under_its_rule(events: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    (event,) = (event for event in events if fits(event, entry))
    rules = load_rules([(RULES.name, RULES.read_text())], catalogue(), "tfdrift", {"tfdrift": "0.1.0"}).rules
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in event.items()}
    assert next((rule.name for rule in rules if rule.matches(SampleEvent(fields))), None) == entry["rule"]


def test_nothing_else_is_reported(events: list[dict[str, Any]]) -> None:
    assert [event for event in events if not any(fits(event, entry) for entry in EXPECTED)] == []


def test_every_managed_event_has_a_place_and_a_hint(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert event["drift.hint"]
        assert (event["drift.kind"] == "unmanaged") == ("tf.file" not in event)


def test_expected_json_is_in_step_with_its_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    for entry in EXPECTED:
        if "again" not in entry and entry["kind"] != "unmanaged":
            assert f"`{entry['address']}`" in readme, entry["address"]
