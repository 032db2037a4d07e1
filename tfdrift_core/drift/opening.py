"""Drift that is open: from the event that told of it to the event that tells of its end."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from tfdrift_core.drift.classify.identity import identities
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind, Opening, Resolution, Resource
from tfdrift_core.drift.present.redact import Redactor
from tfdrift_core.records.record import Record

_KEPT: Final = (
    "eventVersion",
    "eventID",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "recipientAccountId",
    "sourceIPAddress",
    "userAgent",
    "userIdentity",
)
"""Members of a record that say who did what, when and where."""

_MAX_PARAMETERS: Final = 4096
"""Bytes of the request that are kept, or nothing of it: rules ask for it, and a reminder is as urgent as its drift."""

_REASONS: Final[Mapping[Resolution, str]] = {
    Resolution.REVERTED: "put back by another call",
    Resolution.APPLIED: "Terraform put it back",
    Resolution.ADOPTED: "a newer version of the state has it",
    Resolution.REMOVED: "the resource is gone",
    Resolution.GONE: "Terraform sees nothing of it any more",
}


def opened(event: DriftEvent, steps: tuple[str | int, ...]) -> Opening:
    """The opening of the drift that ``event`` tells of, without secrets."""
    event = Redactor.of(event.redacted).event(event)
    raw = event.record.raw
    return Opening(
        id=event.id,
        kind=event.kind,
        resource=event.resource,
        opened=event.record.time,
        by=identities.of(event.record).user,
        record=Record({name: raw[name] for name in _KEPT if name in raw} | _parameters(raw)),
        steps=steps,
        path=event.path,
        old_value=event.old_value,
        new_value=event.new_value,
        added=event.added,
        removed=event.removed,
        confidence=event.confidence,
    )


def _parameters(raw: Mapping[str, Any]) -> dict[str, Any]:
    parameters = raw.get("requestParameters")
    try:
        size = len(orjson.dumps(parameters))
    except orjson.JSONEncodeError:  # lone surrogates, integers of more than 64 bits, deep nesting
        return {}
    return {"requestParameters": parameters} if parameters and size <= _MAX_PARAMETERS else {}


def resolved(
    opening: Opening,
    resolution: Resolution,
    record: Record | None,
    now: int,
    secrets: frozenset[str] = frozenset(),
    reason: str = "",
) -> DriftEvent:
    """The end of a drift; ``record`` is of the call that ended it, ``None`` where a version of the state or a plan did.

    ``secrets`` are those that the record may hold, ``reason`` is told in place of the usual one.
    """
    closing = record.id if record is not None else ""
    return _event(
        opening,
        Kind.RESOLVED,
        record or no_call(opening.resource.account, opening.resource.region),
        now,
        id=_id(opening.id, Kind.RESOLVED, resolution, closing),
        reason=reason or _REASONS[resolution],
        resolution=resolution,
        redacted=secrets,
    )


def told(opening: Opening) -> DriftEvent:
    """The event that told of a drift, as far as it was kept."""
    return replace(reminder(opening, 0), kind=opening.kind, id=opening.id, reason="", opening=None)


def reminder(opening: Opening, now: int) -> DriftEvent:
    """A reminder of a drift that is still open."""
    return _event(
        opening,
        Kind.OPEN,
        opening.record,
        now,
        id=_id(opening.id, Kind.OPEN, str(opening.reminded)),
        reason="still open",
    )


def _event(opening: Opening, kind: Kind, record: Record, now: int, **members: Any) -> DriftEvent:
    return DriftEvent(
        record=record,
        kind=kind,
        resource=opening.resource,
        attribute=opening.attribute,
        path=opening.path,
        old_value=opening.old_value,
        new_value=opening.new_value,
        added=opening.added,
        removed=opening.removed,
        confidence=opening.confidence,
        time=now,
        opening=opening,
        **members,
    )


def no_call(account: str, region: str) -> Record:
    """A stand-in for the record where no call is known."""
    return Record({"awsRegion": region, "recipientAccountId": account})


def _id(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def resource_from(members: Mapping[str, Any]) -> Resource:
    """:raises TypeError, ValueError: when it is not what ``to_document`` gives of a resource."""
    return Resource(**{**members, "tags": tuple((str(key), str(value)) for key, value in members.get("tags", ()))})


def to_document(opening: Opening) -> dict[str, Any]:
    """An opening as plain data, for ``from_document``."""
    resource = {name: value for name in Resource.__slots__ if (value := getattr(opening.resource, name))}
    members = {
        "id": opening.id,
        "kind": opening.kind.value,
        "resource": resource,
        "opened": opening.opened,
        "by": opening.by,
        "record": dict(opening.record.raw),
        "steps": list(opening.steps),
        "path": opening.path,
        "old": opening.old_value,
        "new": opening.new_value,
        "added": list(opening.added),
        "removed": list(opening.removed),
        "confidence": opening.confidence.value,
        "reminded": opening.reminded,
    }
    return {name: value for name, value in members.items() if value not in (None, "", [], 0)}


def from_document(document: Mapping[str, Any]) -> Opening:
    """:raises KeyError, TypeError, ValueError: when it is not what ``to_document`` gives."""
    moment, reminded, record = document.get("opened", 0), document.get("reminded", 0), document["record"]
    if not (isinstance(moment, int) and isinstance(reminded, int) and isinstance(record, dict)):
        raise TypeError("a member is of another type")
    return Opening(
        id=document["id"],
        kind=Kind(document["kind"]),
        resource=resource_from(document["resource"]),
        opened=moment,
        by=document.get("by", ""),
        record=Record(record),
        steps=tuple(document.get("steps", ())),
        path=document.get("path", ""),
        old_value=document.get("old"),
        new_value=document.get("new"),
        added=tuple(document.get("added", ())),
        removed=tuple(document.get("removed", ())),
        confidence=Confidence(document["confidence"]),
        reminded=reminded,
    )


def moved(opening: Opening, later: Opening) -> Opening:
    """A drift that a later call changed again: open since the first call, with the later call's value."""
    return replace(
        opening,
        new_value=later.new_value,
        added=later.added,
        removed=later.removed,
        confidence=later.confidence,
        resource=later.resource,
    )
