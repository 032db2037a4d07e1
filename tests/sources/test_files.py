"""Local files, read once and followed."""

import gzip
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trails import ids, record, take, trail
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import files as module
from tfdrift_core.sources.base import Batch, SourceError
from tfdrift_core.sources.files import DamagedError, Files, Follow, documents


def read(path: Path | str, metrics: Metrics | None = None) -> list[str]:
    return ids(take(Files(str(path), metrics or Metrics()), 0))


def line(number: int | str) -> bytes:
    return json.dumps(record(number)).encode() + b"\n"


def test_a_file_a_directory_and_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(trail(1))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(trail(2)))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.jsonl").write_bytes(line(3) + line(4))
    (tmp_path / "sub" / "README").write_text("not a file of records")
    (tmp_path / "CloudTrail-Digest").mkdir()
    (tmp_path / "CloudTrail-Digest" / "d.json").write_bytes(trail("digest"))
    assert read(tmp_path / "b.json.gz") == ["id-2"]
    assert read(tmp_path) == ["id-1", "id-2", "id-3", "id-4"]
    assert read(tmp_path / "*.json") == ["id-1"]
    assert read(tmp_path / "**" / "*.jsonl") == ["id-3", "id-4"]


def test_a_compressed_file_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(gzip.compress(trail(1)) + gzip.compress(trail(2)))
    assert read(tmp_path / "a.json") == ["id-1", "id-2"]


def test_many_lines_come_in_several_documents_none_of_them_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1000)
    monkeypatch.setattr(module, "_READ", 100)
    (tmp_path / "a.jsonl").write_bytes(b"".join(line(number) for number in range(100)))
    found = take(Files(str(tmp_path / "a.jsonl"), Metrics()), 0)
    assert len(found) > 10
    assert ids(found) == [f"id-{number}" for number in range(100)]


def test_a_gzip_that_is_cut_in_half_gives_what_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = gzip.compress(b"".join(line(os.urandom(20).hex()) for _ in range(1000)))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(data[: len(data) // 2])
    metrics = Metrics()
    assert 300 < len(read(path, metrics)) < 700
    assert f"{path}: the gzip data is cut off; what was before is read" in caplog.text
    assert metrics.counters() == {"errors_files": 1}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 30, "the gzip data is damaged: "),
        (gzip.compress(b"x") + b"something", "something that is not gzip follows the gzip data"),
        (gzip.compress(gzip.compress(b"x")), "the data is compressed twice; decompress it once"),
        (b"\x1f\x8b", "the gzip data is cut off"),
    ],
    ids=["noise", "followed", "twice", "cut"],
)
def test_damaged_gzip(data: bytes, problem: str) -> None:
    with pytest.raises(DamagedError, match=problem):
        list(documents(io.BytesIO(data)))


def test_a_bomb_is_read_as_far_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENT", 10_000_000)
    found = documents(io.BytesIO(gzip.compress(b"[" + b" " * 100_000_000)))
    assert len(next(found)) < 20_000_000
    with pytest.raises(
        DamagedError, match="the document has more than 10,000,000 bytes; split it, or write JSON lines"
    ):
        next(found)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.json: no such file or directory, and no file matches it as a pattern"):
        read(tmp_path / "x.json")
    with pytest.raises(SourceError, match=r"no \.json, \.json\.gz or \.jsonl file in this directory"):
        read(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(trail(1))
    (tmp_path / "a.json").chmod(0)
    with pytest.raises(SourceError, match="permission denied; make it readable for user"):
        read(tmp_path / "a.json")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(SourceError, match="cannot be listed: Permission denied"):
        read(tmp_path / "closed")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(line(1) + line(2)))))
    assert read("-") == ["id-1", "id-2"]


def test_a_slow_reader_makes_the_thread_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfdrift_core.sources import pump

    monkeypatch.setattr(pump, "QUEUE_BYTES", 2000)
    for number in range(50):
        (tmp_path / f"{number:02}.json").write_bytes(trail(number))
    source = Files(str(tmp_path), Metrics())
    batches = source.batches()
    first = next(batches)
    time.sleep(0.3)
    assert source._pump.waiting() < 10
    assert ids([item for item in (first, *batches) if item]) == [f"id-{number}" for number in range(50)]
    source.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 0.05)


def following(path: Path, ledger: Ledger | None = None) -> tuple[Follow, Iterator[Batch]]:
    source = Follow(str(path), ledger or Ledger(), Metrics())
    return source, (batch for batch in source.batches() if batch)


@pytest.mark.usefixtures("quick")
def test_a_growing_file_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1))
    source, batches = following(path)
    assert ids([next(batches)]) == ["id-1"]
    with path.open("ab") as file:
        file.write(line(2) + line(3)[:20])
    assert ids([next(batches)]) == ["id-2"]
    with path.open("ab") as file:
        file.write(line(3)[20:])
    assert ids([next(batches)]) == ["id-3"]
    # Rotated: another file under the same name.
    path.rename(tmp_path / "old")
    path.write_bytes(line(4))
    assert ids([next(batches)]) == ["id-4"]
    # Truncated and written anew.
    path.write_bytes(b"")
    time.sleep(0.3)
    path.write_bytes(line(5))
    assert ids([next(batches)]) == ["id-5"]
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_line_longer_than_a_piece_holds_up_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1000)
    path = tmp_path / "a.jsonl"
    long = json.dumps(record(2, note="x" * 5000)).encode() + b"\n"
    path.write_bytes(line(1) + long + line(3))
    source, batches = following(path)
    found: list[str] = []
    while len(found) < 3:
        found += ids([next(batches)])
    assert found == ["id-1", "id-2", "id-3"]
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_directory_that_files_are_put_into(tmp_path: Path) -> None:
    source, batches = following(tmp_path)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(trail(1)))
    assert ids([next(batches)]) == ["id-1"]
    whole = gzip.compress(trail(*range(2, 2000)))
    with (tmp_path / "b.json.gz").open("wb") as file:
        file.write(whole)
    assert len(ids([next(batches)])) == 1998
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_bomb_in_a_followed_directory_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds what the queue may hold, and the file is done only when its last piece is."""
    from tfdrift_core.sources import pump

    monkeypatch.setattr(module, "CHUNK", 10_000)
    monkeypatch.setattr(pump, "QUEUE_BYTES", 50_000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bomb.jsonl.gz").write_bytes(gzip.compress(b"".join(line(number) for number in range(2000))))
    everything = [f"id-{number}" for number in range(2000)]

    ledger = Ledger(str(tmp_path / "data"))
    source, batches = following(tmp_path / "in", ledger)
    first = next(batches)
    time.sleep(0.3)
    assert source._pump._bytes + len(first.documents[0]) < 100_000
    source.acknowledge(first)
    source.close()
    ledger.close()

    ledger = Ledger(str(tmp_path / "data"))
    source, batches = following(tmp_path / "in", ledger)
    found: list[str] = []
    while len(found) < len(everything):
        batch = next(batches)
        found += ids([batch])
        source.acknowledge(batch)
    assert found == everything
    source.close()
    ledger.close()

    (tmp_path / "in" / "next.json").write_bytes(trail("next"))
    source, batches = following(tmp_path / "in", Ledger(str(tmp_path / "data")))
    assert ids([next(batches)]) == ["id-next"]
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_restart_goes_on_behind_the_last_acknowledged_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1))
    ledger = Ledger(str(tmp_path / "data"))
    source, batches = following(path, ledger)
    source.acknowledge(next(batches))
    with path.open("ab") as file:
        file.write(line(2))
    assert ids([next(batches)]) == ["id-2"]
    source.close()
    ledger.close()
    source, batches = following(path, Ledger(str(tmp_path / "data")))
    assert ids([next(batches)]) == ["id-2"]
    source.close()
