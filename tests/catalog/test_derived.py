"""What was derived of the services without a catalog file, held against botocore's models and the provider's schema."""

import gzip
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.model import OperationModel

from tests.catalog import wire
from tests.nodes import node_at
from tfdrift_core.drift.change.assign import parse_path
from tfdrift_core.drift.change.catalog import load
from tfdrift_core.drift.change.convert import INSIDE
from tfdrift_core.drift.change.derived import derived, read, sources
from tfdrift_core.drift.change.effect import Effect, Event
from tfdrift_core.drift.compare.schema import resource_types, schema_for
from tfdrift_core.drift.event import Confidence
from tools.derive import models
from tools.derive.__main__ import derive

PROVIDER = Path(os.environ.get("TFDRIFT_PROVIDER") or Path(__file__).resolve().parents[3] / "tools" / "provider")


@cache
def _models() -> Mapping[str, Sequence[str]]:
    """botocore's services by event source."""
    found: dict[str, list[str]] = {}
    for service in sorted(models.services()):
        for source in models.event_sources(service):
            found.setdefault(source, []).append(service)
    return found


CATALOG = load()
SOURCES = sorted({source for source, _ in CATALOG.derived})


@cache
def _events(source: str) -> Sequence[Event]:
    return [event for (of, _), event in CATALOG.derived.items() if of == source]


def test_hundreds_of_services_are_known() -> None:
    assert len(sources()) > 350
    assert len(SOURCES) > 120
    assert len(CATALOG.derived) > 2000


@pytest.mark.parametrize("source", sources())
def test_calls_exist(source: str) -> None:
    known = derived(source)
    operations = {name for service in _models().get(source, ()) for name in models.operations(service)}
    assert {*known.events, *known.silent} <= operations
    assert not known.events.keys() & known.silent


@pytest.mark.parametrize("source", sources())
def test_types_exist(source: str) -> None:
    assert set(derived(source).types) <= resource_types()


@pytest.mark.parametrize("source", SOURCES)
def test_parameters_exist(source: str) -> None:
    unknown = {
        f"{event.name} {'.'.join(path)}"
        for event in _events(source)
        for effect in event.effects
        for path in _unknown(effect, _calls(source, event.name))
    }
    assert not unknown


def _calls(source: str, name: str) -> list[tuple[str, OperationModel]]:
    return [(service, call) for service in _models()[source] if (call := models.operations(service).get(name))]


def _unknown(effect: Effect, calls: Sequence[tuple[str, OperationModel]]) -> list[wire.Path]:
    parts = {part: [wire.root(service, call, part) for service, call in calls] for part in ("request", "response")}
    walk = wire.Walk({**parts, "record": [wire.ANYTHING], "item": [wire.ANYTHING]})
    create = effect.create
    texts = [text for match in effect.matches for text in match.values()]
    texts += [*effect.set.values(), *effect.add.values(), *effect.remove.values(), *effect.unknown.values()]
    texts += [effect.when, effect.each, *((create.id, create.arn, create.name) if create else ())]
    for text in filter(None, texts):
        walk.expression(text)
    top = {wire_name for service, call in calls for wire_name in _members(service, call)}
    lost = [(name,) for name in effect.rename if "." not in name and name not in top]
    return [*walk.unknown, *lost]


def _members(service: str, call: OperationModel) -> Iterator[str]:
    yield from map(models.logged, models.members(call.input_shape))


@pytest.mark.parametrize("source", SOURCES)
def test_attributes_exist(source: str) -> None:
    unknown = {
        f"{event.name} {type}.{attribute}"
        for event in _events(source)
        for effect in event.effects
        for type in effect.types
        for attribute in _attributes(effect)
        if (len(effect.types) == 1 or attribute not in ("id", "arn")) and not _has(type, attribute)
    }
    assert not unknown


def _attributes(effect: Effect) -> Iterator[str]:
    if len(effect.types) == 1:
        yield from (name for match in effect.matches for name in match)
    yield from (*effect.set, *effect.const, *effect.add, *effect.remove, *effect.unknown)
    yield from (name for key, name in effect.rename.items() if name and name != INSIDE and "." not in key)


def _has(type: str, attribute: str) -> bool:
    return node_at(type, parse_path(attribute)) is not None


@pytest.mark.parametrize("source", SOURCES)
def test_only_types_of_the_called_service(source: str) -> None:
    assert {t for event in _events(source) for effect in event.effects for t in effect.types} <= set(
        derived(source).types
    )


def test_everything_is_said_to_be_derived() -> None:
    assert {effect.confidence for event in CATALOG.derived.values() for effect in event.effects} == {Confidence.DERIVED}


def test_no_tag_call_sets_anything_else() -> None:
    for (source, name), event in CATALOG.derived.items():
        if re.fullmatch(r"(Un)?TagResources?", name):
            for effect in event.effects:
                assert effect.tags, f"{source} {name}"
                others = effect.roots or effect.delete or effect.create or effect.tags.replace
                assert not others, f"{source} {name}"


def test_nothing_is_deleted_by_the_name_of_its_surroundings_alone() -> None:
    """A deletion names the resource by all that its id is made of, or its parent's id for what goes with that."""
    for (source, name), event in CATALOG.derived.items():
        for effect in event.effects:
            if effect.delete and not effect.matches:
                block: Any = schema_for(effect.types[0])
                assert block is not None, f"{source} {name}"
                assert not {"name", "arn_suffix"} & block.attributes.keys(), f"{source} {name} deletes all of a type"


def test_the_file_is_what_its_sources_say() -> None:
    if not (PROVIDER / "internal" / "service").is_dir() or shutil.which("go") is None:
        pytest.skip("needs Go and a checkout of the AWS provider 5.32: set TFDRIFT_PROVIDER to its folder")
    assert gzip.decompress(read()).decode() == derive(PROVIDER), "run python -m tools.derive PROVIDER"
