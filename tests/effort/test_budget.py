"""A record that is made to be slow is told of, without values, and counted; it holds up no other."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.drift.replayed import ACCOUNT, record_of, state
from tests.effort.steps import lines
from tfdrift_core.drift import effort
from tfdrift_core.drift.batch import Result
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.change.convert import snake_case
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.compare.values import difference, policy_form, same
from tfdrift_core.drift.effort import Budget, TooMuchWorkError
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import Confidence, Kind
from tfdrift_core.output.fields import shown
from tfdrift_core.records.record import Record

QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"
STATE = {
    "aws_sqs_queue.q": {
        "id": QUEUE,
        "url": QUEUE,
        "arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
        "tags": {},
        "policy": "",
    },
    "aws_wafv2_ip_set.s": {"id": "set-1", "name": "s", "scope": "REGIONAL", "addresses": []},
}


def _result(*calls: Mapping[str, Any]) -> Result:
    return Engine(catalog.load(), Expectations()).process(state(STATE), [Record(call) for call in calls])


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def _slow() -> Iterator[Any]:
    def attributes(**more: Any) -> Mapping[str, Any]:
        return record_of(
            "sqs", ("SetQueueAttributes", {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "7"}, **more})
        )

    yield pytest.param(attributes(x=[0] * effort.MAX_VALUES), id="values")
    yield pytest.param(attributes(x="x" * effort.MAX_CHARACTERS), id="characters")
    yield pytest.param(attributes(**{"x" * effort.MAX_CHARACTERS: 1}), id="characters-of-a-name")
    yield pytest.param(attributes(x=_deep(effort.MAX_DEPTH)), id="depth")
    yield pytest.param({**attributes(), "more": _deep(900)}, id="depth-beside-the-request")
    many = {f"k{n}": "v" for n in range(8000)}
    yield pytest.param(record_of("sqs", ("TagQueue", {"queueUrl": QUEUE, "tags": many})), id="events")


@pytest.mark.parametrize("call", list(_slow()))
def test_what_is_too_much_is_told_as_changed_with_unknown_values(call: Mapping[str, Any]) -> None:
    after = record_of("sqs", ("SetQueueAttributes", {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "9"}}), "b")
    result = _result(call, after)
    assert result.unknown == 1
    (event,) = [event for event in result.events if event.record.raw is call]
    assert (event.kind, event.resource.address) == (Kind.MODIFIED, "aws_sqs_queue.q")
    assert (event.confidence, event.new_value) == (Confidence.INFERRED, "(unknown)")
    assert event.reason.startswith(f"{call['eventName']} is not worked out: ")
    assert shown(event).id


def test_a_call_that_the_catalog_does_not_know_has_a_budget_as_well() -> None:
    result = _result(record_of("sqs", ("PaintQueue", {"queueUrl": QUEUE, "x": [0] * effort.MAX_VALUES})))
    assert [(event.resource.address, event.new_value) for event in result.events] == [("aws_sqs_queue.q", "(unknown)")]


def test_a_call_that_creates_is_still_told_as_unmanaged() -> None:
    request = {"queueName": "new", "tags": {"x": "y" * effort.MAX_CHARACTERS}}
    answer = {"queueUrl": QUEUE.replace("/q", "/new")}
    (event,) = _result(record_of("sqs", ("CreateQueue", request, answer))).events
    assert (event.kind, event.resource.id) == (Kind.UNMANAGED, answer["queueUrl"])


def test_a_read_and_a_failed_call_are_no_change_however_large() -> None:
    call = record_of("sqs", ("SetQueueAttributes", {"queueUrl": QUEUE, "x": [0] * effort.MAX_VALUES}))
    assert _result({**call, "errorCode": "AccessDenied"}).events == ()
    assert _result({**call, "errorCode": "AccessDenied"}).unknown == 0


def test_the_work_of_a_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "MAX_WORK", 100)
    budget = Budget({"a": "b"})
    budget.spend(100)
    with pytest.raises(TooMuchWorkError):
        budget.spend(1)


def test_a_list_of_what_looks_alike_is_given_up() -> None:
    old, new = ([json.dumps({"a": [side, n]}) + " " * n for n in range(2000)] for side in "ab")
    assert len(difference(old, new)) == 2000
    alike = [[f"{side}{n}/x" for n in range(4000)] for side in "ab"]
    with pytest.raises(TooMuchWorkError):
        difference([[text] for text in alike[0]], [[text] for text in alike[1]])


def test_numbers_whose_hashes_are_one_are_found_in_step() -> None:
    def work(count: int) -> int:
        # Python's hash of an integer is its remainder by this prime.
        texts = [[str(n * (2**61 - 1))] for n in range(1, count)]
        return lines(lambda: difference(texts, [[f"1{text[0]}"] for text in texts]))

    assert work(400) < 2.5 * work(200)


def test_a_name_of_forty_thousand_letters_is_no_attribute() -> None:
    assert snake_case("A" * 40_000) == "a" * 40_000


def test_policies_in_policies_grow_in_step() -> None:
    document: Any = {"Sid": "x"}
    for _ in range(45):
        document = {"Statement": [document]}
    assert len(repr(policy_form(document))) < 10_000
    assert same(json.dumps(document), json.dumps(document, indent=1))


@pytest.mark.parametrize("text", ['{"Statement": [], "a": NaN}', "[" * 200 + "]" * 200, '[{"a": Infinity}]'])
def test_what_is_no_sound_document_is_the_text_that_it_is(text: str) -> None:
    assert same(text, text)
    assert not same(text, f"{text} ")


@pytest.mark.parametrize("name", ["", ".", "[]", "[0]", "..", "[", "]["])
def test_a_parameter_with_no_name_to_speak_of_is_no_attribute(name: str) -> None:
    request = {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "7", name: "x"}, name: {name: "x"}}
    events = _result(record_of("sqs", ("SetQueueAttributes", request))).events
    assert {event.path for event in events} <= {"visibility_timeout_seconds"}


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"a": {}, "b": [], "c": "{[,]}", "d": [1, [2, {"e": None}]]},
        {"ä€": "😀" * 9, "x": [{}] * 9},
        {"x": list(range(1000))},
    ],
)
def test_a_text_says_of_no_record_less_than_it_is(raw: Mapping[str, Any]) -> None:
    bounds = effort._bounds(raw)
    assert bounds is not None
    assert all(most >= found for most, found in zip(bounds, effort._measure(raw), strict=True))


@pytest.mark.parametrize(
    "raw",
    [
        {"x": [0] * effort.MAX_VALUES},
        {"x": "x" * effort.MAX_CHARACTERS},
        {"x": _deep(effort.MAX_DEPTH)},
        {"x": _deep(900)},
        {"x": "\ud800"},
        {"x": 1 << 70},
    ],
    ids=["values", "characters", "levels", "levels-beyond-json", "half-a-pair", "number"],
)
def test_what_a_text_cannot_bound_is_gone_through(raw: Mapping[str, Any]) -> None:
    assert effort._bounds(raw) is None
