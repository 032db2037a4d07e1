"""What users may write as a source, and what they are told when they may not."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.trails import ids, take, trail
from tfdrift_core import config as settings
from tfdrift_core.config import Config
from tfdrift_core.config import Source as Entry
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.open import open_sources
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import Batch, Source, SourceError
from tfdrift_core.sources.files import Files
from tfdrift_core.sources.follow import Follow
from tfdrift_core.sources.lookup import Lookup
from tfdrift_core.sources.merged import Merged
from tfdrift_core.sources.open import open_source
from tfdrift_core.sources.s3 import S3
from tfdrift_core.sources.sqs import Sqs


def opened(entry: str | Entry, config: Config | None = None) -> Source:
    return open_source(entry, config or Config(), Ledger(), Metrics())


@pytest.mark.parametrize(
    ("url", "kind", "finite"),
    [
        ("/var/log/*.json.gz", Files, True),
        ("events.json", Files, True),
        ("-", Files, True),
        ("file:///var/log/a%20b.json", Files, True),
        ("file:///var/log/trail.jsonl?follow=true", Follow, False),
        ("sqs://queue", Sqs, False),
        ("sqs://queue?visibility=5m&receivers=8&region=us-east-1", Sqs, False),
        ("s3://bucket", S3, False),
        ("s3://bucket/prefix/?start=7d", S3, False),
        ("s3://bucket/prefix/?start=7d&follow=no", S3, True),
        ("s3://bucket?end=2026-01-01T00:00:00Z", S3, True),
        ("lookup://", Lookup, False),
        ("lookup://?regions=eu-west-1,us-*&accounts=123456789012&interval=1m", Lookup, False),
    ],
)
def test_urls(url: str, kind: type[Source], finite: bool) -> None:
    source = opened(url)
    assert (type(source), source.finite) == (kind, finite)


def test_options_in_yaml() -> None:
    config = settings.load(
        """
        sources:
          - url: s3://bucket/prefix
            start: 12h
            follow: false
            accounts: [012345678901, "210987654321"]
            regions: [us-east-1]
            role_arn: arn:aws:iam::012345678901:role/reader
          - url: sqs://queue
            visibility: 60s
            receivers: 2
        """
    )
    first, second = (opened(entry, config) for entry in config.sources)
    assert isinstance(first, S3)
    assert first._scope.accounts == {"012345678901", "210987654321"}
    assert isinstance(second, Sqs)
    assert second._visibility == 60


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "kafka://topic",
            "kafka://topic: unknown kind of source kafka://; possible are a path, a directory",
        ),
        ("s3://", "'' is not a bucket name; write s3://bucket/prefix"),
        ("s3://UPPER/x", "'UPPER' is not a bucket name"),
        ("s3://bucket?strat=7d", "unknown option strat; known here: accounts, end, endpoint_url"),
        ("s3://bucket?start=yesterday", "start is 'yesterday'; write a time such as 2026-01-31T08:00:00Z, or how long"),
        ("s3://bucket?start=1d&end=2d", "start is not before end"),
        ("s3://bucket?follow=maybe", "follow is 'maybe'; write true or false"),
        ("s3://bucket?interval=often", 's3://bucket.interval=often: interval: "often" is not a duration'),
        ("s3://bucket?interval=..", 'interval: ".." is not a duration'),
        ("s3://bucket?start=1..2d", 'start: "1..2d" is not a duration'),
        ("s3://bucket?start=999999999d", 'start: "999999999d" is not a duration'),
        ("s3://bucket?start=9999-12-31T23:59:59-23:00", "start is '9999-12-31T23:59:59-23:00'; write a time such as"),
        ("sqs://queue?visibility=nan", 'visibility: "nan" is not a duration'),
        ("sqs://queue?receivers=²", "receivers is '²'; write a whole number from 1 to 999"),
        ("sqs://queue?receivers=99999999999", "receivers is '99999999999'; write a whole number from 1 to 999"),
        ("sqs://queue?profile=nope", "The config profile .nope. could not be found; check aws.profile"),
        ("sqs://queue?endpoint_url=5", "endpoint_url '5' is not an http or https URL"),
        ("sqs://a b", "not a queue"),
        ("sqs://queue?visibility=1", "visibility is 1 seconds; SQS and TFDrift need 10 to 43200"),
        ("sqs://queue?receivers=none", "receivers is 'none'; write a whole number from 1"),
        ("lookup://eu-west-1", "write lookup:// alone, and accounts and regions as options"),
        ("file://", "no source: write a path"),
        ("sqs:/x", "sqs:/x: write sqs://x; a file of this name is ./sqs:/x"),
        ("lookup:/", "lookup:/: write lookup://; a file"),
        ("S3:bucket", "S3:bucket: write s3://bucket; a file"),
        ("file:/var/log/trail.json", "write file:///var/log/trail.json"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(url: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        opened(url)


def test_no_source_at_all() -> None:
    with pytest.raises(SourceError, match="no source: set open_params, or sources in init_config, to a path"):
        open_sources("", Config(), Metrics())


def test_without_data_dir_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    open_sources("sqs://queue", Config(), Metrics()).close()
    assert "no data_dir: checkpoints are kept in memory only, and a restart begins anew" in caplog.text


def test_a_relative_data_dir_is_said_to_be_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_sources("sqs://queue", Config(data_dir="data"), Metrics()).close()
    assert (
        f"data_dir data: is below the directory that the process was started in, so it is {tmp_path}/data"
        in caplog.text
    )


def test_a_replay_needs_no_data_dir_and_leaves_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json").write_bytes(trail(1))
    data = tmp_path / "data"
    open_sources(str(tmp_path / "a.json"), Config(data_dir=str(data)), Metrics()).close()
    assert not caplog.text
    assert not data.exists()


def test_several_sources_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(trail(1, 2))
    (tmp_path / "b.json").write_bytes(trail(2, 3))
    config = Config(sources=(Entry(str(tmp_path / "a.json")), Entry(str(tmp_path / "b.json"))))
    source = open_sources("", config, Metrics())
    from tfdrift_core.records.scan import scan

    found = []
    for batch in source.batches():
        if batch:
            found += [item.id for item in source.fresh(batch, scan(batch.documents[0], "x").records)]
            source.acknowledge(batch, {})
    source.close()
    assert sorted(found) == ["id-1", "id-2", "id-3"]


class Broken:
    name, finite = "broken", False

    def __init__(self, times: int) -> None:
        self.times, self.acknowledged = times, 0

    def batches(self) -> Iterator[Batch | None]:
        if self.times:
            self.times -= 1
            raise SourceError("broken: mend it")
        yield Batch("broken", (trail("mended"),))
        while True:
            time.sleep(0.05)
            yield None

    def acknowledge(self, batch: Batch) -> None:
        assert batch.origin == "broken"
        self.acknowledged += 1

    def close(self) -> None:
        pass


def test_one_source_that_fails_leaves_the_others_going(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json").write_bytes(trail(1))
    broken, metrics = Broken(3), Metrics()
    merged = Merged([lambda: broken, lambda: Files(str(tmp_path / "a.json"), metrics)], metrics, retry=0.05)
    assert sorted(ids(take(merged, 2))) == ["id-1", "id-mended"]
    assert broken.acknowledged == 1
    assert caplog.text.count("broken: mend it; the other sources go on") == 1
    assert metrics.counters() == {"errors_sources": 3}


class FailsOnce:
    """Fails after it has given ``None`` so often; with a negative number it works."""

    finite = False

    def __init__(self, steps: int, name: str) -> None:
        self._steps, self.name = steps, name
        self.closed = False

    def batches(self) -> Iterator[Batch | None]:
        for _ in range(self._steps):
            time.sleep(0.02)
            yield None
        if self._steps >= 0:
            raise SourceError(f"{self.name}: mend it")
        yield Batch(self.name, (trail(self.name),))
        while not self.closed:
            time.sleep(0.02)
            yield None

    def acknowledge(self, batch: Batch) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_sources_that_fail_one_after_the_other_are_each_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    made: dict[str, list[FailsOnce]] = {"a": [], "b": []}

    def maker(name: str, steps: int) -> Callable[[], Source]:
        def make() -> Source:
            made[name].append(FailsOnce(-1 if made[name] else steps, name))
            return made[name][-1]

        return make

    # b fails while a, which failed first, has long been working again.
    merged = Merged([maker("a", 0), maker("b", 30)], Metrics(), retry=0.05)
    assert sorted(ids(take(merged, 2))) == ["id-a", "id-b"]
    assert {name: [source.closed for source in sources] for name, sources in made.items()} == {
        "a": [True, True],
        "b": [True, True],
    }
    assert [caplog.text.count(f"{name}: works again") for name in "ab"] == [1, 1]


def test_when_every_source_fails_so_does_the_whole(tmp_path: Path) -> None:
    metrics = Metrics()
    merged = Merged([partial(Files, str(tmp_path / name), metrics) for name in "ab"], metrics)
    with pytest.raises(SourceError, match="no such file or directory"):
        take(merged, 0)


def test_no_thread_is_left_behind(config: Config, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    entries = [Entry("s3://trail"), Entry("lookup://?regions=eu-west-1"), Entry(f"file://{tmp_path}?follow=true")]
    source = open_sources("", replace(config, sources=(*entries, Entry("sqs://q"))), Metrics())
    batches = source.batches()
    for _ in range(3):
        next(batches)
    source.close()
    names = [t.name for t in threading.enumerate() if t not in before and t.name.startswith("tfdrift")]
    assert names == []
