"""Every entry of the catalog, held against sources outside this repository.

Operations and request paths against botocore's service models and real records; resource types and attributes against
the provider's own schema.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.model import OperationModel

from tests.catalog import wire
from tests.nodes import node_at
from tfdrift_core.drift.change.catalog import parse
from tfdrift_core.drift.change.effect import Effect, Event, expressions
from tfdrift_core.drift.change.expression import request_fields
from tfdrift_core.drift.compare.schema import schema_for

FOLDER = Path(__file__).parents[2] / "tfdrift_core" / "catalog"
FILES = sorted(FOLDER.glob("*.yaml"))
EXCEPTIONS: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("exceptions.yaml").read_text("utf-8"))

TWELVE = {
    "EC2, VPC, EBS": ["ec2"],
    "Route 53": ["route53"],
    "CloudFront": ["cloudfront"],
    "S3": ["s3"],
    "RDS, Aurora": ["rds"],
    "IAM": ["iam"],
    "KMS": ["kms"],
    "API Gateway": ["apigateway", "apigatewayv2"],
    "SNS": ["sns"],
    "SQS": ["sqs"],
    "ECR": ["ecr"],
}
_STEP = re.compile(r"([^.\[\]]+)|\[(-?\d*)\]")


@cache
def _document(file: Path) -> dict[str, Any]:
    document = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(document, dict)
    return document


def _models(file: Path) -> list[str]:
    document = _document(file)
    return document.get("models") or [document["service"]]


@cache
def _parsed(file: Path) -> dict[tuple[str, str], Event]:
    return parse(file.read_text(encoding="utf-8"), file.name)


def _events() -> Iterator[Any]:
    for file in FILES:
        for (source, name), event in _parsed(file).items():
            yield pytest.param(file, source, event, id=f"{file.stem}-{name}")


EVENTS = list(_events())
MAPPED = [case for case in EVENTS if case.values[2].effects]


@pytest.mark.parametrize(("file", "source", "event"), EVENTS)
def test_operation_exists(file: Path, source: str, event: Event) -> None:
    known = any(wire.operation(model, event.name) for model in _models(file))
    assert known or wire.logged(source, event.name) or event.name in EXCEPTIONS["events"], (
        f"{event.name} is no operation of {', '.join(_models(file))}; if CloudTrail logs it all the same, "
        f"say why in tests/catalog/exceptions.yaml"
    )


@pytest.mark.parametrize(("file", "source", "event"), MAPPED)
def test_paths_exist(file: Path, source: str, event: Event) -> None:
    calls = [(model, call) for model in _models(file) if (call := wire.operation(model, event.name))]
    excused = str(EXCEPTIONS["paths"].get(event.name, ""))
    unknown = {
        ".".join(path)
        for effect in event.effects
        for path in _unknown(effect, calls)
        if not wire.seen(source, event.name, path[1:]) and ".".join(path) not in excused
    }
    assert not unknown, f"{event.name}: neither in the service model nor in a real record: {', '.join(sorted(unknown))}"


def _unknown(effect: Effect, calls: Sequence[tuple[str, OperationModel]]) -> list[wire.Path]:
    """The paths of an effect's expressions that no call logs."""
    if not calls:
        return []
    free = {name: [wire.ANYTHING] for name in ("record", "state", "baseline", "gone", "created", "other", "found")}
    parts = {part: [wire.root(service, call, part) for service, call in calls] for part in ("request", "response")}
    each = wire.Walk({**free, **parts})
    items = each.expression(effect.each) if effect.each else [wire.ANYTHING]
    scope = {**free, **parts, "item": items}
    found = list(each.unknown)
    # Effects that several events share have alternative matches: one of them is enough.
    alternatives = [_follow(scope, match.values()) for match in effect.matches]
    if alternatives and all(alternatives):
        found += alternatives[0]
    matching = {text for match in effect.matches for text in match.values()}
    return found + _follow(scope, (text for text in expressions(effect) if text not in {effect.each, *matching}))


def _follow(scope: Mapping[str, wire.Places], texts: Iterable[str]) -> list[wire.Path]:
    walk = wire.Walk(scope)
    for text in texts:
        walk.expression(text)
    return walk.unknown


@pytest.mark.parametrize(("file", "source", "event"), MAPPED)
def test_types_and_attributes_exist(file: Path, source: str, event: Event) -> None:
    touched = sorted({resource_type for effect in event.effects for resource_type in effect.types})
    for effect in event.effects:
        if effect.types == ("*",):  # whatever the match finds
            continue
        for resource_type in (*effect.types, *(name for name, _ in (*effect.parents, *effect.other))):
            assert schema_for(resource_type), f"{event.name}: the provider has no {resource_type}"
        for path in (*effect.set, *effect.const, *effect.add, *effect.remove, *effect.unknown):
            assert any(_exists(resource_type, path) for resource_type in effect.types), (
                f"{event.name}: {' and '.join(effect.types)} has no {path}"
            )
        for logged, attribute in effect.rename.items():
            # Effects share renames: one of the types that the event touches has the attribute.
            assert attribute in (None, ".") or "." in logged or any(_exists(name, attribute) for name in touched), (
                f"{event.name}: {' and '.join(touched)} has no {attribute}"
            )
        for match in effect.matches:
            _check_match(event, effect.types, match)
        for parent, match in (*effect.parents, *effect.other):
            _check_match(event, (parent,), match)


def _check_match(event: Event, types: tuple[str, ...], match: Any) -> None:
    for key in match:
        for chain in request_fields(key):
            assert any(_exists(resource_type, ".".join(chain)) for resource_type in types), (
                f"{event.name}: {' and '.join(types)} has no {key} to match"
            )


def _exists(resource_type: str, path: str) -> bool:
    steps: list[str | int] = [name or int(index or 0) for name, index in _STEP.findall(path)]
    node = node_at(resource_type, steps)
    return node is not None or node_at(resource_type, [step for step in steps if isinstance(step, str)]) is not None


@pytest.mark.parametrize("service", TWELVE)
def test_every_mutating_call_is_mapped_or_left_out_with_a_reason(service: str) -> None:
    known = {
        event.name for file in FILES if set(_models(file)) & set(TWELVE[service]) for event in _parsed(file).values()
    }
    calls = {name for model in TWELVE[service] for name in wire.mutating(model)}
    missing = sorted(calls - known)
    assert not missing, f"{len(missing)} of {len(calls)} calls are neither mapped nor ignored: {', '.join(missing)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_is_both_mapped_and_ignored(file: Path) -> None:
    document = _document(file)
    ignored = [name for names in (document.get("ignored") or {}).values() for name in names]
    assert len(ignored) == len(set(ignored))
    assert not set(ignored) & set(document.get("events") or {})


@pytest.mark.parametrize("kind", ["events", "paths"])
def test_exceptions_name_events_of_the_catalog(kind: str) -> None:
    assert set(EXCEPTIONS[kind]) <= {case.values[2].name for case in EVENTS}
