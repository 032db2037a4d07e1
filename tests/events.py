"""Drift events for tests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from tfdrift_core.drift.event import Confidence, DriftEvent, Kind, Resource
from tfdrift_core.records.record import Record

RECORD: Mapping[str, Any] = {
    "eventVersion": "1.08",
    "eventID": "6e5f1b1c-0000-4000-8000-000000000001",
    "eventTime": "2026-01-15T10:20:30Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "ModifyInstanceAttribute",
    "awsRegion": "ap-northeast-1",
    "sourceIPAddress": "203.0.113.9",
    "userAgent": "console.ec2.amazonaws.com",
    "readOnly": False,
    "managementEvent": True,
    "recipientAccountId": "012345678901",
    "userIdentity": {
        "type": "IAMUser",
        "userName": "alice",
        "arn": "arn:aws:iam::012345678901:user/alice",
        "accountId": "012345678901",
        "principalId": "AIDAEXAMPLE",
    },
    "requestParameters": {"instanceId": "i-0abc", "instanceType": {"value": "t3.small"}, "list": [{"a.b": 1}, "two"]},
    "responseElements": None,
}
WEB = Resource(
    type="aws_instance",
    address="aws_instance.web",
    name="web",
    id="i-0abc",
    arn="arn:aws:ec2:ap-northeast-1:012345678901:instance/i-0abc",
    account="012345678901",
    region="ap-northeast-1",
)


def drift_event(record: Mapping[str, Any] | None = None, resource: Resource = WEB, **changes: Any) -> DriftEvent:
    """An instance type that was changed by hand; ``record`` members replace those of the sample record."""
    event = DriftEvent(
        record=Record({**RECORD, **(record or {})}),
        kind=Kind.MODIFIED,
        resource=resource,
        id="d41d8cd9",
        attribute="instance_type",
        path="instance_type",
        attributes=("instance_type",),
        time=1_768_472_431_000_000_000,
    )
    return replace(event, **changes)


def events() -> st.SearchStrategy[DriftEvent]:
    """Events with hostile texts: lone surrogates, NULs, any JSON in the record."""
    text = st.text(st.characters(), max_size=20) | st.sampled_from(["\ud800", "\0", "a\0b", "é\udfff"])
    leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
    value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
    member = st.sampled_from(
        [*RECORD, "resources", "additionalEventData", "sessionCredentialFromConsole", "tlsDetails"]
    )
    return st.builds(
        drift_event,
        record=st.dictionaries(member, value, max_size=5),
        kind=st.sampled_from(list(Kind)),
        confidence=st.sampled_from(list(Confidence)),
        old_value=st.none() | text,
        new_value=st.none() | text,
        added=st.lists(text, max_size=4).map(tuple),
        removed=st.lists(text, max_size=4).map(tuple),
        reason=text,
        time=st.integers(0, 1 << 62),
    )
