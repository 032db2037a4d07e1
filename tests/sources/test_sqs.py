"""The queue, against moto's server."""

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.sources.faults import FaultyServer
from tests.trails import PATIENCE, ids, record, shipped_receives, take, trail, with_dead_letters
from tfdrift_core.config import Config
from tfdrift_core.config import Source as Entry
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.envelope import Message, unwrap
from tfdrift_core.records.places import ANYWHERE, Place
from tfdrift_core.sources import health
from tfdrift_core.sources import sqs as module
from tfdrift_core.sources.base import Batch, SourceError
from tfdrift_core.sources.open import open_source
from tfdrift_core.sources.sqs import Queue, Sqs, parse_queue

Clients = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT", 1)


@pytest.fixture
def queue(client: Clients) -> str:
    url: str = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    return url


def opened(config: Config, metrics: Metrics, url: str = "sqs://trail?buckets=trail") -> Sqs:
    source = open_source(url, config, Ledger(), metrics)
    assert isinstance(source, Sqs)
    return source


def event(number: int | str, **members: Any) -> str:
    envelope = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.ec2", "account": "123456789012"}
    return json.dumps(envelope | {"detail": record(number, **members)})


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
    source = opened(config, metrics, "sqs://trail?buckets=trail&regions=us-*&accounts=123456789012")
    assert ids(take(source, 1)) == ["id-7"]
    assert left(client, queue) == (0, 0)
    assert metrics.counters() == {}


def test_a_poison_message_is_left_to_the_redrive_policy(
    client: Clients, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    url, dead = with_dead_letters(client, 2)
    client("sqs").send_message(QueueUrl=url, MessageBody="poison")
    client("sqs").send_message(QueueUrl=url, MessageBody=named("gone.json.gz"))
    put(client, "other", b"")
    source = opened(config, metrics)
    source._visibility = 1
    take(source, 0, seconds=6)
    assert left(client, dead)[0] == 2
    assert caplog.text.count("cannot be used: the body is not JSON; left to the queue's redrive policy") == 1
    assert caplog.text.count("NoSuchKey") == 1
    assert metrics.counters()["poison_messages"] == 2


def test_a_file_that_is_gone_takes_no_other_of_its_message_along(
    client: Clients, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    url, dead = with_dead_letters(client, 2)
    put(client, KEY, gzip.compress(trail(1, 2)))
    client("sqs").send_message(QueueUrl=url, MessageBody=named("gone.json.gz", KEY))
    source = opened(config, metrics)
    source._visibility = 1
    batches = take(source, 0, seconds=6)
    assert {tuple(ids([batch])) for batch in batches} == {("id-1", "id-2")}
    assert left(client, dead)[0] == 1
    assert caplog.text.count("cannot be used: s3://trail/gone.json.gz: An error occurred (NoSuchKey)") == 1


def test_a_message_stays_hidden_for_as_long_as_its_events_wait(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    source = opened(config, metrics)
    source._visibility = 4
    seen = 0
    end = time.monotonic() + 9
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


def fill(client: Clients, url: str, count: int) -> None:
    for number in range(0, count, 10):
        entries = [{"Id": str(i), "MessageBody": event(number + i)} for i in range(10)]
        client("sqs").send_message_batch(QueueUrl=url, Entries=entries)


def test_a_reader_that_does_not_read_stops_the_receivers(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    fill(client, queue, 200)
    source = opened(config, metrics, "sqs://trail?receivers=2")
    batches = source.batches()
    next(batches)
    time.sleep(2)
    # Each receiver may have had one request under way when the limit was reached.
    assert left(client, queue)[1] <= 2 * module.AHEAD + 2 * module.BATCH
    source.close()
    assert left(client, queue) == (200, 0)
    assert len(ids(take(opened(config, metrics), 200))) == 200


def test_restarts_move_nothing_to_the_dead_letter_queue(
    client: Clients, config: Config, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", 0)
    url, dead = with_dead_letters(client, shipped_receives())
    fill(client, url, 30)
    for _ in range(7):
        # Falco has taken one, but not come back for more, each time that it is stopped.
        take(opened(config, metrics), 1, acknowledge=False)
    assert (left(client, url), left(client, dead)) == ((30, 0), (0, 0))
    assert len(ids(take(opened(config, metrics), 30))) == 30


def crash(body: str) -> Message:
    if "defect" in body:
        raise RuntimeError("a defect")
    return unwrap(body)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (json.dumps({"s3Bucket": "no bucket", "s3ObjectKey": ["a.json"]}), "no source names that bucket"),
        ("defect", "please report this: RuntimeError('a defect')"),
    ],
)
def test_one_message_never_ends_the_source(
    client: Clients,
    queue: str,
    config: Config,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    problem: str,
) -> None:
    monkeypatch.setattr(module, "unwrap", crash)
    client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    source = opened(config, metrics)
    batches = source.batches()
    until(batches, lambda: metrics.counters().get("poison_messages", 0) > 0)
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    assert ids([next(batch for batch in batches if batch)]) == ["id-1"]
    source.close()
    assert caplog.text.count("cannot be used: ") == 1
    assert problem in caplog.text


def test_a_defect_in_reading_files_is_one_messages_own(
    client: Clients, queue: str, config: Config, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise RuntimeError("a defect")

    monkeypatch.setattr(module, "fetch", fails)
    for body in (named(KEY), event(1)):
        client("sqs").send_message(QueueUrl=queue, MessageBody=body)
    assert ids(take(opened(config, metrics), 1)) == ["id-1"]
    assert metrics.counters()["poison_messages"] == 1
    assert left(client, queue) == (0, 1)


@pytest.fixture
def s3_down(moto_url: str, config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyServer, Config]]:
    """SQS answers and S3 does not, and no pause is long."""
    monkeypatch.setattr(health, "LONGEST_WAIT", 0.5)
    with FaultyServer(moto_url) as server:
        server.fault, server.only = (503, "<Error><Code>SlowDown</Code></Error>"), "copies/"
        yield server, replace(config, aws=replace(config.aws, endpoint_url=server.url, max_attempts=1))


def files(client: Clients, queue: str, count: int) -> list[str]:
    """The ids of the records in files that messages name."""
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in range(count):
        client("s3").put_object(Bucket="trail", Key=f"copies/{number}.json", Body=trail(number))
        client("sqs").send_message(QueueUrl=queue, MessageBody=named(f"copies/{number}.json"))
    return sorted(f"id-{number}" for number in range(count))


def until(batches: Iterator[Batch | None], condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert next(batches) is None
        assert time.monotonic() < end


def take_on(source: Sqs, batches: Iterator[Batch | None], count: int) -> list[str]:
    found: list[Batch] = []
    end = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < end
        if (batch := next(batches)) is not None:
            source.acknowledge(batch)
            found.append(batch)
    source.close()
    return sorted(ids(found))


def test_files_that_cannot_be_read_now_hold_up_nothing_else(
    s3_down: tuple[FaultyServer, Config],
    client: Clients,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are tried again in place, and read once they can be: SQS gives each message once."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(module, "AHEAD", 5)
    server, config = s3_down
    url, dead = with_dead_letters(client, 1)
    wanted = files(client, url, 30)
    source = opened(config, metrics, "sqs://trail?buckets=trail&receivers=1&visibility=10")
    batches = source.batches()
    until(batches, lambda: metrics.counters().get("errors_s3", 0) >= 90)
    client("sqs").send_message(QueueUrl=url, MessageBody=event("fast"))
    fast = next(batch for batch in batches if batch)
    assert ids([fast]) == ["id-fast"]
    source.acknowledge(fast)

    server.fault = None
    assert take_on(source, batches, 30) == wanted
    assert (left(client, url), left(client, dead)) == ((0, 0), (0, 0))
    assert caplog.text.count("objects: cannot read s3://trail/copies/") == 1
    assert caplog.text.count("objects: works again") == 1


@pytest.mark.parametrize(("name", "value"), [("PUT_OFF", 2), ("LONGEST_RETRY", 0.5)])
def test_what_cannot_be_read_for_long_is_given_back(
    s3_down: tuple[FaultyServer, Config],
    client: Clients,
    queue: str,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: float,
) -> None:
    monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "GIVEN_BACK", 3)
    server, config = s3_down
    wanted = files(client, queue, 10)
    source = opened(config, metrics)
    batches = source.batches()
    until(batches, lambda: metrics.counters().get("errors_s3", 0) >= 10 and len(source._held) < 5)
    assert sum(left(client, queue)) == 10
    server.fault = None
    assert take_on(source, batches, 10) == wanted
    assert left(client, queue) == (0, 0)


def test_what_sqs_does_not_keep_hidden_is_said_and_not_asked_for_again(
    client: Clients, queue: str, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(2):
        client("sqs").send_message(QueueUrl=queue, MessageBody=event(number))
    source = opened(config, metrics)
    source._visibility = 4
    batches = source.batches()
    for _ in range(2):
        assert next(batch for batch in batches if batch)
    first, second = source._held.values()
    first.receipt = "no receipt of ours"
    begun = time.monotonic()
    while second.hidden_until < begun + 4 or time.monotonic() < begun + 4:
        next(batches)
    source.close()
    assert caplog.text.count("not kept hidden, it comes again: ") == 1
    assert first.hidden_until == float("inf")


def test_what_sqs_cannot_extend_now_is_extended_later(
    client: Clients, queue: str, config: Config, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(1))
    source = opened(config, metrics)
    source._visibility = 4
    batches = source.batches()
    assert next(batch for batch in batches if batch)
    real, refused = source._client.change_message_visibility_batch, []

    def change(**request: Any) -> Any:
        if not refused:
            refused.append(request)
            fault = {"Id": "0", "SenderFault": False, "Code": "InternalError", "Message": "try again"}
            return {"Successful": [], "Failed": [fault]}
        return real(**request)

    monkeypatch.setattr(source._client, "change_message_visibility_batch", change)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert next(batches) is None
    assert len(refused) == 1
    assert left(client, queue) == (0, 1)
    source.close()


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


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"source": "my.app"}, "its record says that it is from ec2.amazonaws.com, and came from my.app"),
        ({"source": "aws.partner/example.com/x"}, "and came from aws.partner/example.com/x"),
        ({"source": "aws.s3"}, "its record says that it is from ec2.amazonaws.com, and came from aws.s3"),
        (
            {"account": "210987654321"},
            "its record says that it is from account 123456789012, and came from 210987654321",
        ),
        (
            {"detail": record(1, recipientAccountId="210987654321")},
            "from account 210987654321, and came from 123456789012",
        ),
        (
            {"region": "eu-west-1", "detail": record(1, awsRegion="us-east-1")},
            "from us-east-1, and came from eu-west-1",
        ),
    ],
)
def test_an_event_that_aws_did_not_make_is_refused_and_counted(
    client: Clients,
    queue: str,
    config: Config,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    body: dict[str, Any],
    problem: str,
) -> None:
    forged = json.dumps(json.loads(event("forged")) | body)
    client("sqs").send_message(QueueUrl=queue, MessageBody=forged)
    client("sqs").send_message(QueueUrl=queue, MessageBody=event(7))
    source = opened(config, metrics)
    found, batches = [], source.batches()
    while not found or "messages_refused" not in metrics.counters():
        found += [batch for batch in [next(batches)] if batch is not None]
    source.close()
    assert problem in caplog.text
    assert metrics.counters()["messages_refused"] == 1
    assert ids(found) == ["id-7"]


def test_files_of_a_bucket_that_no_source_names_are_not_read(
    client: Clients, queue: str, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    put(client, KEY, gzip.compress(trail("forged")))
    client("sqs").send_message(QueueUrl=queue, MessageBody=named(KEY))
    source = opened(config, metrics, "sqs://trail?buckets=my-trail")
    batches = source.batches()
    until(batches, lambda: "messages_refused" in metrics.counters())
    source.close()
    assert f"it names s3://trail/{KEY}, and no source names that bucket" in caplog.text
    assert "write sqs://trail?buckets=trail; left to the queue's redrive policy" in caplog.text
    # A bucket of another source is known.
    known = replace(config, sources=(Entry("s3://trail/AWSLogs/"),))
    client("sqs").send_message(QueueUrl=queue, MessageBody=named(KEY))
    assert ids(take(opened(known, metrics, "sqs://trail"), 1)) == ["id-forged"]


def test_each_file_keeps_the_place_that_its_key_names(
    client: Clients, queue: str, config: Config, metrics: Metrics
) -> None:
    other = KEY.replace("123456789012", "210987654321").replace("eu-west-1", "us-east-1")
    put(client, KEY, gzip.compress(trail(1)))
    client("s3").put_object(Bucket="trail", Key=other, Body=gzip.compress(trail(2)))
    client("s3").put_object(Bucket="trail", Key="copies/a.json", Body=trail(3))
    client("sqs").send_message(QueueUrl=queue, MessageBody=named(KEY, other, "copies/a.json"))
    batches = take(opened(config, metrics), 3)
    assert [batch.place for batch in batches] == [
        Place("123456789012", "eu-west-1"),
        Place("210987654321", "us-east-1"),
        ANYWHERE,
    ]
    assert ids(batches) == ["id-1", "id-2", "id-3"]
    assert left(client, queue) == (0, 0)
