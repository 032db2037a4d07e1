"""Calls that were denied: told where somebody asks for it, and remembered by nobody."""

import json
from typing import Any

import pytest

from tests.drift.test_engine import TERRAFORM, engine, index, record, timeout
from tests.indexes import index_of
from tests.terraform.states import ec2, resource, state
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind
from tfdrift_core.records.record import Record
from tfdrift_core.records.scan import parts, scan
from tfdrift_core.terraform.index import Index

DENIED = {"errorCode": "AccessDenied", "errorMessage": "User: x is not authorized to perform: sqs:SetQueueAttributes"}
ACCOUNT, REGION = "111122223333", "eu-central-1"


def process(records: list[Record], states: Index | None = None, **options: Any) -> list[DriftEvent]:
    machine = engine(emit_attempts=True, **options)
    events = list(machine.process(states or index(), records).events)
    assert machine.memory.open_drifts == sum(event.kind is not Kind.ATTEMPTED for event in events)
    return events


def test_who_tried_what_on_which_address() -> None:
    (event,) = process([timeout(60, **DENIED)])
    assert (event.kind, event.resource.address, event.path) == (
        Kind.ATTEMPTED,
        "aws_sqs_queue.orders",
        "visibility_timeout_seconds",
    )
    assert (event.old_value, event.new_value) == ("30", "60")
    assert event.reason == "SetQueueAttributes was denied"
    assert event.record.error_code == "AccessDenied"
    assert event.hint == ""


def test_a_deletion_says_that_it_was_one() -> None:
    (event,) = process([record("DeleteQueue", timeout(0).request, **DENIED)])
    assert (event.kind, event.path) == (Kind.ATTEMPTED, "")
    assert event.reason == "DeleteQueue was denied; it would have deleted the resource"


def test_nothing_of_it_is_remembered() -> None:
    machine = engine(emit_attempts=True)
    first = machine.process(index(), [timeout(60, **DENIED), timeout(45)])
    assert [(event.kind, event.old_value, event.new_value) for event in first.events] == [
        (Kind.MODIFIED, "30", "45"),
        (Kind.ATTEMPTED, "45", "60"),
    ]
    second = machine.process(index(), [timeout(30, **DENIED), timeout(90, **DENIED)])
    assert [(event.kind, event.new_value) for event in second.events] == [(Kind.ATTEMPTED, "90")]
    assert not second.touched
    assert machine.memory.open_drifts == 1


@pytest.mark.parametrize("coalesce", [True, False])
@pytest.mark.parametrize(
    "denied",
    [
        timeout(60, **DENIED, agent=TERRAFORM),
        timeout(60, errorCode="InvalidAttributeValue"),
        timeout(60, errorCode="InvalidClientTokenId"),
        timeout(60, errorCode="Client.DryRunOperation"),
        timeout(30, **DENIED),
        record("CreateQueue", {"queueName": "other"}, **DENIED),
        record("SendMessage", timeout(0).request, **DENIED),
        record("SetQueueAttributes", {}, **DENIED),
        record("SetQueueAttributes", {}, errorCode="AccessDenied", errorMessage=5),
    ],
    ids=["terraform", "invalid", "no identity", "dry run", "as wanted", "create", "data", "unnamed", "no text"],
)
def test_what_is_no_attempt_at_a_managed_resource(denied: Record, coalesce: bool) -> None:
    assert process([denied], coalesce=coalesce) == []


def test_expected_ones_are_left_out_even_where_expected_changes_are_shown() -> None:
    assert process([timeout(60, **DENIED, agent=TERRAFORM)], emit_expected=True) == []


QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
IAM = f"arn:aws:iam::{ACCOUNT}"
ROLE = resource("aws_iam_role", "app", {"id": "shop-app", "name": "shop-app", "arn": f"{IAM}:role/shop-app"})
POLICY = resource("aws_iam_policy", "p", {"id": f"{IAM}:policy/p", "arn": f"{IAM}:policy/p"})


@pytest.mark.parametrize(
    ("source", "name", "where", "address"),
    [
        ("sqs", "SetQueueAttributes", QUEUE, "aws_sqs_queue.orders"),
        ("sqs", "SetQueueAttributes", f'"{QUEUE}"', "aws_sqs_queue.orders"),
        ("iam", "DeleteRole", "role shop-app", "aws_iam_role.app"),
        ("iam", "DeletePolicy", f"policy {IAM}:policy/p", "aws_iam_policy.p"),
    ],
)
def test_a_record_without_parameters_tells_the_resource_in_its_message(
    source: str, name: str, where: str, address: str
) -> None:
    queue = resource("aws_sqs_queue", "orders", {"id": "q", "arn": QUEUE, "name": "orders"})
    message = f"User: x is not authorized to perform: {source}:{name} on resource: {where} because no policy allows it"
    denied = record(name, {}, errorCode="AccessDenied", errorMessage=message, requestParameters=None,
                    eventSource=f"{source}.amazonaws.com", recipientAccountId=ACCOUNT)  # fmt: skip
    (event,) = process([denied], index_of(state(queue, ROLE, POLICY)))
    assert (event.kind, event.resource.address, event.path) == (Kind.ATTEMPTED, address, "")
    assert (event.new_value, event.confidence) == ("(unknown)", Confidence.INFERRED)


def test_ec2_logs_the_parameters_of_what_it_denies() -> None:
    denied = record(
        "ModifyInstanceAttribute",
        {"instanceId": "i-1", "instanceType": {"value": "t3.large"}},
        errorCode="Client.UnauthorizedOperation",
        eventSource="ec2.amazonaws.com",
        awsRegion="eu-west-1",
        recipientAccountId="111111111111",
    )
    (event,) = process([denied], index_of(state(resource("aws_instance", "app", ec2()))))
    assert (event.path, event.old_value, event.new_value) == ("instance_type", "t3.micro", "t3.large")


def test_a_denied_create_leaves_nothing_behind() -> None:
    machine = engine(emit_attempts=True)
    machine.process(index(), [record("CreateQueue", {"queueName": "x"}, **DENIED)])
    assert not list(machine.memory.unmanaged("aws_sqs_queue"))


def test_they_are_read_only_where_they_are_asked_for() -> None:
    raw = timeout(60, **DENIED).raw
    reads = {**raw, "readOnly": True}
    other = {**raw, "errorCode": "Throttling"}
    assert scan(_document([raw, reads, other]), "x").records == []
    (part,) = parts(_document([raw, reads, other]), "x", denied=True)
    assert [found.raw for found in part.records] == [raw]


def _document(raws: list[Any]) -> bytes:
    return json.dumps({"Records": raws}).encode()
