"""The engine's memory: what earlier calls left, what Terraform wants, and what a batch comes to."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.indexes import index_of
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.index import Index

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.98.0"
URL = "https://sqs.eu-central-1.amazonaws.com/111122223333/orders"


def index(**attributes: Any) -> Index:
    queue = {
        "id": URL,
        "url": URL,
        "arn": "arn:aws:sqs:eu-central-1:111122223333:orders",
        "name": "orders",
        "visibility_timeout_seconds": 30,
        "delay_seconds": 0,
        "policy": "",
        "tags": {"Env": "prod"},
        "tags_all": {"Env": "prod", "Team": "shop"},
        **attributes,
    }
    return index_of(
        {
            "version": 4,
            "terraform_version": "1.11.4",
            "serial": 1,
            "lineage": "test",
            "resources": [
                {
                    "mode": "managed",
                    "type": "aws_sqs_queue",
                    "name": "orders",
                    "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                    "instances": [{"schema_version": 0, "attributes": queue, "sensitive_attributes": []}],
                }
            ],
        }
    )


_count = 0


def record(name: str, request: Mapping[str, Any], *, agent: str = "aws-cli/2.17", **members: Any) -> Record:
    global _count
    _count += 1
    return Record(
        {
            "eventVersion": "1.09",
            "eventID": f"00000000-0000-0000-0000-{_count:012}",
            "eventTime": f"2026-03-17T10:{_count // 60 % 60:02}:{_count % 60:02}Z",
            "eventSource": "sqs.amazonaws.com",
            "eventName": name,
            "awsRegion": "eu-central-1",
            "recipientAccountId": "111122223333",
            "readOnly": False,
            "sourceIPAddress": "198.51.100.24",
            "userAgent": agent,
            "userIdentity": {
                "type": "IAMUser",
                "userName": "mio",
                "accountId": "111122223333",
                "arn": "arn:aws:iam::111122223333:user/mio",
            },
            "requestParameters": dict(request),
            "responseElements": None,
            **members,
        }
    )


def timeout(seconds: int, **members: Any) -> Record:
    return record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"VisibilityTimeout": str(seconds)}}, **members)


def engine(**options: Any) -> Engine:
    return Engine(catalog.load(), Expectations(), **options)


def told(events: tuple[DriftEvent, ...]) -> list[tuple[str, str, str | None, str | None]]:
    return [(e.kind, e.path, e.old_value, e.new_value) for e in events if e.kind is not Kind.RESOLVED]


def ended(events: tuple[DriftEvent, ...]) -> list[tuple[str, str]]:
    return [(e.path, str(e.resolution)) for e in events if e.kind is Kind.RESOLVED]


def test_later_call_starts_from_what_the_earlier_one_left() -> None:
    drift, states = engine(), index()
    assert told(drift.process(states, [timeout(60)]).events) == [("modified", "visibility_timeout_seconds", "30", "60")]
    assert told(drift.process(states, [timeout(90)]).events) == [("modified", "visibility_timeout_seconds", "60", "90")]
    assert told(drift.process(states, [timeout(90)]).events) == []


def test_back_to_the_value_in_state_is_no_drift() -> None:
    drift, states = engine(), index()
    drift.process(states, [timeout(60)])
    events = drift.process(states, [timeout(30)]).events
    assert told(events) == []
    assert ended(events) == [("visibility_timeout_seconds", "reverted")]
    assert told(drift.process(states, [timeout(60)]).events) == [("modified", "visibility_timeout_seconds", "30", "60")]


def test_a_batch_is_reported_as_its_net_change_by_the_last_caller() -> None:
    first, second = timeout(60), timeout(90)
    events = engine().process(index(), [first, second]).events
    assert told(events) == [("modified", "visibility_timeout_seconds", "30", "90")]
    assert events[0].record is second


def test_every_step_is_reported_where_batches_are_not_coalesced() -> None:
    events = engine(coalesce=False).process(index(), [timeout(60), timeout(90), timeout(30)]).events
    assert [(old, new) for _, _, old, new in told(events)] == [("30", "60"), ("60", "90")]
    assert ended(events) == [("visibility_timeout_seconds", "reverted")]


def test_what_was_put_back_is_shown_when_asked_for() -> None:
    assert engine().process(index(), [timeout(60), timeout(30)]).events == ()
    events = engine(emit_expected=True).process(index(), [timeout(60), timeout(30)]).events
    assert [(e.kind, e.path) for e in events] == [(Kind.EXPECTED, "visibility_timeout_seconds")]
    assert "put back" in events[0].reason


def test_terraform_moves_what_is_wanted() -> None:
    drift, states = engine(), index()
    result = drift.process(states, [timeout(60, agent=TERRAFORM)])
    assert result.events == ()
    assert result.terraform_ran
    assert told(drift.process(states, [timeout(30)]).events) == [("modified", "visibility_timeout_seconds", "60", "30")]


def test_a_terraform_run_hides_nobody_elses_change_in_the_batch() -> None:
    delay = record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"DelaySeconds": "5"}}, agent=TERRAFORM)
    assert told(engine().process(index(), [timeout(60), delay]).events) == [
        ("modified", "visibility_timeout_seconds", "30", "60")
    ]


def test_terraform_putting_a_change_back_ends_it() -> None:
    drift, states = engine(), index()
    drift.process(states, [timeout(60)])
    events = drift.process(states, [timeout(30, agent=TERRAFORM)]).events
    assert told(events) == []
    assert ended(events) == [("visibility_timeout_seconds", "applied")]
    assert told(drift.process(states, [timeout(60)]).events) == [("modified", "visibility_timeout_seconds", "30", "60")]


def test_newer_state_replaces_what_was_remembered() -> None:
    drift = engine()
    drift.process(index(), [timeout(60)])
    newer = index(visibility_timeout_seconds=45)
    assert told(drift.process(newer, [timeout(60)]).events) == [("modified", "visibility_timeout_seconds", "45", "60")]


def test_newer_state_with_the_drifted_value_is_at_peace() -> None:
    drift = engine()
    drift.process(index(), [timeout(60)])
    events = drift.process(index(visibility_timeout_seconds=60), [timeout(60)]).events
    assert told(events) == []
    assert ended(events) == [("visibility_timeout_seconds", "adopted")]


def test_restore_forgets_a_batch() -> None:
    drift, states = engine(), index()
    before = drift.snapshot()
    drift.process(states, [timeout(60)])
    drift.restore(before)
    assert told(drift.process(states, [timeout(60)]).events) == [("modified", "visibility_timeout_seconds", "30", "60")]


def test_deleted_once() -> None:
    drift, states = engine(), index()
    delete = record("DeleteQueue", {"queueUrl": URL})
    assert told(drift.process(states, [timeout(60), delete]).events) == [("deleted", "", None, None)]
    assert drift.process(states, [record("DeleteQueue", {"queueUrl": URL}), timeout(90)]).events == ()


def test_deleted_and_created_again_is_the_difference() -> None:
    created = record(
        "CreateQueue",
        {"queueName": "orders", "attributes": {"VisibilityTimeout": "77"}},
        responseElements={"queueUrl": URL},
    )
    events = engine().process(index(), [record("DeleteQueue", {"queueUrl": URL}), created]).events
    assert ("modified", "visibility_timeout_seconds", "30", "77") in told(events)
    assert all(event.kind is Kind.MODIFIED for event in events)


def test_tags_and_default_tags() -> None:
    tag = record("TagQueue", {"queueUrl": URL, "tags": {"Team": "shop", "Env": "dev", "aws:x": "1"}})
    assert told(engine().process(index(), [tag]).events) == [
        ("modified", "tags.Env", "prod", "dev"),
        ("modified", "tags_all.Env", "prod", "dev"),
    ]
    default = record("TagQueue", {"queueUrl": URL, "tags": {"Team": "evil"}})
    assert told(engine().process(index(), [default]).events) == [
        ("modified", "tags.Team", None, "evil"),
        ("modified", "tags_all.Team", "shop", "evil"),
    ]


def test_another_region_or_account_is_not_the_managed_one() -> None:
    assert engine().process(index(), [timeout(60, awsRegion="us-east-1")]).events == ()
    assert engine().process(index(), [timeout(60, recipientAccountId="999999999999")]).events == ()


def test_every_attribute_of_a_call_is_named_in_each_event() -> None:
    both = record(
        "SetQueueAttributes", {"queueUrl": URL, "attributes": {"VisibilityTimeout": "60", "DelaySeconds": "5"}}
    )
    events = engine().process(index(), [both]).events
    assert [event.path for event in events] == ["delay_seconds", "visibility_timeout_seconds"]
    assert {event.attributes for event in events} == {("delay_seconds", "visibility_timeout_seconds")}
    assert len({event.id for event in events}) == 2


def test_ids_are_stable_over_replays() -> None:
    change = timeout(60)
    first, second = (engine().process(index(), [change], now).events[0] for now in (1, 2))
    assert first.id == second.id
    nameless = Record({key: value for key, value in change.raw.items() if key != "eventID"})
    first, second = (engine().process(index(), [nameless], now).events[0] for now in (1, 2))
    assert first.id == second.id


def test_unmanaged() -> None:
    created = record(
        "CreateQueue", {"queueName": "shadow"}, responseElements={"queueUrl": URL.replace("orders", "shadow")}
    )
    (event,) = engine().process(index(), [created]).events
    assert (event.kind, event.resource.type, event.resource.name) == (Kind.UNMANAGED, "aws_sqs_queue", "shadow")


def test_a_call_that_the_catalog_does_not_know_is_inferred() -> None:
    unknown = record("FrobnicateQueue", {"queue": "arn:aws:sqs:eu-central-1:111122223333:orders", "delaySeconds": 9})
    (event,) = engine().process(index(), [unknown]).events
    assert (event.path, event.new_value, event.confidence) == ("delay_seconds", "9", Confidence.INFERRED)
    bare = record("FrobnicateQueue", {"queue": "arn:aws:sqs:eu-central-1:111122223333:orders"})
    (event,) = engine().process(index(), [bare]).events
    assert (event.kind, event.path, event.confidence) == (Kind.MODIFIED, "", Confidence.INFERRED)
    assert "not in the catalog" in event.reason


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_long_request_hides_no_resource(where: str) -> None:
    padding = {"entries": [f"10.0.{number // 256}.{number % 256}/32" for number in range(10_000)]}
    named = {"queue": "arn:aws:sqs:eu-central-1:111122223333:orders", "delaySeconds": 9}
    request = {**named, **padding} if where == "first" else {**padding, **named}
    (event,) = engine().process(index(), [record("FrobnicateQueue", request)]).events
    assert (event.path, event.new_value) == ("delay_seconds", "9")


def test_what_only_the_provider_sets_is_not_inferred() -> None:
    request = {"queue": "arn:aws:sqs:eu-central-1:111122223333:orders", "url": "other", "delaySeconds": 9}
    (event,) = engine().process(index(), [record("FrobnicateQueue", request)]).events
    assert event.path == "delay_seconds"


def test_data_events_are_not_inferred_from() -> None:
    write = record("FrobnicateMessage", {"queue": "arn:aws:sqs:eu-central-1:111122223333:orders"}, eventCategory="Data")
    assert engine().process(index(), [write]).events == ()


def test_policies_are_compared_by_meaning() -> None:
    statement = {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": "*",
        "Principal": {"AWS": "111122223333"},
    }
    states = index(policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    alike = {**statement, "Action": "SQS:SendMessage", "Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}}

    def put(document: Any) -> Record:
        return record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"Policy": json.dumps(document)}})

    same = put({"Statement": alike, "Version": "2012-10-17"})
    assert engine().process(states, [same]).events == ()
    other = put({"Version": "2012-10-17", "Statement": [{**statement, "Principal": "*"}]})
    assert [event.path for event in engine().process(states, [other]).events] == ["policy"]


@pytest.mark.parametrize(
    "request_parameters",
    [None, {}, {"queueUrl": None}, {"queueUrl": [URL]}, {"queueUrl": URL, "attributes": "x"}, {"queueUrl": {"a": URL}}],
)
def test_mistyped_parameters_are_harmless(request_parameters: Any) -> None:
    change = Record({**timeout(60).raw, "requestParameters": request_parameters})
    assert engine().process(index(), [change]).events == ()


def test_an_expected_call_hides_nobody_elses_element_of_the_same_attribute() -> None:
    mine = record("TagQueue", {"queueUrl": URL, "tags": {"Open": "yes"}})
    theirs = record("TagQueue", {"queueUrl": URL, "tags": {"Deployed": "today"}}, agent=TERRAFORM)
    for order in ([mine, theirs], [theirs, mine]):
        events = engine().process(index(), order).events
        assert {event.path for event in events} == {"tags.Open", "tags_all.Open"}
        assert all(event.record is mine for event in events)
