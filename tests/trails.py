"""Moto's server, and records to feed to it."""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from moto.sqs.models import Message, SQSBackend

from tfdrift_core.config import Aws, Config
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import Batch, Source

PATIENCE = 600.0
"""Seconds until a test gives up, on the busiest machine; what it says does not depend on them."""


def _one_reader_at_a_time() -> None:
    """Two of moto's threads may take the same message between its look and its mark; SQS's readers do not share one."""
    lock, receive = threading.Lock(), SQSBackend.receive_message

    def receive_message(
        self: SQSBackend, queue: str, count: int, wait: int | None, visibility: int, names: list[str] | None = None
    ) -> list[Message]:
        end = time.monotonic() + (wait or 0)
        while True:
            with lock:
                found = receive(self, queue, count, 0, visibility, names)
            if found or time.monotonic() >= end:
                return found
            time.sleep(0.02)

    SQSBackend.receive_message = receive_message  # type: ignore[method-assign,assignment]


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    _one_reader_at_a_time()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def config(moto_url: str) -> Config:
    return Config(aws=Aws(region="eu-west-1", endpoint_url=moto_url, max_attempts=2, timeout=60))


@pytest.fixture
def client(moto_url: str) -> Iterator[Callable[..., Any]]:
    """Clients that act as the rest of AWS; whatever they made is gone after the test."""

    def make(service: str, region: str = "eu-west-1") -> Any:
        return boto3.client(service, region_name=region, endpoint_url=moto_url)  # type: ignore[call-overload]

    yield make
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST"), timeout=PATIENCE).read()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def record(number: int | str, **members: Any) -> dict[str, Any]:
    return {
        "eventID": f"id-{number}",
        "eventName": "CreateTags",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": "2026-01-02T03:04:05Z",
        "readOnly": False,
        "recipientAccountId": "123456789012",
        "requestParameters": {"resourcesSet": {"items": [{"resourceId": f"i-{number}"}]}},
    } | members


def trail(*numbers: int | str, **members: Any) -> bytes:
    return json.dumps({"Records": [record(number, **members) for number in numbers]}).encode()


def take(source: Source, wanted: int, seconds: float = 0, acknowledge: bool = True) -> list[Batch]:
    """Batches until so many documents have come, the source has ended, or the time is over; then closes it.

    Without ``seconds``, what is wanted is waited for however busy the machine is.
    """
    seconds = seconds or (PATIENCE if wanted else 20.0)
    found: list[Batch] = []
    late = threading.Event()
    timer = threading.Timer(seconds, late.set)
    timer.start()
    try:
        for batch in source.batches():
            if batch is not None:
                found.append(batch)
                if acknowledge:
                    source.acknowledge(batch)
            if late.is_set() or sum(len(item.documents) for item in found) >= wanted > 0:
                break
    finally:
        timer.cancel()
        source.close()
    return found


def with_dead_letters(client: Callable[..., Any], most: int) -> tuple[str, str]:
    """The queue ``trail``, and the one that messages are moved to which were received more often than ``most``."""
    dead = client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": most})
    return client("sqs").create_queue(QueueName="trail", Attributes={"RedrivePolicy": policy})["QueueUrl"], dead


def shipped_receives() -> int:
    """``maxReceiveCount`` of the queue that ``deploy/aws`` makes."""
    terraform = Path(__file__).parents[1] / "deploy" / "aws" / "account" / "main.tf"
    found = re.search(r"maxReceiveCount += (\d+)", terraform.read_text(encoding="utf-8"))
    assert found
    return int(found[1])


def ids(batches: list[Batch]) -> list[str]:
    from tfdrift_core.records.scan import scan

    return [item.id for batch in batches for document in batch.documents for item in scan(document, "x").records]
