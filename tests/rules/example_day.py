"""The day in ``examples/`` as drift events and as the alerts that Falco prints for them, made once a process."""

import gzip
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tfdrift_plugin.host.rules import Rule, load

from tests.rules.sample_events import ROOT, RULES, SampleEvent, catalogue
from tfdrift_core import __version__
from tfdrift_core.config import load as load_config
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.metrics import Metrics
from tfdrift_core.output.fields import values
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.store import StateStore

EXAMPLES = ROOT / "examples"


def records_of(path: Path) -> list[Record]:
    """The records of one file of the trail."""
    raw = path.read_bytes()
    document = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    return [Record(record) for record in document["Records"]]


@cache
def events() -> tuple[dict[str, Any], ...]:
    """The field values of every event of the day."""
    with tempfile.TemporaryDirectory() as data:
        config = {
            "state": [str(EXAMPLES / "state" / "network.tfstate"), str(EXAMPLES / "state" / "app.tfstate")],
            "config": [str(EXAMPLES / "infrastructure" / "network"), str(EXAMPLES / "infrastructure" / "app")],
            "data_dir": data,
        }
        store = StateStore(load_config(json.dumps(config)), metrics=Metrics())
        store.refresh(force=True)
        engine = Engine(load_catalog(), Expectations())
        found = [
            values(event)
            for path in sorted((EXAMPLES / "trail").iterdir())
            for event in engine.process(store.index, records_of(path)).events
        ]
        store.close()
    return tuple(
        {name: list(value) if isinstance(value, tuple) else value for name, value in event.items()} for event in found
    )


@cache
def rules() -> tuple[Rule, ...]:
    return load([(RULES.name, RULES.read_text())], catalogue(), "tfdrift", {"tfdrift": __version__}).rules


def rule_for(event: dict[str, Any]) -> Rule | None:
    return next((rule for rule in rules() if rule.matches(SampleEvent(event))), None)


@cache
def alerts() -> tuple[str, ...]:
    """The day's alerts, one JSON line each."""
    lines = []
    for event in events():
        rule = rule_for(event)
        if rule is None:
            continue
        shown = SampleEvent(event)
        lines.append(
            json.dumps(
                {
                    "hostname": "falco",
                    "output": f"{event['ct.time']}: {rule.priority.name} {rule.format.text(shown).decode()}",
                    "output_fields": rule.format.values(shown),
                    "priority": rule.priority.name,
                    "rule": rule.name,
                    "source": "tfdrift",
                    "tags": list(rule.tags),
                    "time": event["ct.time"],
                }
            )
        )
    return tuple(lines)
