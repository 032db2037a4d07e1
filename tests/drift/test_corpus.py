"""Every real record runs through; a change of a covered service finds its resource and gives what its parameters name.

The states are made from the records: for each effect that the catalog has for a call, a resource with the attributes
that identify it there, as the record names them, and nothing else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.drift.replayed import state
from tests.indexes import index_of
from tests.shared import corpus, least, names_elsewhere
from tfdrift_core.drift.change.catalog import Catalog, load
from tfdrift_core.drift.change.effect import Effect, Event
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.plan import ANY
from tfdrift_core.drift.change.shape import canonical_request, canonical_response
from tfdrift_core.drift.classify.classify import Outcome, classify
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.records.record import Record
from tfdrift_core.replay import replay

EXCEPTIONS: Mapping[str, Mapping[str, str]] = yaml.safe_load(
    Path(__file__).with_name("corpus_exceptions.yaml").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [entry["record"] for entry in corpus()]


def test_all_records_run_through(records: list[dict[str, Any]], catalog: Catalog) -> None:
    assert len(records) > least(1600, 4100)
    for coalesce in (True, False):
        replay(index_of({"version": 4, "resources": []}), records, catalog=catalog, coalesce=coalesce)


def test_records_run_through_one_state(records: list[dict[str, Any]], catalog: Catalog) -> None:
    """All of them against a state that has a resource for each."""
    resources = {f"{type}.r{n}": attributes for n, (type, attributes) in enumerate(_all(records, catalog))}
    assert len(resources) > 500
    assert replay(state(resources), records, catalog=catalog, emit_expected=True)


def _all(records: list[dict[str, Any]], catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    for case in _cases(records, catalog):
        for made in case.made:
            yield made.type, made.attributes


def test_every_change_of_a_covered_service_is_in_the_catalog(records: list[dict[str, Any]], catalog: Catalog) -> None:
    covered = {source for source, _ in catalog.events}
    unknown = {
        (record.event_source, record.event_name)
        for record in map(Record, records)
        if record.event_source in covered
        and catalog.event(record) is None
        and classify(record, Expectations()).outcome is not Outcome.NOT_A_CHANGE
    }
    assert not unknown


@dataclass
class Made:
    """A resource that a record was made to name."""

    type: str
    attributes: dict[str, Any]
    effect: Effect


@dataclass
class Case:
    raw: dict[str, Any]
    record: Record
    event: Event
    made: list[Made] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.record.service}:{self.record.operation}"


def _cases(records: list[dict[str, Any]], catalog: Catalog) -> Iterator[Case]:
    """The changes that the catalog maps."""
    for raw in records:
        record = Record(raw)
        event = catalog.event(record)
        if event is None or event.ignored or classify(record, Expectations()).outcome is Outcome.NOT_A_CHANGE:
            continue
        if names_elsewhere(record):
            continue
        case = Case(raw, record, event)
        scope = {
            "request": canonical_request(record),
            "response": canonical_response(record),
            "record": raw,
            "created": {},
            "state": {},
            "baseline": {},
            "gone": False,
        }
        for effect in event.effects:
            for item in evaluate(effect.each, scope) or [] if effect.each else [None]:
                case.made += _made(effect, {**scope, "item": item})
        yield case


def _made(effect: Effect, scope: Mapping[str, Any]) -> Iterator[Made]:
    if effect.when and not evaluate(effect.when, scope):
        return
    created = effect.create
    matches = effect.matches or (({"id": created.id or created.arn or created.name},) if created else ({},))
    for match in matches:
        values = {path: evaluate(expression, scope) for path, expression in match.items()}
        first = next(iter(values.values()), "")
        if (first in (None, "") and match) or isinstance(first, dict | list):
            continue
        attributes: dict[str, Any] = {"id": "made"}
        for path, value in values.items():
            if re.fullmatch(r"[\w.\[\]]+", path):
                _put(attributes, path.split("."), value)
        for type in effect.types:
            yield Made("aws_instance" if type == ANY else type, attributes, effect)
        return


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    name, bracket, _ = path[0].partition("[")
    if len(path) == 1:
        into[name] = [value] if bracket else value
        return
    inner = into.setdefault(name, [{}] if bracket else {})
    _put(inner[0] if bracket else inner, path[1:], value)


def test_changes_find_their_resources(records: list[dict[str, Any]], catalog: Catalog) -> None:
    found, lost = 0, {}
    for case in _cases(records, catalog):
        resources = {f"{made.type}.r{n}": made.attributes for n, made in enumerate(case.made)}
        if resources and _touches(case, replay(state(resources), [case.raw], catalog=catalog, emit_expected=True)):
            found += 1
        elif case.name not in EXCEPTIONS["unresolved"]:
            lost[case.name] = case.raw.get("requestParameters")
    print(f"{found} changes of covered services found their resources")
    assert not lost
    assert found > least(400, 1000)


def _plain(value: Any) -> Any:
    """EC2 logs some values as ``{"value": ...}``."""
    return value["value"] if isinstance(value, dict) and value.keys() == {"value"} else value


def _touches(case: Case, events: Any) -> bool:
    """Whether a resource was reported, or is one that the call leaves as it was made."""
    return any(event.resource.address for event in events) or _silent(case)


def _silent(case: Case) -> bool:
    return all(not _named(case, made) and not made.effect.delete for made in case.made)


def test_changes_give_the_attributes_that_their_parameters_name(
    records: list[dict[str, Any]], catalog: Catalog
) -> None:
    given, lost = 0, set()
    for case in _cases(records, catalog):
        resources = {f"{made.type}.r{n}": made.attributes for n, made in enumerate(case.made)}
        if not resources:
            continue
        events: list[DriftEvent] = list(replay(state(resources), [case.raw], catalog=catalog, emit_expected=True))
        for n, made in enumerate(case.made):
            address = f"{made.type}.r{n}"
            mine = [event for event in events if event.resource.address == address]
            if any(event.kind is Kind.DELETED or not event.attribute for event in mine):
                continue
            reported = {event.attribute for event in mine}
            for attribute in _named(case, made):
                if attribute in reported:
                    given += 1
                elif f"{case.name} {attribute}" not in EXCEPTIONS["attributes"]:
                    lost.add(f"{case.name} {made.type} {attribute}")
    assert not lost
    assert given > 50


def _named(case: Case, made: Made) -> set[str]:
    """Attributes of the resource's type that are named as a parameter which has a value."""
    block = schema_for(made.type)
    request = canonical_request(case.record)
    effects = [effect for effect in case.event.effects if made.type in effect.types]
    arguments = {name for effect in effects for name, attribute in effect.rename.items() if attribute is None}
    names = {
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower(): _plain(value)
        for name, value in request.items()
        if name not in arguments
    }
    if block is None or any(effect.create for effect in effects):
        return set()
    return {
        name
        for name, value in names.items()
        if name in block.attributes
        and not isinstance(value, dict | list)
        and value not in (None, "", False, 0)
        and name not in made.attributes
        and not block.attributes[name].computed_only
    }
