"""Every way in which users bring CloudTrail into a queue."""

import json
from typing import Any

import pytest

from tfdrift_core.records.envelope import Message, PoisonError, RefusedError, unwrap
from tfdrift_core.records.scan import scan

RECORD = {
    "eventID": "1",
    "eventName": "CreateTags",
    "eventSource": "ec2.amazonaws.com",
    "eventTime": "2026-01-01T00:00:01Z",
}
# Forms: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html,
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html,
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
EVENTBRIDGE = {
    "version": "0",
    "id": "x",
    "detail-type": "AWS API Call via CloudTrail",
    "source": "aws.ec2",
    "detail": RECORD,
}
S3 = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/a+b/%C3%A9%3D1.json.gz", "size": 10}},
        }
    ]
}
CREATED = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/a+b/%C3.json.gz"}, "reason": "PutObject"},
}
CLOUDTRAIL = {"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/1.json.gz", "AWSLogs/2.json.gz"]}


def sns(body: object) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": json.dumps(body), "Signature": "s"}


def created(bucket: object, item: object) -> str:
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": bucket, "object": item}}]})


def both(body: object) -> list[object]:
    """Bare (or with raw delivery), and inside an SNS notification."""
    return [body, sns(body)]


@pytest.mark.parametrize("body", [*both(EVENTBRIDGE), *both(RECORD)])
def test_a_record_in_the_message(body: object) -> None:
    message = unwrap(json.dumps(body))
    assert (message.time, message.objects) == ("2026-01-01T00:00:01Z", ())
    assert [record.id for record in scan(message.document, "x").records] == ["1"]


@pytest.mark.parametrize("body", both({"Records": [RECORD, RECORD]}))
def test_several_records_in_the_message(body: object) -> None:
    message = unwrap(json.dumps(body))
    assert [record.id for record in scan(message.document, "x").records] == ["1", "1"]


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        *((body, ["AWSLogs/a b/é=1.json.gz"]) for body in both(S3)),
        # EventBridge does not encode keys.
        *((body, ["AWSLogs/a+b/%C3.json.gz"]) for body in both(CREATED)),
        *((body, ["AWSLogs/1.json.gz", "AWSLogs/2.json.gz"]) for body in both(CLOUDTRAIL)),
    ],
)
def test_objects_that_the_message_names(body: object, keys: list[str]) -> None:
    assert unwrap(json.dumps(body)) == Message(objects=tuple(("trail", key) for key in keys))


@pytest.mark.parametrize(
    "body",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"},
        sns({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"}),
        {"Type": "SubscriptionConfirmation", "Token": "t", "Message": "You have chosen to subscribe"},
        {"Type": "UnsubscribeConfirmation", "Token": "t", "Message": "You have chosen to deactivate"},
        {"Type": "Notification", "Message": "CloudTrail validation message."},
        {"message": "CloudTrail validation message."},
        {"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}]},
        CREATED | {"detail-type": "Object Deleted"},
    ],
)
def test_messages_that_hold_nothing(body: object) -> None:
    assert unwrap(json.dumps(body)) == Message()


def test_the_validation_of_a_trail_with_raw_delivery_holds_nothing() -> None:
    assert unwrap("CloudTrail validation message.") == Message()


def test_a_record_with_a_lone_surrogate_is_left_to_the_scan() -> None:
    message = unwrap(json.dumps(EVENTBRIDGE).replace('"1"', '"\\ud800"'))
    assert len(scan(message.document, "x").records) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("hello", "the body is not JSON"),
        ("", "the body is not JSON"),
        ("[1]", "the body is not a JSON object"),
        ('"text"', "the body is not a JSON object"),
        ("{}", "no known envelope; its members are "),
        ('{"a": 1, "b": 2}', "no known envelope; its members are a, b"),
        ('{"detail-type": "Scheduled Event", "detail": {}}', "an EventBridge event of type 'Scheduled Event' holds no"),
        ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": 7}}]}', "the bucket that it names"),
        (created({"name": 5}, {"key": "a.json"}), "the bucket that it names is no text of 1 to 255 bytes"),
        (created({"name": ""}, {"key": "a.json"}), "the bucket that it names is no text"),
        (created({"name": "trail"}, {"key": 5}), "the key that it names is no text of 1 to 1024 bytes"),
        (created({"name": "trail"}, {"key": "k" * 1025}), "the key that it names is no text"),
        (created({"name": "trail"}, ["key"]), "the key that it names is no text"),
        (created(["name"], {"key": "a.json"}), "the bucket that it names is no text"),
        (json.dumps(CREATED | {"detail": {"bucket": {"name": 5}, "object": {"key": "a"}}}), "the bucket that it names"),
        (json.dumps(CREATED | {"detail": {"bucket": {"name": "b"}, "object": {"key": 5}}}), "the key that it names"),
        (json.dumps(CLOUDTRAIL | {"s3ObjectKey": ["a.json", 5]}), "the key that it names is no text"),
        (json.dumps(CLOUDTRAIL | {"s3Bucket": ""}), "the bucket that it names is no text"),
        (json.dumps(sns("x")), "the body is not a JSON object"),
        (json.dumps(sns(sns(sns(sns(sns(sns(RECORD))))))), "no known envelope"),
        ("[" * 100_000, "the body is not JSON"),
    ],
)
def test_poison(body: str, problem: str) -> None:
    with pytest.raises(PoisonError, match=problem):
        unwrap(body)


@pytest.mark.parametrize(
    "forged",
    [
        EVENTBRIDGE | {"source": "my.app"},
        EVENTBRIDGE | {"source": ""},
        EVENTBRIDGE | {"source": ["aws.ec2"]},
        EVENTBRIDGE | {"source": "aws.ec2.evil"},
        EVENTBRIDGE | {"source": "AWS.ec2"},
        EVENTBRIDGE | {"source": "aws.partner/ec2"},
        EVENTBRIDGE | {"source": "aws.s3"},
        EVENTBRIDGE | {"account": "1" * 12, "detail": RECORD | {"recipientAccountId": "2" * 12}},
        EVENTBRIDGE | {"account": "1" * 12, "detail": RECORD | {"userIdentity": {"accountId": "2" * 12}}},
        EVENTBRIDGE | {"region": "eu-west-1", "detail": RECORD | {"awsRegion": "us-east-1"}},
        EVENTBRIDGE | {"source": "my.app", "detail": RECORD | {"eventName": "\ud800"}},
        CREATED | {"source": "my.app"},
        CREATED | {"source": "aws.ec2"},
    ],
)
def test_an_event_that_aws_did_not_make_is_refused_wherever_it_comes(forged: dict[str, Any]) -> None:
    text = json.dumps(forged)
    if "ud800" not in text:
        with pytest.raises(RefusedError):
            unwrap(text)
    for document in (text, f"{text}\n{text}", json.dumps({"Records": [forged]}), f"[{text}, oops]"):
        found = scan(document.encode(), "x")
        assert not found.records
        if forged["detail-type"] != "Object Created":
            assert found.refused >= 1
            assert any("is refused, for it says that it is from" in str(error) for error in found.errors)


@pytest.mark.parametrize(
    "genuine",
    [
        EVENTBRIDGE | {"account": "1" * 12, "region": "eu-west-1"},
        # Somebody of another account, as every cross-account call has it.
        EVENTBRIDGE
        | {
            "account": "1" * 12,
            "detail": RECORD | {"recipientAccountId": "1" * 12, "userIdentity": {"accountId": "2" * 12}},
        },
        # A transformer of the rule has left the rest out, which nobody who only puts events can do.
        {"detail": RECORD},
        {"detail-type": "AWS API Call via CloudTrail", "detail": RECORD},
        EVENTBRIDGE
        | {
            "source": "aws.iam",
            "region": "eu-west-1",
            "detail": RECORD | {"eventSource": "iam.amazonaws.com", "awsRegion": "us-east-1"},
        },
    ],
)
def test_an_event_that_aws_made_is_read(genuine: dict[str, Any]) -> None:
    assert [record.id for record in scan(unwrap(json.dumps(genuine)).document, "x").records] == ["1"]
