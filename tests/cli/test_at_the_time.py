"""``tfdrift replay --at-the-time``: every record against the version of the state that was current then."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.drift.test_engine import TERRAFORM
from tests.judge import terraform
from tfdrift_core.cli import main

SECOND = 1_000_000_000
BUCKET = "applied-states"
QUEUE = """
resource "aws_sqs_queue" "orders" {
  name                       = "applied-orders"
  visibility_timeout_seconds = %d
}
"""


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def call(
    moment: float, url: str, seconds: int, agent: str = "aws-cli/2.17", region: str = "us-east-1"
) -> dict[str, Any]:
    """What CloudTrail logs of somebody who sets the visibility timeout of a queue."""
    return {
        "eventVersion": "1.09",
        "eventID": f"{moment:.0f}-{seconds}",
        "eventTime": at(moment),
        "eventSource": "sqs.amazonaws.com",
        "eventName": "SetQueueAttributes",
        "awsRegion": region,
        "recipientAccountId": "123456789012",
        "readOnly": False,
        "sourceIPAddress": "198.51.100.24",
        "userAgent": agent,
        "userIdentity": {"type": "IAMUser", "userName": "mio", "accountId": "123456789012"},
        "requestParameters": {"queueUrl": url, "attributes": {"VisibilityTimeout": str(seconds)}},
    }


def state(serial: int, seconds: int, lineage: str = "one") -> bytes:
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"
    attributes = {
        "id": url,
        "url": url,
        "arn": "arn:aws:sqs:us-east-1:123456789012:orders",
        "name": "orders",
        "visibility_timeout_seconds": seconds,
    }
    resource = {
        "mode": "managed",
        "type": "aws_sqs_queue",
        "name": "orders",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": attributes}],
    }
    head = {"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": lineage}
    return json.dumps({**head, "outputs": {}, "resources": [resource]}).encode()


URL = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"


Replayed = Callable[..., tuple[list[tuple[Any, ...]], str, int]]


@pytest.fixture
def replayed(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Replayed:
    def run(*arguments: str) -> tuple[list[tuple[Any, ...]], str, int]:
        """Kind, old value and new value, or resolution, of each event; what was logged; the exit status."""
        code = main(["replay", "--json", "--at-the-time", *arguments])
        rows = map(json.loads, capsys.readouterr().out.splitlines())
        said = [
            (row["drift.kind"], row.get("drift.old_value"), row.get("drift.resolution") or row.get("drift.new_value"))
            for row in rows
        ]
        return said, caplog.text, code

    return run


def trail(*records: dict[str, Any], name: str = "trail.json") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(json.dumps({"Records": list(records)}))
    return name


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAJUDGE00000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "judge")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def backups(*files: tuple[str, float, bytes]) -> str:
    for name, moment, data in files:
        path = Path("states", name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (moment, moment))
    return "states"


NOON = 1_768_478_400.0
"""2026-01-15 12:00:00"""
HOUR = 3600.0


def test_copies_of_a_state_by_serial(replayed: Replayed) -> None:
    states = backups(
        ("1.tfstate", NOON, state(1, 30)),
        ("2.tfstate", NOON + 2 * HOUR, state(2, 45)),
        ("3.tfstate", NOON + 4 * HOUR, state(3, 90)),
    )
    file = trail(
        call(NOON + 5 * HOUR, URL, 30),
        call(NOON + 3 * HOUR, URL, 90),
        call(NOON + 2 * HOUR - 60, URL, 45, TERRAFORM),
        call(NOON + 1 * HOUR, URL, 60),
        call(NOON - HOUR, URL, 20),
    )
    said, err, code = replayed("-s", states, file)
    assert said == [
        ("modified", "30", "60"),
        ("resolved", "30", "applied"),
        ("modified", "45", "90"),
        ("resolved", "45", "adopted"),
        ("modified", "90", "30"),
    ]
    assert code == 0
    assert "1 records tell no time, or one before every version of a state: they are not compared" in err
    assert (
        "states/3.tfstate: 3 versions, the first of 2026-01-15 12:00:00; of the time from 2026-01-15 11:00:00 to then "
        "it has none" in err
    )


def test_todays_state_is_wrong_in_both_directions(capsys: pytest.CaptureFixture[str]) -> None:
    """Shows what the option is for: without it the same records are compared with the newest version alone."""
    Path("a.tfstate").write_bytes(state(3, 90))
    file = trail(call(NOON + HOUR, URL, 60), call(NOON + 3 * HOUR, URL, 90))
    assert main(["replay", "--json", "-s", "a.tfstate", file]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["drift.kind"], row["drift.old_value"]) for row in rows if row["drift.kind"] == "modified"] == []


def test_files_of_different_regions_are_played_in_the_order_of_time(replayed: Replayed) -> None:
    """A trail has all of one region before all of the next; state must not go back for it."""
    states = backups(("1.tfstate", NOON, state(1, 30)), ("2.tfstate", NOON + 2 * HOUR, state(2, 45)))
    trail(call(NOON + 3 * HOUR, URL, 90), name="trail/a.json")
    trail(call(NOON + 1 * HOUR, URL, 60), name="trail/b.json")
    said, _, _ = replayed("-s", states, "trail")
    assert said == [("modified", "30", "60"), ("resolved", "30", "adopted"), ("modified", "45", "90")]


def test_terraforms_own_backup(replayed: Replayed) -> None:
    states = backups(
        ("terraform.tfstate", NOON, state(8, 45)),
        ("terraform.tfstate.backup", NOON - 1, state(7, 30)),
        ("other.tfstate", NOON + 9 * HOUR, state(1, 1, "another")),
    )
    file = trail(call(NOON - HOUR, URL, 60), call(NOON + HOUR, URL, 90))
    said, err, _ = replayed("-s", f"{states}/terraform.tfstate", file)
    assert said == [("modified", "30", "60"), ("resolved", "30", "adopted"), ("modified", "45", "90")]
    assert "since when the first was current nothing tells: all before 2026-01-15 12:00:00 is compared" in err


def test_times_that_do_not_follow_the_serials_are_refused(replayed: Replayed) -> None:
    states = backups(("1.tfstate", NOON, state(1, 30)), ("2.tfstate", NOON - HOUR, state(2, 45)))
    said, err, code = replayed("-s", states, trail(call(NOON + HOUR, URL, 60)))
    assert (said, code) == ([], 1)
    assert "keep the times of files that are copied (cp -p)" in err


def test_a_file_that_is_no_state_is_named(replayed: Replayed) -> None:
    states = backups(("1.tfstate", NOON, state(1, 30)), ("2.tfstate", NOON + HOUR, b"<html>"))
    said, err, code = replayed("-s", states, trail(call(NOON + HOUR, URL, 60)))
    assert (said, code) == ([], 1)
    assert "states/2.tfstate: this is not JSON, so not a Terraform state" in err


def test_of_a_version_that_cannot_be_read_the_one_before_it_stays(replayed: Replayed) -> None:
    states = backups(
        ("1.tfstate", NOON, state(1, 30)),
        ("2.tfstate", NOON + 2 * HOUR, state(2, 45)[:200]),
        ("3.tfstate", NOON + 4 * HOUR, state(3, 90)),
    )
    file = trail(call(NOON + HOUR, URL, 60), call(NOON + 3 * HOUR, URL, 61), call(NOON + 5 * HOUR, URL, 62))
    said, err, code = replayed("-s", states, file)
    assert [one[:2] for one in said] == [("modified", "30"), ("modified", "60"), ("resolved", "30"), ("modified", "90")]
    assert code == 1
    assert "states/2.tfstate: expected a complete value" in err


def test_a_place_without_versions_is_refused(replayed: Replayed, moto_url: str) -> None:
    said, err, code = replayed("-s", f"{moto_url}/x", trail(call(NOON, URL, 60)))
    assert (said, code) == ([], 1)
    assert "its backend is not asked for older versions; S3, Cloud Storage, HCP Terraform and files are" in err


def versions(client: Any) -> Sequence[Any]:
    found = client.list_object_versions(Bucket=BUCKET, Prefix="app.tfstate").get("Versions", [])
    return sorted(found, key=lambda version: version["LastModified"])


@pytest.mark.slow
def test_three_applies_to_a_versioned_bucket(moto_url: str, replayed: Replayed) -> None:
    """Real Terraform writes its state to moto; people change the queue in between."""
    terraform.provider()
    s3, sqs = (boto3.client(name, endpoint_url=moto_url) for name in ("s3", "sqs"))
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    work = Path("work")
    work.mkdir()
    backend = f"""terraform {{
  backend "s3" {{
    bucket                      = "{BUCKET}"
    key                         = "app.tfstate"
    region                      = "us-east-1"
    endpoints                   = {{ s3 = "{moto_url}" }}
    use_path_style              = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
  }}
}}
"""
    # By itself: what a development override replaces is not there to be initialised.
    (work / "backend.tf").write_text(backend)
    terraform.run(work, "init", "-input=false", "-no-color")
    (work / "provider.tf").write_text(terraform.provider_block(moto_url))

    def apply(seconds: int) -> float:
        """The second at which the version that it writes is current."""
        (work / "main.tf").write_text(QUEUE % seconds)
        terraform.run(work, "apply", "-auto-approve", "-input=false", "-no-color")
        moment: float = versions(s3)[-1]["LastModified"].timestamp()
        while time.time() < moment + 2:  # S3 tells seconds alone
            time.sleep(0.05)
        return moment

    one = apply(30)
    url = sqs.get_queue_url(QueueName="applied-orders")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    two = apply(45)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "90"})
    three = apply(90)
    file = trail(
        call(one - 5, url, 31),
        call(one + 1, url, 60),
        call(two - 1 if two - 1 > one + 1 else two, url, 45, TERRAFORM),
        call(two + 1, url, 90),
        call(three + 1, url, 20),
    )
    place = {"backend": "s3", "bucket": BUCKET, "key": "app.tfstate", "endpoint_url": moto_url}
    Path("init.yaml").write_text(json.dumps({"state": [place], "coalesce": False}))
    said, err, code = replayed("-c", "init.yaml", file)
    assert code == 0, err
    assert [row for row in said if row[0] == "modified"] == [
        ("modified", "30", "60"),
        ("modified", "45", "90"),
        ("modified", "90", "20"),
    ]
    assert [row[2] for row in said if row[0] == "resolved"] == ["applied", "adopted"]
    assert f"the first of {at(versions(s3)[0]['LastModified'].timestamp())[:-1].replace('T', ' ')}" in err
