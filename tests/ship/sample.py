"""The sample infrastructure and the day of ``examples/`` on a bare machine, through libsinsp."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from tests.real.forky import REPO
from tests.ship.machine import Machine

EXAMPLES = REPO / "examples"
PLUGINS = "/usr/share/falco/plugins"
OUTPUT = "*%drift.id %drift.kind %drift.resource %drift.path %drift.old_value %drift.new_value %drift.user %ct.name"
ENVIRONMENT = {
    "HOME": "/nonexistent",
    "PYTHONHOME": "/nonsense",
    "PYTHONPATH": "/nonsense",
    "PYTHONSTARTUP": "/nonsense",
    "PYTHONMALLOC": "nonsense",
    "PYTHONHASHSEED": "nonsense",
    "LC_ALL": "xx_XX.nonsense",
}
"""What would stop a Python that listens to its environment."""
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass(frozen=True, slots=True)
class Seen:
    """Lines as printed; ``seconds`` from the start of the process to its end."""

    lines: list[str]
    seconds: float


def sample(machine: Machine) -> Path:
    """Copies the examples to the machine, and gives their place there."""
    for file in EXAMPLES.rglob("*"):
        if file.is_file():
            machine.put(file, f"/srv/{file.relative_to(EXAMPLES)}")
    return Path("/srv")


def settings(place: Path) -> dict[str, object]:
    return {
        "state": [f"{place}/state/network.tfstate", f"{place}/state/app.tfstate"],
        "config": [f"{place}/infrastructure/network", f"{place}/infrastructure/app"],
    }


def sysdig(
    machine: Machine, config: object, params: str, *more: str, env: Mapping[str, str] | None = None, user: int = 0
) -> Seen:
    """The plugin where falcoctl puts it, in libsinsp."""
    plugin = f"{PLUGINS}/libtfdrift.so:{json.dumps(config)}"
    command = ["sysdig", "-H", plugin, "-I", f"tfdrift:{params}", "-p", OUTPUT, *more]
    started = time.monotonic()
    done = machine.run(*command, env=env, user=user, timeout=120)
    seconds = time.monotonic() - started
    assert done.code == 0, done.error
    assert "Traceback" not in done.error
    return Seen(done.out.splitlines(), seconds)


def drift(machine: Machine, place: Path, *more: str, env: Mapping[str, str] | None = None, user: int = 0) -> Seen:
    return sysdig(machine, settings(place), f"{place}/trail", *more, env=env, user=user)


def from_the_cloud(machine: Machine, place: Path, url: str, count: int) -> Seen:
    """The same day from AWS at ``url``: state and trail in S3, S3's notifications in SQS.  Takes the machine's away."""

    def client(service: str) -> Any:
        return boto3.client(service, region_name=REGION, endpoint_url=url)  # type: ignore[call-overload]

    for name in ("state", "trail"):
        shutil.rmtree(machine.root / str(place / name).lstrip("/"))
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(Bucket="cloud", CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in (EXAMPLES / "state").iterdir():
        s3.put_object(Bucket="cloud", Key=f"state/{file.name}", Body=file.read_bytes())
    queue = sqs.create_queue(QueueName="cloudtrail-events")["QueueUrl"]
    for file in sorted((EXAMPLES / "trail").iterdir()):
        key = f"AWSLogs/{file.name}"
        s3.put_object(Bucket="cloud", Key=key, Body=file.read_bytes())
        notification = {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "awsRegion": REGION,
            "s3": {"bucket": {"name": "cloud"}, "object": {"key": key, "size": file.stat().st_size}},
        }
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [notification]}))
    config = {**settings(place), "state": ["s3://cloud/state/"], "aws": {"region": REGION, "endpoint_url": url}}
    return sysdig(machine, config, "sqs://cloudtrail-events?buckets=cloud", "-n", str(count), env=CREDENTIALS)
