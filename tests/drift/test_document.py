"""Events that are kept over a restart say the same as before, and no secret."""

from dataclasses import replace

import pytest
from hypothesis import given

from tests.events import WEB, drift_event, events
from tfdrift_core.drift import document
from tfdrift_core.drift.event import Context, DriftEvent, Kind, Resolution
from tfdrift_core.drift.opening import opened, reminder, resolved
from tfdrift_core.output import payload

EVENT = drift_event(added=("a", "b"), removed=("c",), attributes=("x", "y"))
OPENING = opened(EVENT, ("root_block_device", 0, "volume_size"))


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        drift_event(old_value=None, new_value=""),
        drift_event(kind=Kind.UNMANAGED, import_id="x", import_identity=(("account_id", "1"), ("name", "x"))),
        drift_event(context=Context(("aws_eip.e",), 1), resource=replace(WEB, tags=(("Team", "web"), ("a=b", "")))),
        drift_event(record={"requestParameters": {"x": "\ud800", "y": 1 << 70, "z": [None]}}),
        resolved(OPENING, Resolution.ADOPTED, None, 7),
        reminder(OPENING, 7),
    ],
    ids=["plain", "absent", "import", "context", "hardly JSON", "resolved", "reminder"],
)
def test_an_event_says_the_same_when_it_is_read_back(event: DriftEvent) -> None:
    assert payload.encode(document.from_bytes(document.to_bytes(event))) == payload.encode(event)


@given(events())
def test_so_does_any_event(event: DriftEvent) -> None:
    assert payload.encode(document.from_bytes(document.to_bytes(event))) == payload.encode(event)


def test_no_secret_is_kept() -> None:
    request = {"masterUserPassword": "hunter2-by-name", "value": "hunter2-by-value"}
    secret = replace(drift_event(record={"requestParameters": request}), redacted=frozenset({"hunter2-by-value"}))
    assert b"hunter2" not in document.to_bytes(secret)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b'{"record":{}}', b"\xff", document.to_bytes(EVENT)[:-9]]
)
def test_what_is_no_event_is_told(content: bytes) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        document.from_bytes(content)
