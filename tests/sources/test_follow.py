"""Local files that are followed while they grow, are rotated and written anew."""

import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources.test_files import line
from tests.trails import ids, record, trail
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import files, follow
from tfdrift_core.sources.base import Batch
from tfdrift_core.sources.follow import Follow


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL", 0.05)


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
    monkeypatch.setattr(files, "CHUNK", 1000)
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

    monkeypatch.setattr(files, "CHUNK", 10_000)
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


def until(batches: Iterator[Batch], *wanted: str) -> list[str]:
    """Ids as they come, until all that are wanted have come."""
    found: list[str] = []
    while not set(wanted) <= set(found):
        found += ids([next(batches)])
    return found


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("longer", [True, False])
def test_a_file_that_is_truncated_and_grows_again_is_read_from_its_beginning(tmp_path: Path, longer: bool) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1) + line(2))
    ledger = Ledger(str(tmp_path / "data"))
    source, batches = following(path, ledger)
    batch = next(batches)
    assert ids([batch]) == ["id-1", "id-2"]
    source.acknowledge(batch)
    inode = path.stat().st_ino
    # Copied and truncated between two looks; the writer goes on.
    new = [line(number) for number in range(3, 9 if longer else 5)]
    path.write_bytes(b"".join(new))
    assert path.stat().st_ino == inode
    assert until(batches, "id-4")[0] == "id-3"
    source.close()
    ledger.close()
    # And the same while nobody looks.
    path.write_bytes(line(10) + line(11) + line(12))
    source, batches = following(path, Ledger(str(tmp_path / "data")))
    assert until(batches, "id-12") == ["id-10", "id-11", "id-12"]
    source.close()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("way", ["renamed", "copied", "packed", "dated"])
def test_what_was_written_before_a_rotation_is_read_from_where_it_went(tmp_path: Path, way: str) -> None:
    path, old = tmp_path / "a.jsonl", tmp_path / "a.jsonl.1"
    path.write_bytes(line(1))
    source, batches = following(path)
    assert ids([next(batches)]) == ["id-1"]
    data = line(1) + line(2)
    if way == "renamed":
        path.rename(old)
        old.write_bytes(data)
    elif way == "packed":
        old.with_name("a.jsonl.1.gz").write_bytes(gzip.compress(data))
    elif way == "dated":
        old.with_name("a-20260101.jsonl").write_bytes(data)
    else:
        old.write_bytes(data)
    (tmp_path / "b.jsonl.1").write_bytes(line("other"))
    path.write_bytes(line(3))
    found = until(batches, "id-2", "id-3")
    assert "id-other" not in found
    if way == "renamed":
        # The writer still has it open.
        with old.open("ab") as file:
            file.write(line(4))
        assert until(batches, "id-4") == ["id-4"]
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_document_that_is_replaced_by_one_of_its_size_and_inode_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(trail(1))
    source, batches = following(tmp_path)
    assert ids([next(batches)]) == ["id-1"]
    os.utime(path, ns=(0, 0))
    path.write_bytes(trail(2))
    assert ids([next(batches)]) == ["id-2"]
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_last_line_without_a_line_break_is_one_when_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "QUIET", 0.2)
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1) + line(2)[:-1])
    source, batches = following(path)
    assert until(batches, "id-2") == ["id-1", "id-2"]
    with path.open("ab") as file:
        file.write(b"\n" + line(3)[:20])
    while "its last line is no whole record" not in caplog.text:
        time.sleep(0.05)
    with path.open("ab") as file:
        file.write(line(3)[20:-1])
    assert until(batches, "id-3") == ["id-3"]
    source.close()
    assert caplog.text.count("its last line is no whole record") == 1


@pytest.mark.usefixtures("quick")
def test_a_document_that_ends_in_the_middle_is_read_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "UNFINISHED", 0.2)
    (tmp_path / "a.json").write_bytes(trail(1, 2)[:-3])
    source, batches = following(tmp_path)
    assert ids([next(batches)])[:1] == ["id-1"]
    (tmp_path / "a.json").write_bytes(trail(1, 2, 3))
    assert until(batches, "id-3") == ["id-1", "id-2", "id-3"]
    source.close()


@pytest.mark.parametrize("blocked", [True, False])
def test_how_soon_a_file_is_seen_does_not_depend_on_what_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocked: bool
) -> None:
    """Neither on how long reading took nor on how long Falco let it wait."""
    for number in range(30):
        (tmp_path / f"{number}.jsonl").write_bytes(line(number))
    source = Follow(str(tmp_path), Ledger(), Metrics())
    now, waits = 0.0, []

    def put(batch: Batch) -> bool:
        nonlocal now
        now += 5.0 if blocked else 0.1
        return True

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            if len(waits) == 3:
                self.set()
            return self.is_set()

    monkeypatch.setattr(follow.time, "monotonic", lambda: now)
    monkeypatch.setattr(source._pump, "put", put)
    source._pump.stop = Stop()
    source._watch()
    assert waits == [follow.POLL] * 3


@pytest.mark.usefixtures("quick")
def test_a_file_that_cannot_be_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jsonl").symlink_to("/proc/self/mem")
    (tmp_path / "b.jsonl").write_bytes(line(1))
    metrics = Metrics()
    source = Follow(str(tmp_path), Ledger(), metrics)
    monkey = source._look

    def refuses(file: Path) -> None:
        if file.name == "a.jsonl":
            raise PermissionError(13, "Permission denied")
        monkey(file)

    source._look = refuses  # type: ignore[method-assign]
    batches = (batch for batch in source.batches() if batch)
    assert ids([next(batches)]) == ["id-1"]
    (tmp_path / "c.jsonl").write_bytes(line(2))
    assert ids([next(batches)]) == ["id-2"]
    source.close()
    assert metrics.counters()["errors_files"] == 1
