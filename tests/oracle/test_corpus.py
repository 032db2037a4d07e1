"""Every real record runs through the engine; those that change something find the resource that they name.

For a record of a mapped call, a state is made in which the resource has what the catalog says that the record must
match, and nothing else set.  The engine must then find that resource, and report the attributes that the record's
parameters name.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from tests.indexes import index_of
from tests.oracle import score
from tests.shared import corpus, names_elsewhere
from tfdrift_core.drift.change.effect import Effect
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.shape import canonical_request, canonical_response
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.schema import Block, default, schema_for
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.records.record import Record
from tfdrift_core.replay import replay
from tfdrift_core.terraform.index import Index

UNSET: tuple[Any, ...] = (None, "", 0, False, [], {}, "0", "false")


@cache
def _records() -> tuple[dict[str, Any], ...]:
    return tuple(entry["record"] for entry in corpus())


def _index(*resources: tuple[str, str, Mapping[str, Any]]) -> Index:
    entries = [
        {
            "mode": "managed",
            "type": resource_type,
            "name": name,
            "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
            "instances": [{"schema_version": 0, "attributes": dict(attributes)}],
        }
        for resource_type, name, attributes in resources
    ]
    return index_of({"version": 4, "serial": 1, "lineage": "corpus", "resources": entries})


@pytest.mark.parametrize("base", ["nothing", "ec2", "vpc", "iam", "s3"])
def test_every_record_runs_through(base: str) -> None:
    index = _index() if base == "nothing" else score.SUITES["judge"].index(base)
    for record in _records():
        replay(index, [record], catalog=score.catalog(), emit_expected=True)


def _changes() -> Iterator[tuple[Record, Effect, dict[str, Any]]]:
    """Every effect of every record that changed something, with what its expressions see."""
    for raw in _records():
        record = Record(raw)
        event = score.catalog().event(record)
        if record.error_code or raw.get("readOnly") or event is None or not record.request or names_elsewhere(record):
            continue
        scope = {"request": canonical_request(record), "response": canonical_response(record), "record": raw}
        for effect in event.effects:
            items = evaluate(effect.each, scope) if effect.each else [None]
            for item in items if isinstance(items, list) else [items]:
                yield record, effect, {**scope, "item": item}


def _matched(effect: Effect, scope: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that a resource must have for an effect to apply to it; empty where the record names none."""
    for match in effect.matches:
        values = {name: evaluate(expression, scope) for name, expression in match.items()}
        if all(name.isidentifier() and isinstance(v, str | int) and v not in UNSET for name, v in values.items()):
            return values
    return {}


def _blank(block: Block) -> dict[str, Any]:
    return {name: default(node) for name, node in block.attributes.items()}


def _named(effect: Effect, scope: Mapping[str, Any], wanted: Mapping[str, Any]) -> set[str]:
    """The attributes to which the effect's own expressions give a value that is not the unset one."""
    found = {
        path.replace("[", ".").split(".")[0]
        for path, expression in (*effect.set.items(), *effect.add.items())
        if evaluate(expression, scope) not in UNSET
    }
    return {name for name in found if name not in wanted}


def test_records_find_their_resources_and_name_their_attributes() -> None:
    resolved: Counter[str] = Counter()
    lost, unnamed = [], []
    for record, effect, scope in _changes():
        resource_type = effect.types[0]
        block = schema_for(resource_type)
        wanted = _matched(effect, scope)
        if effect.create or effect.fallback or block is None or not wanted:
            continue
        if effect.when and not evaluate(effect.when, {**scope, "state": {}}):
            continue
        index = _index((resource_type, "made", {**_blank(block), **wanted}))
        events = replay(index, [record.raw], catalog=score.catalog(), expectations=Expectations(), emit_expected=True)
        own = [event for event in events if event.resource.address == f"{resource_type}.made"]
        what = f"{record.event_source} {record.event_name} {record.id}"
        named = _named(effect, scope, wanted)
        if effect.delete and not any(_is_delete(event) for event in own):
            lost.append(f"{what}: {resource_type} is not reported as deleted")
        missing = named - {event.attribute for event in own} if block else set()
        missing &= block.attributes.keys()
        if missing and not effect.delete and not any(_is_delete(event) for event in own):
            unnamed.append(f"{what}: {resource_type} {', '.join(sorted(missing))}")
        resolved[record.event_name] += bool(own)
    assert not lost, "\n".join(lost)
    assert not unnamed, "\n".join(unnamed)
    assert sum(count > 0 for count in resolved.values()) >= 100


def _is_delete(event: DriftEvent) -> bool:
    return event.kind is Kind.DELETED or (event.kind is Kind.EXPECTED and not event.path)
