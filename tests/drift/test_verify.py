"""What a plan says of a resource, beside what is remembered of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.drift.test_engine import URL, ended, engine, index, record, timeout
from tests.indexes import index_of
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind
from tfdrift_core.drift.finding import Answer, Finding, from_bytes, of_plan, to_bytes, verified
from tfdrift_core.drift.memory import Memory
from tfdrift_core.terraform.index import Index

LATER = 2_000_000_000_000_000_000
SALT = b"salt"
(INSTANCE,) = index().all()
KEY = (INSTANCE.state, INSTANCE.address)
TIMEOUT = "visibility_timeout_seconds"


def seen(
    after: Mapping[str, Any] | None, moment: int = LATER, before: Mapping[str, Any] | None = None, **more: Any
) -> Finding:
    """A plan that shows the queue of ``index`` with other attributes; as it comes back from the store."""
    old = {**INSTANCE.attributes, **(before or {})}
    found = of_plan(KEY, moment, "plan.json", old, None if after is None else {**old, **after}, more.get("whole", True))
    return from_bytes(KEY, to_bytes(found, INSTANCE, SALT), SALT)


def made() -> Engine:
    return engine(memory=Memory(SALT))


def told(events: tuple[DriftEvent, ...]) -> list[tuple[str, str, str | None, str | None, str]]:
    return [(e.kind, e.path, e.old_value, e.new_value, e.confidence) for e in events]


def openings(of: Engine) -> list[tuple[str, str | None, str]]:
    return [(o.path, o.new_value, o.confidence) for o in of.memory.openings(KEY)]


def test_more_than_records_told_once() -> None:
    of = made()
    (event,) = of.verify(index(), [seen({TIMEOUT: 60})], LATER).events
    assert told((event,)) == [("modified", TIMEOUT, "30", "60", "verified")]
    assert event.reason == "plan.json (2033-05-18 03:33:20 UTC) shows it; no record told of it"
    assert (event.resource.address, event.record.event_name) == ("aws_sqs_queue.orders", "")
    assert openings(of) == [(TIMEOUT, "60", "verified")]
    assert of.memory.openings(KEY)[0].opened == LATER
    assert of.verify(index(), [seen({TIMEOUT: 60}), seen({TIMEOUT: 60}, LATER + 1)], LATER).events == ()


def test_a_record_that_comes_late_tells_it_no_second_time() -> None:
    of = made()
    of.verify(index(), [seen({TIMEOUT: 60})], LATER)
    assert of.process(index(), [timeout(60)]).events == ()
    (end,) = of.process(index(), [timeout(30)]).events
    assert (end.kind, str(end.resolution)) == (Kind.RESOLVED, "reverted")


def test_another_call_on_the_resource_ends_nothing_that_a_plan_showed() -> None:
    of = made()
    of.verify(index(), [seen({TIMEOUT: 60})], LATER)
    delay = record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"DelaySeconds": "5"}})
    assert [(e.kind, e.path) for e in of.process(index(), [delay]).events] == [(Kind.MODIFIED, "delay_seconds")]
    assert len(openings(of)) == 2


def test_confirmed() -> None:
    of = made()
    (opened,) = of.process(index(), [timeout(60)]).events
    assert of.verify(index(), [seen({TIMEOUT: 60})], LATER).events == ()
    (opening,) = of.memory.openings(KEY)
    assert (opening.id, opening.confidence, opening.by) == (opened.id, Confidence.VERIFIED, "mio")


def test_confirmed_with_another_value() -> None:
    of = made()
    of.process(index(), [timeout(60)])
    assert told(of.verify(index(), [seen({TIMEOUT: 90})], LATER).events) == [
        ("modified", TIMEOUT, "60", "90", "verified")
    ]
    assert openings(of) == [(TIMEOUT, "90", "verified")]


def test_gone_and_it_may_drift_again() -> None:
    of = made()
    of.process(index(), [timeout(60)])
    (end,) = of.verify(index(), [seen({})], LATER).events
    assert ended((end,)) == [(TIMEOUT, "gone")]
    assert end.reason.endswith("shows nothing of it any more")
    assert openings(of) == []
    assert [(e.old_value, e.new_value) for e in of.process(index(), [timeout(60)]).events] == [("30", "60")]


def test_a_plan_that_did_not_look_at_everything_ends_nothing() -> None:
    of = made()
    of.process(index(), [timeout(60)])
    assert of.verify(index(), [seen({"delay_seconds": 3}, whole=False)], LATER).events[0].path == "delay_seconds"
    assert sorted(openings(of)) == [("delay_seconds", "3", "verified"), (TIMEOUT, "60", "exact")]


def test_what_records_told_since_the_plan_is_left_alone() -> None:
    of = made()
    late = timeout(60)
    of.process(index(), [late])
    for finding in (seen({}, late.time - 1), seen(None, late.time - 1), seen({TIMEOUT: 5}, late.time - 1)):
        assert of.verify(index(), [finding], LATER).events == ()
    assert openings(of) == [(TIMEOUT, "60", "exact")]


def test_a_plan_of_another_version_of_the_state_says_nothing_of_what_changed_in_it() -> None:
    of = made()
    of.process(index(), [timeout(60)])
    finding = seen({TIMEOUT: 99, "delay_seconds": 4}, before={TIMEOUT: 45})
    assert told(of.verify(index(), [finding], LATER).events) == [("modified", "delay_seconds", "0", "4", "verified")]
    assert (TIMEOUT, "60", "exact") in openings(of)


def test_deleted_and_there_again() -> None:
    of = made()
    (event,) = of.verify(index(), [seen(None)], LATER).events
    assert (event.kind, event.confidence) == (Kind.DELETED, Confidence.VERIFIED)
    assert of.verify(index(), [seen(None, LATER + 1)], LATER).events == ()
    (end,) = of.verify(index(), [seen({}, LATER + 2)], LATER).events
    assert (end.kind, str(end.resolution)) == (Kind.RESOLVED, "gone")


def test_a_resource_that_is_gone_takes_its_drift_along() -> None:
    of = made()
    of.process(index(), [timeout(60)])
    events = of.verify(index(), [seen(None)], LATER).events
    assert [(e.kind, str(e.resolution)) for e in events] == [(Kind.DELETED, "None"), (Kind.RESOLVED, "removed")]


def test_what_the_provider_computes_is_no_drift() -> None:
    of = made()
    assert of.verify(index(), [seen({"arn": "arn:aws:sqs:eu-central-1:111122223333:x"})], LATER).events == ()


def test_what_a_rule_expects_is_not_told() -> None:
    rules = Expectations.parse({"rules": [{"reason": "tuned", "attribute": [TIMEOUT]}]})
    of = Engine(catalog.load(), rules, memory=Memory(SALT))
    assert of.verify(index(), [seen({TIMEOUT: 60})], LATER).events == ()
    assert openings(of) == []


def test_a_cause_from_the_history_is_whose_it_was() -> None:
    of, call = made(), timeout(60)
    finding = of_plan(KEY, LATER, "p", INSTANCE.attributes, {**INSTANCE.attributes, TIMEOUT: 60}, True)
    found = Finding(KEY, LATER, "p", finding.before, finding.after, causes={TIMEOUT: call})
    (event,) = of.verify(index(), [found], LATER).events
    assert event.record is call
    (opening,) = of.memory.openings(KEY)
    assert (opening.by, opening.opened) == ("mio", call.time)


def test_no_secret_is_in_what_the_store_keeps() -> None:
    policy = '{"Statement": [], "password": "correct-horse-battery"}'
    finding = of_plan(KEY, LATER, "p", INSTANCE.attributes, {**INSTANCE.attributes, "policy": policy}, True)
    data = to_bytes(finding, INSTANCE, SALT)
    assert b"correct-horse" not in data
    of = made()
    request = {"queueUrl": URL, "attributes": {"Policy": policy}}
    assert of.process(index(), [record("SetQueueAttributes", request)]).events
    assert of.verify(index(), [from_bytes(KEY, data, SALT)], LATER).events == (), "it is known to be the same"


def function(password: str, **more: Any) -> dict[str, Any]:
    variables = {"DB_PASSWORD": password, "LOG": "info"}
    return {"id": "f", "function_name": "f", "memory_size": 128, "environment": [{"variables": variables}], **more}


def functions(**attributes: Any) -> Index:
    resource = {
        "mode": "managed",
        "type": "aws_lambda_function",
        "name": "f",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}],
    }
    return index_of({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "t", "resources": [resource]})


def test_environments_are_sealed_as_a_whole() -> None:
    states = functions(**function("correct-horse-1"))
    (instance,) = states.all()
    key = (instance.state, instance.address)

    def kept(after: dict[str, Any], **answers: tuple[Answer, str | None]) -> Finding:
        finding = of_plan(key, LATER, "p", instance.attributes, after, True)
        data = to_bytes(replace(finding, answers=answers), instance, SALT)
        assert b"correct-horse" not in data
        return from_bytes(key, data, SALT)

    of = made()
    assert told(of.verify(states, [kept(function("correct-horse-1"))], LATER).events) == []
    finding = kept(function("correct-horse-2"))
    (event,) = of.verify(states, [finding], LATER).events
    assert (event.path, event.new_value) == ("environment", "(sensitive)")
    assert of.verify(states, [finding], LATER).events == ()
    (end,) = of.verify(states, [kept(function("correct-horse-1"))], LATER).events
    assert (end.path, str(end.resolution)) == ("environment", "gone")

    request = {"functionName": "f", "environment": {}}
    call = record("UpdateFunctionConfiguration20150331v2", request, eventSource="lambda.amazonaws.com")
    of = made()
    events = of.process(states, [call]).events
    assert events
    assert of.verify(states, [kept(function("correct-horse-2"))], LATER).events == ()
    assert {o.confidence for o in of.memory.openings(key)} == {Confidence.VERIFIED}
    assert {o.new_value for o in of.memory.openings(key)} == {"(sensitive)"}


def test_answers_for_whoever_has_no_state() -> None:
    of = made()
    (opened,) = of.process(index(), [timeout(60)]).events
    opening = of.memory.openings(KEY)
    answers = {Answer.GONE: [], Answer.CONFIRMED: [("60", "verified")], Answer.FILLED: [("61", "verified")]}
    for answer, shown in answers.items():
        finding = Finding(KEY, LATER, "p", {}, {}, answers={opened.id: (answer, "61")})
        again = from_bytes(KEY, to_bytes(finding, INSTANCE, SALT), SALT)
        assert [(o.new_value, o.confidence) for o in verified(opening, again)] == shown
    assert list(verified(opening, None)) == list(opening)
    older = Finding(KEY, 1, "p", {}, {}, answers={opened.id: (Answer.GONE, None)})
    assert list(verified(opening, older)) == list(opening)


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"moment": "x"}', b"null"])
def test_what_is_no_finding_is_told(data: bytes) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_bytes(KEY, data, SALT)
