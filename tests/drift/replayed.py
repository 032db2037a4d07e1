"""What one call does to a state that a test writes down, as compact tuples."""

import json
from collections.abc import Mapping
from typing import Any

from tests.indexes import index_of
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.replay import replay
from tfdrift_core.terraform.index import Index

ACCOUNT = "123456789012"
Call = tuple[str, Mapping[str, Any]] | tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Event name, request parameters and, where the call answers, response elements."""
Change = tuple[Any, ...]
"""``(address, path, old, new)`` for modified, ``(address,)`` for deleted, ``("unmanaged", type, id)`` for created."""


def state(resources: Mapping[str, Mapping[str, Any]]) -> Index:
    """A state of resources, by address (``aws_sqs_queue.q``), each with its attributes."""
    entries = []
    for address, attributes in resources.items():
        type, name = address.split(".")
        entries.append(
            {
                "mode": "managed",
                "type": type,
                "name": name,
                "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                "instances": [{"schema_version": 0, "attributes": dict(attributes)}],
            }
        )
    return index_of({"version": 4, "serial": 1, "lineage": "test", "resources": entries})


def record_of(service: str, call: Call, id: str = "call-0") -> dict[str, Any]:
    """The CloudTrail record of a user's call."""
    return {
        "eventVersion": "1.09",
        "eventID": id,
        "eventTime": "2026-01-05T09:00:00Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": call[0],
        "eventType": "AwsApiCall",
        "awsRegion": "us-east-1",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "userName": "carol"},
        "readOnly": False,
        "requestParameters": dict(call[1]),
        "responseElements": dict(call[2]) if len(call) > 2 else None,
    }


def changes(service: str, resources: Mapping[str, Mapping[str, Any]], *calls: Call) -> list[Change]:
    """The drift that the calls of one user make, in the order of the addresses and paths."""
    records = [record_of(service, call, f"call-{number}") for number, call in enumerate(calls)]
    return sorted((_change(event) for event in replay(state(resources), records)), key=lambda change: change[:3])


def _change(event: DriftEvent) -> Change:
    if event.kind is Kind.UNMANAGED:
        return ("unmanaged", event.resource.type, event.resource.id)
    if event.kind is Kind.DELETED:
        return (event.resource.address,)
    return (event.resource.address, event.path, _value(event.old_value), _value(event.new_value))


def _value(text: str | None) -> Any:
    """Lists and objects parsed, for tests to compare; anything else as it is shown."""
    return json.loads(text) if text and text[0] in "[{" else text
