"""An event as bytes, for whoever keeps it over a restart; without secrets."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from tfdrift_core.drift import opening
from tfdrift_core.drift.event import Confidence, Context, DriftEvent, Kind, Resolution, Resource
from tfdrift_core.drift.present.redact import Redactor
from tfdrift_core.records.record import Record


def to_bytes(event: DriftEvent) -> bytes:
    event = Redactor.of(event.redacted).event(event)
    members: dict[str, Any] = {
        "record": event.record.raw,
        "kind": event.kind.value,
        "resource": {name: value for name in Resource.__slots__ if (value := getattr(event.resource, name))},
        "id": event.id,
        "attribute": event.attribute,
        "path": event.path,
        "old": event.old_value,
        "new": event.new_value,
        "added": event.added,
        "removed": event.removed,
        "attributes": event.attributes,
        "confidence": event.confidence.value,
        "reason": event.reason,
        "hint": event.hint,
        "import_id": event.import_id,
        "import_identity": event.import_identity,
        "time": event.time,
        "opening": opening.to_document(event.opening) if event.opening else None,
        "resolution": event.resolution.value if event.resolution else None,
        "context": asdict(event.context),
    }
    try:
        return orjson.dumps(members)
    except orjson.JSONEncodeError:
        # Halves of surrogate pairs, and numbers beyond 64 bits.
        return json.dumps(members).encode()


def from_bytes(data: bytes) -> DriftEvent:
    """:raises KeyError, TypeError, ValueError: when they are not what ``to_bytes`` gives."""
    # Not by orjson, which makes a float of a number beyond 64 bits.
    members = json.loads(data)
    return DriftEvent(
        record=Record(members["record"]),
        kind=Kind(members["kind"]),
        resource=opening.resource_from(members["resource"]),
        id=members["id"],
        attribute=members["attribute"],
        path=members["path"],
        old_value=members["old"],
        new_value=members["new"],
        added=tuple(members["added"]),
        removed=tuple(members["removed"]),
        attributes=tuple(members["attributes"]),
        confidence=Confidence(members["confidence"]),
        reason=members["reason"],
        hint=members["hint"],
        import_id=members.get("import_id", ""),
        import_identity=tuple((str(name), str(value)) for name, value in members.get("import_identity", ())),
        time=members["time"],
        opening=opening.from_document(members["opening"]) if members["opening"] else None,
        resolution=Resolution(members["resolution"]) if members["resolution"] else None,
        context=_context(members.get("context") or {}),
    )


def _context(members: Mapping[str, Any]) -> Context:
    known: dict[str, Any] = {name: tuple(it) if isinstance(it, list) else it for name, it in members.items()}
    return Context(**known)
