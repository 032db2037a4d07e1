"""CloudTrail's files in S3, against moto's server."""

import gzip
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.sources.faults import FaultyServer
from tests.trails import ids, take, trail
from tfdrift_core.config import Config
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import objects
from tfdrift_core.sources.open import open_source
from tfdrift_core.sources.s3 import S3

Clients = Callable[..., Any]
HOME, OTHER = "123456789012", "210987654321"


def key(account: str, region: str, stamp: str, root: str = "", kind: str = "CloudTrail") -> str:
    day = f"{stamp[:4]}/{stamp[4:6]}/{stamp[6:8]}"
    return f"{root}AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{stamp}Z_abc{stamp[9:13]}.json.gz"


@pytest.fixture
def bucket(client: Clients) -> Callable[[str, bytes], None]:
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return lambda name, body: client("s3").put_object(Bucket="trail", Key=name, Body=body)


def opened(config: Config, metrics: Metrics, url: str, ledger: Ledger | None = None) -> S3:
    source = open_source(url, config, ledger or Ledger(), metrics)
    assert isinstance(source, S3)
    return source


def fill(bucket: Callable[[str, bytes], None], root: str = "") -> None:
    """Two accounts, two regions, three days; the records' ids tell the order of time."""
    for number, (account, region, stamp) in enumerate(
        [
            (HOME, "eu-west-1", "20260101T2350"),
            (OTHER, "us-east-1", "20260101T2355"),
            (HOME, "eu-west-1", "20260102T0005"),
            (HOME, "us-east-1", "20260102T0010"),
            (OTHER, "us-east-1", "20260103T1200"),
            (HOME, "eu-west-1", "20260103T1205"),
        ]
    ):
        bucket(key(account, region, stamp, root), gzip.compress(trail(number)))
    bucket(key(HOME, "eu-west-1", "20260102T0000", root, "CloudTrail-Digest"), b"not a file of records")
    bucket(key(HOME, "eu-west-1", "20260102T0000", root, "CloudTrail-Insight"), b"not a file of records")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://trail?follow=false", "012345"),
        ("s3://trail/?follow=false&regions=us-*", "134"),
        (f"s3://trail/?follow=false&accounts={OTHER}", "14"),
        (f"s3://trail/AWSLogs/{HOME}/?follow=false", "0235"),
        (f"s3://trail/AWSLogs/{HOME}/CloudTrail/eu-west-1/?follow=false", "025"),
        (f"s3://trail/AWSLogs/{HOME}/CloudTrail/eu-west-1/2026/01/02/?follow=false", "2"),
        ("s3://trail?end=2026-01-02", "01"),
        ("s3://trail?start=2026-01-02&end=2026-01-03", "23"),
        ("s3://trail?start=2026-01-01T23:55:00Z&follow=false", "12345"),
        ("s3://trail/nothing/here/?follow=false", ""),
    ],
)
def test_one_pass_over_history_in_the_order_of_time(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, url: str, found: str
) -> None:
    fill(bucket)
    assert ids(take(opened(config, metrics, url), 0)) == [f"id-{number}" for number in found]
    assert metrics.counters() == {}


@pytest.mark.parametrize("root", ["", "some/prefix/"])
def test_organization_trails(bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, root: str) -> None:
    for number, account in enumerate((HOME, OTHER)):
        name = key(account, "eu-west-1", "20260101T0000", root).replace("AWSLogs/", "AWSLogs/o-abc123def4/")
        bucket(name, gzip.compress(trail(number)))
    bucket("unrelated/file.json", trail("x"))
    assert ids(take(opened(config, metrics, f"s3://trail/{root}?follow=false"), 0)) == ["id-0", "id-1"]


def test_a_prefix_of_another_layout_is_read_by_time_of_upload(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics
) -> None:
    bucket("copies/b + ü.json", trail(1))
    time.sleep(1.1)
    bucket("copies/a.json.gz", gzip.compress(trail(2)))
    assert ids(take(opened(config, metrics, "s3://trail/copies/?follow=false"), 0)) == ["id-1", "id-2"]


def test_following_gives_what_is_new_and_goes_on_after_a_restart(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, tmp_path: Path
) -> None:
    now = time.time()

    def stamp(ago: float) -> str:
        return time.strftime("%Y%m%dT%H%M", time.gmtime(now - ago))

    bucket(key(HOME, "eu-west-1", stamp(86_400)), gzip.compress(trail("old")))
    ledger = Ledger(str(tmp_path))
    source = opened(config, metrics, "s3://trail?start=1h&interval=1", ledger)
    batches = source.batches()
    bucket(key(HOME, "eu-west-1", stamp(600)), gzip.compress(trail(1)))
    first = next(batch for batch in batches if batch)
    source.acknowledge(first)
    # A region that is new, and a file that is older than one that was read already.
    bucket(key(HOME, "us-east-1", stamp(900)), gzip.compress(trail(2)))
    second = next(batch for batch in batches if batch)
    bucket(key(HOME, "eu-west-1", stamp(660)), gzip.compress(trail(3)))
    third = next(batch for batch in batches if batch)
    assert ids([first, second, third]) == ["id-1", "id-2", "id-3"]
    source.close()
    ledger.close()

    # Nothing but the first was acknowledged: the others come again, and the first, which the ledger drops.
    ledger = Ledger(str(tmp_path))
    source = opened(config, metrics, "s3://trail?start=1h&interval=1", ledger)
    assert set(ids(take(source, 3, acknowledge=False))) == {"id-1", "id-2", "id-3"}


def test_large_objects_are_read_in_parts(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PART", 1000)
    numbers = list(range(200))
    bucket(key(HOME, "eu-west-1", "20260101T0000"), trail(*numbers))
    bucket(key(HOME, "eu-west-1", "20260101T0001"), b"")
    assert ids(take(opened(config, metrics, "s3://trail?follow=false"), 0)) == [f"id-{number}" for number in numbers]


def test_a_damaged_object_gives_what_is_before_the_damage(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    import random

    noise = [f"{number}-{random.random()}" for number in range(2000)]  # so that the compressed data is long
    bucket(key(HOME, "eu-west-1", "20260101T0000"), gzip.compress(trail(*noise))[:-4000])
    bucket(key(HOME, "eu-west-1", "20260101T0001"), gzip.compress(trail("next")))
    found = ids(take(opened(config, metrics, "s3://trail?follow=false"), 0))
    assert len(found) > 1000
    assert found[-1] == "id-next"
    assert "the gzip data is cut off; what was before is read" in caplog.text
    assert metrics.counters() == {"errors_s3": 1}


def test_an_object_over_the_limit_is_refused(
    bucket: Callable[[str, bytes], None],
    config: Config,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(objects, "PART", 100)
    monkeypatch.setattr(objects, "MAX_OBJECT", 200)
    bucket(key(HOME, "eu-west-1", "20260101T0000"), trail(1))
    assert ids(take(opened(config, metrics, "s3://trail?follow=false"), 0)) == []
    assert "bytes, more than 200" in caplog.text


def test_an_archived_object_holds_up_no_other_one(
    client: Clients,
    bucket: Callable[[str, bytes], None],
    config: Config,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(3):
        bucket(key(HOME, "eu-west-1", f"20260101T000{number}"), trail(number))
    archived = key(HOME, "eu-west-1", "20260101T0001")
    client("s3").put_object(Bucket="trail", Key=archived, Body=trail(1), StorageClass="GLACIER")
    assert ids(take(opened(config, metrics, "s3://trail?follow=false"), 0)) == ["id-0", "id-2"]
    assert f"s3://trail/{archived}: is archived (S3 Glacier), so its records are not read; restore it" in caplog.text
    assert metrics.counters() == {"errors_s3": 1}


REFUSALS = {
    "AccessDenied": "; allow what tfdrift doctor --iam-policy prints to this identity; goes on without it",
    "KMS.DisabledException": "; enable the KMS key, and allow kms:Decrypt; goes on without it",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_an_object_that_aws_refuses_holds_up_no_other_one(
    bucket: Callable[[str, bytes], None],
    config: Config,
    moto_url: str,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    code: str,
) -> None:
    for number in range(5):
        bucket(key(HOME, "eu-west-1", f"20260101T000{number}"), trail(number))
    with FaultyServer(moto_url) as server:
        server.fault, server.only = (403, f"<Error><Code>{code}</Code><Message>no</Message></Error>"), "abc0001"
        reach = replace(config, aws=replace(config.aws, endpoint_url=server.url))
        assert ids(take(opened(reach, metrics, "s3://trail?follow=false"), 0)) == ["id-0", "id-2", "id-3", "id-4"]
    assert caplog.text.count(REFUSALS[code]) == 1
    assert f"1 objects are given up, AWS has refused to give them: s3://trail/AWSLogs/{HOME}/" in caplog.text
    assert metrics.counters() == {"errors_s3": 2, "objects_refused": 1}


def test_what_aws_refuses_for_a_while_is_read_afterwards(
    bucket: Callable[[str, bytes], None],
    config: Config,
    moto_url: str,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Hours of older files are not forgotten because a newer one was readable first."""
    for number in range(4):
        bucket(key(HOME, "eu-west-1", f"20260101T0{number}00"), trail(number))
    with FaultyServer(moto_url) as server:
        server.fault, server.only = (
            (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
            "2026/01/01/",
        )
        reach = replace(config, aws=replace(config.aws, endpoint_url=server.url))
        source = opened(reach, metrics, "s3://trail?start=2026-01-01&interval=2")
        batches = source.batches()
        while "goes on without it" not in caplog.text:
            assert next(batches) is None
        bucket(key(HOME, "eu-west-1", "20260102T0000"), trail("newer"))
        assert ids([next(batch for batch in batches if batch)]) == ["id-newer"]
        server.fault = None
        assert ids([next(batch for batch in batches if batch) for _ in range(4)]) == [f"id-{n}" for n in range(4)]
        source.close()
    assert "objects_refused" not in metrics.counters()


def test_a_bucket_that_is_made_later(
    client: Clients, config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    source = opened(config, metrics, "s3://trail?start=2026-01-01&interval=1")
    batches = source.batches()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert next(batches) is None
    client("s3").create_bucket(Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("s3").put_object(Bucket="trail", Key=key(HOME, "eu-west-1", "20260101T0000"), Body=trail(1))
    assert ids([next(batch for batch in batches if batch)]) == ["id-1"]
    source.close()
    assert caplog.text.count("check the name of the bucket and the account of the credentials") == 1


def now_stamp(ago: float = 0.0) -> str:
    return time.strftime("%Y%m%dT%H%M", time.gmtime(time.time() - ago))


HOSTILE = [
    key(HOME, "eu-west-1", "20990101T0000"),
    key(HOME, "eu-west-1", "20269999T9999"),
    key(HOME, "eu-west-1", "00000000T0000").replace("0000/00/00", "9999/99/99"),
    # Filed under the first day, so that it is listed before all others.
    key(HOME, "eu-west-1", "20990101T0000").replace("2099/01/01", "2020/01/01"),
    key(HOME, "eu-west-1", "99991231T2359"),
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_key_of_no_possible_time_is_read_and_is_no_checkpoint(
    bucket: Callable[[str, bytes], None],
    config: Config,
    metrics: Metrics,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    hostile: str,
) -> None:
    bucket(hostile, gzip.compress(trail("hostile")))
    url, found = "s3://trail?start=2020-01-01&follow=true&interval=1", []
    for turn in range(2):
        ledger = Ledger(str(tmp_path))
        source = opened(config, metrics, url, ledger)
        batches = (batch for batch in source.batches() if batch)
        if turn == 0:
            source.acknowledge(next(batches))
        bucket(key(HOME, "eu-west-1", now_stamp(1800 - 60 * turn)), gzip.compress(trail(turn)))
        while f"id-{turn}" not in found:
            batch = next(batches)
            found += ids([batch])
            source.acknowledge(batch)
        source.close()
        ledger.close()
    assert f"{hostile} names no time at which it can have been made" in caplog.text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_key_of_no_possible_time_ends_no_pass(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, hostile: str
) -> None:
    fill(bucket)
    bucket(hostile, gzip.compress(trail("hostile")))
    assert set(ids(take(opened(config, metrics, "s3://trail?follow=false"), 0))) == {
        "id-hostile",
        *(f"id-{number}" for number in range(6)),
    }
    assert ids(take(opened(config, metrics, "s3://trail?end=2026-01-02"), 0)) == ["id-0", "id-1"]


def test_a_checkpoint_that_lies_in_the_future_is_not_believed(
    bucket: Callable[[str, bytes], None], config: Config, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, url = Ledger(), "s3://trail?start=30d&follow=true&interval=1"
    source = opened(config, metrics, url, ledger)
    ledger.save(f"{source._key} AWSLogs/{HOME}/CloudTrail/eu-west-1/", 4e9)
    bucket(key(HOME, "eu-west-1", now_stamp(86_400)), gzip.compress(trail(1)))
    assert ids(take(source, 1)) == ["id-1"]
    assert "lies in the future; what came within the last week is read again" in caplog.text
