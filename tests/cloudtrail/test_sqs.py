"""The queue, against moto's server."""

import gzip
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.cloudtrail.conftest import ids, record, take, trail
from tfdrift_core.cloudtrail import sqs as module
from tfdrift_core.cloudtrail.ledger import Ledger
from tfdrift_core.cloudtrail.open import open_source
from tfdrift_core.cloudtrail.source import SourceError
from tfdrift_core.cloudtrail.sqs import Queue, Sqs, parse_queue
from tfdrift_core.config import Config
from tfdrift_core.metrics import Metrics

Clients = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 1)


@pytest.fixture
def queue(client: Clients) -> str:
    url: str = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    return url


def opened(config: Config, metrics: Metrics, url: str = "sqs://trail") -> Sqs:
    source = open_source(url, config, Ledger(), metrics)
    assert isinstance(source, Sqs)
    return source


def event(number: int | str, **members: Any) -> str:
    return json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": record(number, **members)})


def left(client: Clients, url: str) -> tuple[int, int]:
    """Messages that wait, and that are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def test_messages_are_deleted_once_they_are_acknowledged(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    for number in range(25):
        client("sqs").send_message(QueueUrl=queue, MessageBody=event(number))
    assert sorted(ids(take(opened(config, metrics), 25))) == sorted(f"id-{number}" for number in range(25))
    assert left(client, queue) == (0, 0)


def test_messages_that_were_not_acknowledged_come_again_at_once(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    assert ids(take(opened(config, metrics), 1, acknowledge=False)) == ["id-1"]
    assert left(client, queue) == (1, 0)
    assert ids(take(opened(config, metrics), 1)) == ["id-1"]


def test_records_that_arrive_crosswise_are_put_in_order(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    for second in (5, 3, 4, 1, 2):
        body = event(second, eventTime=f"2026-01-02T03:04:0{second}Z")
        client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    assert ids(take(opened(config, metrics), 5)) == ["id-1", "id-2", "id-3", "id-4", "id-5"]


def put(client: Clients, key: str, body: bytes) -> None:
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("s3").put_object(Bucket="trail", Key=key, Body=body)


KEY = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/02/123456789012_CloudTrail_eu-west-1_20260102T0305Z_x.json.gz"


def named(*keys: str) -> str:
    return json.dumps({"s3Bucket": "trail", "s3ObjectKey": list(keys)})


def test_files_that_a_message_names_are_read(client: Clients, queue: str, config: Config, metrics: Metrics) -> None:
    put(client, KEY, gzip.compress(trail(1, 2)))
    digest = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/")
    client("sqs").send_message(QueueUrl=queue, MessageBody=named(KEY, digest))
    (batch,) = take(opened(config, metrics), 1)
    assert (batch.origin, ids([batch])) == (f"s3://trail/{KEY}", ["id-1", "id-2"])
    assert left(client, queue) == (0, 0)


def test_files_of_accounts_and_regions_that_are_not_wanted_are_not_read(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=named(KEY))
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(7))
    source = opened(config, metrics, "sqs://trail?regions=us-*&accounts=123456789012")
    assert ids(take(source, 1)) == ["id-7"]
    assert left(client, queue) == (0, 0)
    assert metrics.counters() == {}


def test_a_poison_message_is_left_to_the_redrive_policy(
    client: Clients, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    dead = client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = client("sqs").create_queue(QueueName="trail", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody="poison")
    client("sqs").send_message(QueueUrl=url, MessageBody=named("gone.json.gz"))
    put(client, "other", b"")
    source = Sqs(parse_queue("trail"), opened(config, metrics)._make_client, opened(config, metrics)._scope, metrics)
    source._visibility = 1
    take(source, 0, seconds=6)
    assert left(client, dead)[0] == 2
    assert caplog.text.count("cannot be used: the body is not JSON; left to the queue's redrive policy") == 1
    assert caplog.text.count("NoSuchKey") == 1
    assert metrics.counters()["poison_messages"] == 2


def test_a_message_stays_hidden_for_as_long_as_its_events_wait(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    source = opened(config, metrics)
    source._visibility = 2
    seen = 0
    end = time.monotonic() + 5
    for batch in source.batches():
        seen += batch is not None
        if time.monotonic() > end:
            break
    assert (seen, left(client, queue)) == (1, (0, 1))
    source.close()


def test_it_waits_for_a_queue_that_is_made_later(
    client: Clients, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    source = opened(config, metrics)
    batches = source.batches()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert next(batches) is None
    url = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    client("sqs").send_message(QueueUrl=url, MessageBody=event(1))
    while (batch := next(batches)) is None:
        pass
    assert ids([batch]) == ["id-1"]
    source.close()
    assert caplog.text.count("create the queue, or correct its name, region and account") == 1
    assert caplog.text.count("sqs://trail: works again") == 1


def test_it_recovers_from_a_queue_that_was_deleted_and_made_again(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    source = opened(config, metrics)
    batches = source.batches()
    assert next(batches) is None
    client("sqs").delete_queue(QueueUrl=queue)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert next(batches) is None
    client("sqs").create_queue(QueueName="trail")
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    while (batch := next(batches)) is None:
        pass
    assert ids([batch]) == ["id-1"]
    source.close()


def test_a_reader_that_does_not_read_stops_the_receivers(
    client: Clients, queue: str, config: Config, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 20)
    for number in range(0, 200, 10):
        entries = [{"Id": str(i), "MessageBody": event(number + i)} for i in range(10)]
        client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    source = opened(config, metrics)
    batches = source.batches()
    next(batches)
    time.sleep(2)
    # Each receiver may have had one request under way when the limit was reached.
    assert left(client, queue)[1] <= 20 + 4 * 10
    source.close()
    assert len(ids(take(opened(config, metrics), 200))) == 200


@pytest.mark.parametrize(
    ("text", "queue"),
    [
        ("trail", Queue(name="trail")),
        ("trail.fifo", Queue(name="trail.fifo")),
        ("123456789012/trail", Queue(name="trail", account="123456789012")),
        (
            "arn:aws:sqs:us-east-2:123456789012:trail",
            Queue(name="trail", account="123456789012", region="us-east-2"),
        ),
        (
            "https://sqs.us-east-2.amazonaws.com/123456789012/trail",
            Queue(url="https://sqs.us-east-2.amazonaws.com/123456789012/trail", region="us-east-2"),
        ),
        ("http://127.0.0.1:5000/123456789012/trail", Queue(url="http://127.0.0.1:5000/123456789012/trail")),
    ],
)
def test_names_of_queues(text: str, queue: Queue) -> None:
    assert parse_queue(text) == queue


@pytest.mark.parametrize("text", ["", "a b", "a/b", "arn:aws:sns:eu-west-1:123456789012:topic"])
def test_what_is_no_queue(text: str) -> None:
    with pytest.raises(
        SourceError, match="not a queue; write sqs://name, sqs://account-id/name, sqs://ARN or sqs://URL"
    ):
        parse_queue(text)


def test_another_accounts_queue(client: Clients, queue: str, config: Config, metrics: Metrics) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    for name in (queue, "arn:aws:sqs:eu-west-1:123456789012:trail", "123456789012/trail"):
        source = opened(config, metrics, f"sqs://{name}")
        assert ids(take(source, 1, acknowledge=False)) == ["id-1"]
