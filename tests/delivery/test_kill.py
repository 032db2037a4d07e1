"""Kills the pipeline's process at random points, and shares one queue among several."""

import gzip
import json
import multiprocessing
import os
import random
import signal
import struct
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.worker import work, work_in_busy_host, work_in_plugin
from tests.plugin.conftest import library
from tests.trails import PATIENCE, record, shipped_receives, with_dead_letters
from tfdrift_core.delivery.drifts import OpenDrift
from tfdrift_core.drift.memory import openings_of

Clients = Callable[..., Any]
Work = Callable[..., None]
READS = 0.93
KILLING = 240.0
"""Seconds for the kills of one test: on a busy machine there are fewer of them, and a warning says how many."""
IN_OBJECT, IN_MESSAGE = 100, 10
ACCOUNT, REGION = "123456789012", "eu-west-1"

_context = multiprocessing.get_context("forkserver")


def changes(number: int, *, back: bool = False) -> dict[str, Any]:
    """A call that makes an instance larger, or one that puts it ``back``."""
    return record(
        f"back-{number}" if back else number,
        eventName="ModifyInstanceAttribute",
        awsRegion=REGION,
        userIdentity={"type": "IAMUser", "userName": "ada", "accountId": ACCOUNT},
        userAgent="console.ec2.amazonaws.com",
        requestParameters={
            "instanceId": f"i-{number:017x}",
            "instanceType": {"value": "t3.micro" if back else "t3.large"},
        },
        responseElements={"_return": True},
    )


def reads(number: int) -> dict[str, Any]:
    return record(number, eventName="DescribeInstances", readOnly=True, awsRegion=REGION, requestParameters={})


def state(numbers: list[int]) -> dict[str, Any]:
    instances = [
        {
            "index_key": number,
            "schema_version": 1,
            "attributes": {
                "id": f"i-{number:017x}",
                "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-{number:017x}",
                "instance_type": "t3.micro",
            },
        }
        for number in numbers
    ]
    resource = {
        "mode": "managed",
        "type": "aws_instance",
        "name": "web",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": instances,
    }
    return {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "kill", "resources": [resource]}


__all__ = ["library"]


class Feeder:
    """Puts the next part of the records into S3 and SQS: one of ten messages twice, an object's records also in SQS."""

    def __init__(self, client: Clients) -> None:
        self._s3, self._sqs = client("s3"), client("sqs")
        self._s3.create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": REGION})
        self._url, self._dead = with_dead_letters(client, shipped_receives())
        self._put = 0

    def load(self, records: list[dict[str, Any]], parts: int) -> None:
        """What to put next, in so many parts."""
        half = len(records) // 2
        self._objects = [records[i : i + IN_OBJECT] for i in range(0, half, IN_OBJECT)]
        self._messages = [records[i : i + IN_MESSAGE] for i in range(half, len(records), IN_MESSAGE)]
        self._messages += [self._objects[0][i : i + IN_MESSAGE] for i in range(0, IN_OBJECT, IN_MESSAGE)]
        self._parts = parts

    def feed(self) -> None:
        objects, self._objects = _part(self._objects, self._parts)
        messages, self._messages = _part(self._messages, self._parts)
        self._parts -= 1
        for records in objects:
            stamp = f"20260102T{self._put // 60:02}{self._put % 60:02}Z"
            key = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/01/02/{ACCOUNT}_CloudTrail_{REGION}_{stamp}_x.json.gz"
            self._put += 1
            self._s3.put_object(Bucket="trail", Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode()))
        bodies = [json.dumps({"Records": records}) for records in messages]
        bodies += bodies[::10]
        for i in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[i : i + 10])]
            self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)

    @property
    def done(self) -> bool:
        return not self._objects and not self._messages

    def left(self) -> int:
        return self._count(self._url)

    def dead(self) -> int:
        """Messages that were moved away, as if nobody could read them."""
        return self._count(self._dead)

    def _count(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def _part(items: list[Any], parts: int) -> tuple[list[Any], list[Any]]:
    count = -(-len(items) // parts)
    return items[:count], items[count:]


def started(settings: dict[str, Any], output: Path, work: Work = work) -> ForkServerProcess:
    _context.set_forkserver_preload(["tests.delivery.worker", "boto3"])
    process = _context.Process(target=work, args=(settings, str(output)), daemon=True)
    process.start()
    return process


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.001)
    return False


def kill_between_alerts(process: ForkServerProcess, journal: Path, output: Path, before: int) -> None:
    """Kills the process at once, unless the reader has written an alert and not yet made its next call.

    Of that moment, which is the host's and not ours, the plugin cannot know: the alert comes again, with the same
    ``drift.id``.
    """
    assert process.pid is not None
    while process.is_alive():
        os.kill(process.pid, signal.SIGSTOP)
        wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] in "tTZX", 5)
        count = len(lines(output)) - before
        if not count or struct.unpack("=Q", journal.read_bytes()[:8]) == (count,):
            break
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.001)
    process.kill()


def kill_at_once(process: ForkServerProcess, *_: object) -> None:
    process.kill()


def stop(process: ForkServerProcess, *_: object) -> None:
    process.terminate()


def test_fifty_kills_of_the_plugin(client: Clients, moto_url: str, tmp_path: Path, library: Path) -> None:
    kills = Kills(client, moto_url, tmp_path, 20_000, 50, partial(work_in_plugin, library=str(library)))
    kills.run({"redeliver": 0}, kill_between_alerts)
    assert kills.twice() == [], kills.seed


def test_kills_of_the_pipeline_alone(client: Clients, moto_url: str, tmp_path: Path) -> None:
    kills = Kills(client, moto_url, tmp_path, 4_000, 10, work)
    kills.run({"redeliver": 0}, kill_between_alerts)
    assert kills.twice() == [], kills.seed


@pytest.mark.parametrize("end", [kill_at_once, stop])
def test_a_host_with_alerts_on_their_way(
    client: Clients, moto_url: str, tmp_path: Path, library: Path, end: Callable[..., None]
) -> None:
    """What the host took and had not written yet comes again, marked; nothing else comes twice."""
    kills = Kills(client, moto_url, tmp_path, 4_000, 12, partial(work_in_busy_host, library=str(library)))
    kills.run({}, end)
    told = Counter(line for line in lines(kills.output) if line.endswith("new"))
    # The event that was in the host's hand is not known to be taken.
    assert sum(count - 1 for count in told.values()) <= 12, kills.seed


class Kills:
    """A flow of changes, each forth and back, into a process that dies again and again."""

    def __init__(self, client: Clients, moto_url: str, folder: Path, count: int, kills: int, work: Work) -> None:
        seed = int(os.environ.get("TFDRIFT_SEED", time.time_ns() % 1_000_000))
        self.seed, self._chance = f"TFDRIFT_SEED={seed}", random.Random(seed)
        self._feeder, self._moto_url, self._folder = Feeder(client), moto_url, folder
        self._kills, self._work = kills, work
        self._records = [reads(n) if self._chance.random() < READS else changes(n) for n in range(count)]
        self.output = folder / "events"

    def run(self, settings: dict[str, Any], end: Callable[..., None]) -> None:
        """Nothing is lost, whenever the process dies: neither a drift nor its end."""
        numbers = [number for number, item in enumerate(self._records) if not item["readOnly"]]
        state_file, data = self._folder / "state.tfstate", self._folder / "data"
        state_file.write_text(json.dumps(state(numbers)))
        settings = {
            "state": [str(state_file)],
            "data_dir": str(data),
            "coalesce": False,
            "apply_wait": 0,
            "aws": {"region": REGION, "endpoint_url": self._moto_url},
            "sources": ["sqs://trail?visibility=10", "s3://trail?start=2026-01-01&interval=0.2"],
            **settings,
        }
        put_back = [changes(number, back=True) for number in numbers]
        expected: set[str] = set()
        died = 0
        for part, times in ((self._records, self._kills - self._kills // 3), (put_back, self._kills // 3)):
            expected |= {item["eventID"] for item in part if not item["readOnly"]}
            self._feeder.load(part, times)
            until = time.monotonic() + KILLING * times / self._kills
            for number in range(times):
                self._feeder.feed()
                if number == 0 or time.monotonic() < until:
                    died += 1
                    self._die(settings, end)
            assert self._feeder.done
            process = started(settings, self.output, self._work)
            wait_for(lambda expected=expected: expected <= self.told() and self._feeder.left() == 0, PATIENCE)  # type: ignore[misc]
            process.terminate()
            process.join(60)
        if died < self._kills:
            warnings.warn(f"{died} of {self._kills} kills: this machine is too busy for more", stacklevel=2)
        print(f"{self.seed}: {died} kills; {len(expected - self.told())} lost, {len(self.twice())} told twice")
        assert (sorted(expected - self.told()), self._feeder.left(), self._feeder.dead()) == ([], 0, 0), self.seed
        assert self.told() == expected
        assert not [opening for _, data in OpenDrift(str(data)).documents() for opening in openings_of(data)]

    def _die(self, settings: dict[str, Any], end: Callable[..., None]) -> None:
        before, more = len(lines(self.output)), self._chance.randrange(40)
        process = started(settings, self.output, self._work)
        wait_for(lambda: len(lines(self.output)) >= before + more, 8)
        time.sleep(self._chance.random() * 0.02)
        end(process, self._folder / "data" / "journal", self.output, before)
        process.join()

    def told(self) -> set[str]:
        return {line.split()[0] for line in lines(self.output)}

    def twice(self) -> list[str]:
        counted = Counter(line.split()[0] for line in lines(self.output))
        return [name for name, count in counted.items() if count > 1]


def test_three_processes_share_a_queue(client: Clients, moto_url: str, tmp_path: Path) -> None:
    numbers = list(range(300))
    (tmp_path / "state.tfstate").write_text(json.dumps(state(numbers)))
    queue = client("sqs").create_queue(QueueName="trail")["QueueUrl"]
    outputs = [tmp_path / f"events{replica}" for replica in range(3)]
    processes = [
        started(
            {
                "state": [str(tmp_path / "state.tfstate")],
                "data_dir": str(tmp_path / f"data{replica}"),
                "coalesce": False,
                "apply_wait": 0,
                "aws": {"region": REGION, "endpoint_url": moto_url},
                "sources": ["sqs://trail?receivers=1"],
            },
            output,
        )
        for replica, output in enumerate(outputs)
    ]
    assert wait_for(lambda: all((tmp_path / f"data{replica}").exists() for replica in range(3)), 30)
    for i in range(0, len(numbers), 10):
        entries = [{"Id": str(n), "MessageBody": json.dumps({"detail": changes(n)})} for n in numbers[i : i + 10]]
        client("sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    wait_for(lambda: sum(len(lines(output)) for output in outputs) >= len(numbers), 60)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(30)
    counted = Counter(line.split()[0] for output in outputs for line in lines(output))
    assert counted == Counter(f"id-{number}" for number in numbers)
    assert all(lines(output) for output in outputs), "one process did all the work"


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
