"""What can be said of a call that the catalog does not know."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tfdrift_core.drift.change.convert import convert, snake_case
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.event import Resource
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex

_CREATES = ("Create", "Run", "Allocate", "Register", "Import")
_DELETES = ("Delete", "Terminate", "Deregister", "Release", "Remove")
_ID = re.compile(r"^(arn:|[a-z]+-[0-9a-f]{8,})")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a call seems to have done: to a managed ``instance`` (``attributes`` afterwards, ``None`` for deleted), or,
    without an instance, the new ``resource``."""

    instance: Instance | None
    attributes: Attributes | None
    resource: Resource
    reason: str


def infer(index: StateIndex, record: Record, scope: Scope) -> Iterator[Guess]:
    """One guess for each managed resource that the record names by id or ARN.

    A call that creates something names others only as its surroundings, so that it yields the new resource alone.
    """
    operation = record.operation
    if operation.startswith(_CREATES):
        created = _created_id(scope.response)
        if created:
            resource = Resource(
                id=created,
                arn=created if created.startswith("arn:") else "",
                account=record.account,
                region=record.region,
            )
            yield Guess(None, None, resource, f"{operation} is not in the catalog; it created something")
        return
    named = list(named_by(index, record, scope.request))
    if operation.startswith(_DELETES):
        noun = re.sub("^[A-Z][a-z]+", "", operation).lower().removesuffix("s")
        for instance in named:
            if instance.type.replace("_", "").removesuffix("s").endswith(noun) and noun:
                reason = f"{operation} is not in the catalog; its name says that it deletes"
                yield Guess(instance, None, Resource(), reason)
                return
    for instance in named:
        reason = f"{operation} is not in the catalog; it names this resource"
        yield Guess(instance, _by_convention(instance, scope.request), Resource(), reason)


def named_by(index: StateIndex, record: Record, request: Mapping[str, Any]) -> Iterator[Instance]:
    """The managed resources that a record names by id or ARN, each once."""
    known = set()
    resources = record.raw.get("resources")
    for text in _texts((resources if isinstance(resources, list) else [], request)):
        for instance in index.find_any(text, account=record.account, region=record.region):
            key = instance.state, instance.address
            if key not in known:
                known.add(key)
                yield instance


def _texts(value: Any) -> Iterator[str]:
    """The texts inside a value that may name something, those of the outer members first."""
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str) and 2 < len(item) < 2048:
                yield item
            elif isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, (list, tuple)):
                below.extend(item)
        level = below


def _by_convention(instance: Instance, request: Mapping[str, Any]) -> Attributes:
    block = schema_for(instance.type)
    result = dict(instance.attributes)
    for name, value in request.items():
        attribute = snake_case(name)
        node = block.attributes.get(attribute) if block else None
        if value is None or attribute in ("id", "arn") or (node is None and attribute not in result):
            continue
        if node is not None and node.computed_only:
            # What only the provider sets is not the caller's to choose: WAF's lock token is the one before the change.
            continue
        result[attribute] = convert(node, value, result.get(attribute))
    return result


def _created_id(response: Mapping[str, Any]) -> str:
    candidates = [text for text in _texts(response) if _ID.match(text)]
    return next((text for text in candidates if text.startswith("arn:")), candidates[0] if candidates else "")
