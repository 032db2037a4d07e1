"""What can be said of a call that neither the catalog nor what was derived for it knows."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tfdrift_core.drift.change.convert import convert, snake_case
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.compare.values import UNKNOWN
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance, StateIndex

_CREATES: Final = ("Create", "Run", "Allocate", "Register", "Import")
_DELETES: Final = ("Delete", "Terminate", "Deregister", "Release", "Remove")
_NAMES: Final = ("arn", "id", "name")
_ELEMENTS: Final = re.compile(
    "(Batch)?(Add|Associate|Attach|Deregister|Detach|Disassociate|Remove|Untag|Tag)(?=[A-Z]|$)"
)
"""Calls that name what they add or take away, not what there is afterwards."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a call seems to have done to ``instance``: its ``attributes`` afterwards, ``None`` for deleted."""

    instance: Instance
    attributes: Attributes | None
    reason: str


def infer(
    index: StateIndex,
    types: Sequence[str],
    record: Record,
    scope: Scope,
    current: Callable[[Instance], Attributes | None],
) -> Iterator[Guess]:
    """One guess for each managed resource of the called service that the record names.

    ``types`` are those of the service, and ``current`` gives what earlier calls left of a resource, ``None`` for
    deleted.  A call that creates something names others only as its surroundings.
    """
    operation = record.operation
    if operation.startswith(_CREATES):
        return
    named = list(named_by(index, types, record, scope.request))
    if operation.startswith(_DELETES):
        noun = re.sub("^[A-Z][a-z]+", "", operation).lower().removesuffix("s")
        for instance in named:
            if instance.type.replace("_", "").removesuffix("s").endswith(noun) and noun:
                yield Guess(instance, None, f"{operation} is not in the catalog; its name says that it deletes")
                return
    for instance in named:
        reason = f"{operation} is not in the catalog; it names this resource"
        before = current(instance)
        if before is not None:
            yield Guess(instance, _by_convention(instance.type, before, operation, scope.request), reason)


def named_by(index: StateIndex, types: Sequence[str], record: Record, request: Mapping[str, Any]) -> Iterator[Instance]:
    """The managed resources of the called service that a record names by ARN, id or name, each once."""
    managed = [type for type in types if index.has_type(type)]
    if not managed:
        return
    known = set()
    resources = record.raw.get("resources")
    for text in _texts((resources if isinstance(resources, list) else [], request)):
        for type in managed:
            for name in _NAMES:
                for instance in index.find(type, name, text, account=record.account, region=record.region):
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


def _by_convention(type: str, before: Attributes, operation: str, request: Mapping[str, Any]) -> Attributes:
    block = schema_for(type)
    result = dict(before)
    for name, value in request.items():
        attribute = snake_case(name)
        node = block.attributes.get(attribute) if block else None
        if value is None or attribute in ("id", "arn") or (node is None and attribute not in result):
            continue
        if node is not None and node.computed_only:
            # What only the provider sets is not the caller's to choose: WAF's lock token is the one before the change.
            continue
        element = isinstance(value, (list, dict)) and _ELEMENTS.match(operation)
        result[attribute] = UNKNOWN if element else convert(node, value, result.get(attribute))
    return result
