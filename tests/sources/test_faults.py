"""Whatever AWS and the network do, a source says so once, waits, and goes on by itself."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.sources.faults import FaultyServer
from tests.trails import ids, record, trail
from tfdrift_core.config import Config
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import health
from tfdrift_core.sources import sqs as sqs_module
from tfdrift_core.sources.open import open_source

Clients = Callable[..., Any]

FAULTS: list[tuple[int, str] | str] = [
    "cut",
    (503, '{"message": "Service Unavailable"}'),
    (500, "not even JSON"),
    (400, '{"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow down"}'),
    (403, '{"__type": "com.amazonaws.sqs#ExpiredToken", "message": "The security token is expired"}'),
    (403, '{"__type": "com.amazonaws.sqs#AccessDenied", "message": "not allowed"}'),
    (400, '{"__type": "com.amazonaws.sqs#RequestTimeTooSkewed", "message": "The clocks differ"}'),
]


@pytest.fixture
def server(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(sqs_module, "WAIT", 0)
    monkeypatch.setattr(health, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(health, "LONGEST_WAIT", 0.2)
    with FaultyServer(moto_url) as running:
        yield running


def through(config: Config, server: FaultyServer) -> Config:
    return replace(config, aws=replace(config.aws, endpoint_url=server.url, max_attempts=1, timeout=5.0))


@pytest.mark.parametrize("fault", FAULTS, ids=["cut", "503", "500", "throttled", "expired", "denied", "skewed"])
def test_a_queue(
    server: FaultyServer,
    fault: tuple[int, str] | str,
    client: Clients,
    config: Config,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    source = open_source("sqs://trail?receivers=1", through(config, server), Ledger(), metrics)
    batches = source.batches()
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(record(1)))
    first = next(batch for batch in batches if batch)

    server.fault = fault
    end = time.monotonic() + 2
    while metrics.counters().get("errors_sqs", 0) < 3 or time.monotonic() < end:
        assert next(batches) is None
    # Acknowledged while nothing can be deleted: it must not come again afterwards.
    source.acknowledge(first)
    server.fault = None
    client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(record(2)))
    assert ids([next(batch for batch in batches if batch)]) == ["id-2"]
    source.close()
    assert caplog.text.count("cannot receive messages") == 1
    assert caplog.text.count("sqs://trail: works again") >= 1
    if isinstance(fault, tuple) and "token" in fault[1]:
        assert "ExpiredToken: The security token is expired; the credentials have expired: renew them" in caplog.text
    left = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    assert [json.loads(item["Body"])["eventID"] for item in left.get("Messages", [])] in ([], ["id-2"])


PROXY = (200, "<html><br>Sign in to this network")


@pytest.mark.parametrize("fault", [FAULTS[0], FAULTS[1], PROXY], ids=["cut", "503", "proxy"])
def test_a_bucket(
    server: FaultyServer,
    fault: tuple[int, str] | str,
    client: Clients,
    config: Config,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("s3").put_object(Bucket="trail", Key="copies/1.json", Body=trail(1))
    server.fault = fault
    source = open_source("s3://trail/copies/?follow=false", through(config, server), Ledger(), metrics)
    batches = source.batches()
    while metrics.counters().get("errors_s3", 0) < 3:
        assert next(batches) is None
    server.fault = None
    assert ids([batch for batch in batches if batch]) == ["id-1"]
    source.close()
    assert caplog.text.count("cannot list objects") == 1
    assert caplog.text.count("works again") == 1
