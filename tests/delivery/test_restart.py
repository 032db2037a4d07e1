"""A pipeline that fails and is run again, as the plugin does, over the real sources."""

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.trails import record, trail
from tfdrift_core.config import Config
from tfdrift_core.config import Source as Entry
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.pipeline import Pipeline

Clients = Callable[..., Any]


class Taken:
    """A sink whose reader is always done."""

    def put(self, event: DriftEvent) -> bool:
        return True

    def handed_over(self) -> int:
        return 1 << 40


def threads_of(name: str) -> int:
    return sum(thread.name.startswith(f"tfdrift-{name}") for thread in threading.enumerate())


@pytest.mark.parametrize("kept", [True, False], ids=["data_dir", "memory"])
@pytest.mark.parametrize("together", [True, False], ids=["merged", "alone"])
def test_what_was_under_way_is_read_again_and_by_one_source(
    client: Clients, config: Config, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, kept: bool, together: bool
) -> None:
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    folder = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/01/02/123456789012_CloudTrail_eu-west-1_20260102T03"
    for number in range(4):
        body = gzip.compress(trail(f"file-{number}"))
        client("s3").put_object(Bucket="trail", Key=f"{folder}{number:02}Z_x.json.gz", Body=body)
    queue = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    for number in range(4):
        client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"detail": record(f"message-{number}")}))

    wanted = {f"id-{kind}-{number}" for number in range(4) for kind in ("file", "message")[: 1 + together]}
    entries = ("s3://trail?start=2026-01-01&interval=0.2", "sqs://trail")[: 1 + together]
    data_dir = str(tmp_path / "data") if kept else ""
    pipeline = Pipeline(replace(config, data_dir=data_dir, sources=tuple(Entry(url) for url in entries)))
    process, stop, seen, failed = Pipeline._process, threading.Event(), list[str](), list[str]()

    def fails_once(self: Pipeline, records: Any, *rest: Any) -> Any:
        if not failed and records and len(seen) == 1:
            failed.append(records[0].id)
            raise KeyError("a defect")
        seen.extend(item.id for item in records)
        if set(seen) == wanted:
            stop.set()
        return process(self, records, *rest)

    monkeypatch.setattr(Pipeline, "_process", fails_once)
    pipeline.open("")
    with pytest.raises(KeyError):
        pipeline.run(Taken(), stop)
    assert threads_of("s3://trail/") == 0
    late = threading.Timer(30, stop.set)
    late.start()
    pipeline.run(Taken(), stop)
    late.cancel()
    assert threads_of("s3://trail/") == 1
    pipeline.close()
    assert sorted(seen) == sorted(wanted)
