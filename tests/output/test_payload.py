import json
import struct
from typing import Any

import pytest
from hypothesis import given

from tests.events import drift_event, events
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.output import payload
from tfdrift_core.output.fields import FIELDS, values


def test_what_is_encoded_comes_back() -> None:
    event = drift_event(old_value="t3.micro", new_value="t3.small", added=("A", "b"))
    decoded, record = payload.decode(payload.encode(event))
    assert decoded == values(event)
    assert json.loads(record) == event.record.raw


@given(events())
def test_any_event_survives(event: DriftEvent) -> None:
    decoded, record = payload.decode(payload.encode(event))
    assert set(decoded) == set(values(event))
    record.decode("utf-8")
    for value in decoded.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, str):
                item.encode("utf-8")
                assert "\0" not in item


def test_entries_ascend_and_the_record_is_last() -> None:
    data = payload.encode(drift_event(added=("a", "b")))
    at, numbers = 4, []
    while at < len(data):
        number, _, size = struct.unpack_from("<HHI", data, at)
        numbers.append(number)
        at += 8 + size
    assert numbers == sorted(numbers)
    assert numbers[-1] == payload.RAW
    assert data[-1] == 0


def test_numbers_of_old_captures_stay() -> None:
    """A number says forever what it said when it was first released."""
    known = {1: "drift.kind", 2: "drift.attribute", 4: "drift.old_value", 5: "drift.new_value", 11: "drift.id"}
    known |= {
        12: "drift.user",
        40: "tf.address",
        61: "cloud.service",
        67: "drift.resource",
        106: "ct.name",
        132: "ct.request",
    }
    first = {f.number: f.name for f in reversed(FIELDS)}
    assert {number: first[number] for number in known} == known


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a payload of version 1"),
        (b"TFD\x02rest", "not a payload of version 1: it starts with b'TFD\\x02'"),
        (b"TFD\x01\x01\x00", "an entry's head is cut off at byte 4"),
        (b"TFD\x01" + struct.pack("<HHI", 1, 0, 9) + b"abc", "entry 1 at byte 12 is cut off: 9 bytes promised"),
        (b"TFD\x01" + struct.pack("<HHI", 1, 0, 3) + b"abc", "a text has no closing NUL"),
        (b"TFD\x01" + struct.pack("<HHI", 22, 0, 3) + b"abc", "a number has 3 bytes, not 8"),
    ],
)
def test_a_broken_payload_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(payload.PayloadError) as caught:
        payload.decode(data)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [("\ud800x", b"?x"), ("a\0b", b"a?b"), ("é", "é".encode())],
)
def test_texts_are_clean(value: Any, text: bytes) -> None:
    assert payload.text_bytes(value) == text


def test_unknown_numbers_are_skipped() -> None:
    data = payload.encode(drift_event())
    future = data[:4] + struct.pack("<HHI", 0, 0, 2) + b"xx" + data[4:]
    assert payload.decode(future) == payload.decode(data)
