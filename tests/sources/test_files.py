"""Local files, read once and followed."""

import gzip
import io
import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.trails import ids, record, take, trail
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import files as module
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.files import DamagedError, Files, documents


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
    monkeypatch.setattr(module, "READ", 100)
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
