"""Judged scenarios, forth and back: what their calls open is over once state says so, and nothing else is."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.indexes import index_of
from tests.oracle import score
from tests.oracle.score import SUITES, Scenario, Suite
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.values import UNKNOWN
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import DriftEvent, Kind, Resolution
from tfdrift_core.drift.memory import Key, Memory
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.index import Index, key_text

SALT = b"0123456789abcdef"
CASES = [
    pytest.param(suite, scenario, id=f"{name}-{scenario['name']}")
    for name, suite in SUITES.items()
    for scenario in suite.scenarios
]


class Playing:
    """A scenario's calls, and a restart after them."""

    def __init__(self, suite: Suite, scenario: Scenario) -> None:
        first = self._engine()
        self.index = index_of(suite.state(scenario["base"]))
        result = first.process(self.index, [Record(record) for record in scenario["records"]])
        self.events = result.events
        self.left = {
            key: first.memory.recall(key, instance.attributes).overlay.current
            for key, instance in result.touched.items()
            if instance is not None
        }
        self._kept = {key: document for key, document in first.documents(result).items() if document is not None}

    def _engine(self) -> Engine:
        return Engine(score.catalog(), Expectations(), memory=Memory(SALT))

    def after(self, index: Index) -> tuple[list[DriftEvent], Engine]:
        """What a newer version of the state ends, and the engine behind it."""
        engine = self._engine()
        engine.recall(Memory(SALT), self._kept.items())
        engine.process(self.index, [])
        return list(engine.process(index, []).events), engine


def newer(raw: bytes, left: Mapping[Key, Mapping[str, Any] | None]) -> Index:
    """The state after somebody accepted all that calls left: Terraform refreshed it."""
    by_address = {address: attributes for (_, address), attributes in left.items()}
    document = json.loads(raw)
    for resource in document["resources"]:
        kept = []
        for instance in resource["instances"]:
            module = f"{resource['module']}." if "module" in resource else ""
            key = f"[{key_text(instance['index_key'])}]" if "index_key" in instance else ""
            address = f"{module}{resource['type']}.{resource['name']}{key}"
            if resource["mode"] == "managed" and address in by_address:
                if by_address[address] is None:
                    continue
                instance["attributes"] = by_address[address]
            kept.append(instance)
        resource["instances"] = kept
    return index_of(document)


def told(events: tuple[DriftEvent, ...] | list[DriftEvent], *kinds: Kind) -> set[str]:
    return {event.id for event in events if event.kind in kinds}


@pytest.mark.parametrize(("suite", "scenario"), CASES)
def test_what_a_newer_state_accepts_is_over(suite: Suite, scenario: Scenario) -> None:
    playing = Playing(suite, scenario)
    ends, engine = playing.after(newer(suite.state(scenario["base"]), playing.left))
    changed = {e.id for e in playing.events if e.kind is Kind.MODIFIED and playing.left[_key(e)] is not None}
    over = {end.opening.id: end.resolution for end in ends if end.opening is not None}
    assert over.keys() >= told(playing.events, Kind.DELETED)
    for id, resolution in over.items():
        wanted = Resolution.ADOPTED if id in changed else Resolution.REMOVED
        assert resolution is wanted, id
    still = {o.id for key in engine.memory.drifted() for o in engine.memory.openings(key)}
    # A change of which nobody can say what it was leaves attributes that a newer state need not show.
    silent = {e.id for e in playing.events if e.kind is Kind.MODIFIED and (not e.path or e.new_value == UNKNOWN)}
    assert still <= told(playing.events, Kind.UNMANAGED) | silent


@pytest.mark.parametrize(("suite", "scenario"), CASES)
def test_a_newer_serial_alone_ends_nothing(suite: Suite, scenario: Scenario) -> None:
    playing = Playing(suite, scenario)
    document = json.loads(suite.state(scenario["base"]))
    ends, engine = playing.after(index_of({**document, "serial": document["serial"] + 1}))
    assert ends == []
    still = {o.id for key in engine.memory.drifted() for o in engine.memory.openings(key)}
    assert still == told(playing.events, Kind.MODIFIED, Kind.DELETED, Kind.UNMANAGED)


def _key(event: DriftEvent) -> Key:
    return event.resource.state, event.resource.address
