"""What is remembered over restarts, and what every kind of crash leaves behind."""

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tfdrift_core.delivery import ledger as module
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.records.record import Record
from tfdrift_core.sources.base import Batch, NotYetError, SourceError

BATCH = Batch("x", ())


def record(name: str, **members: Any) -> Record:
    return Record({"eventID": name, "eventName": "CreateTags", "eventTime": "2026-01-01T00:00:00Z"} | members)


def claimed(ledger: Ledger, *records: Record, durable: bool = True) -> list[str]:
    return [item.id for item in ledger.claim(Batch("x", (), durable=durable), records).records]


def test_a_settled_record_stays_known_over_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.settle(ledger.claim(BATCH, [record("a"), record("b")]))
    ledger.close()
    assert claimed(Ledger(str(tmp_path)), record("b"), record("c")) == ["c"]


def test_a_record_under_way_is_new_after_a_crash_but_not_before(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.claim(BATCH, [record("a")])
    assert claimed(ledger, record("a")) == []
    ledger.close()
    assert claimed(Ledger(str(tmp_path)), record("a")) == ["a"]


def test_a_restart_of_the_pipeline_forgets_what_was_under_way() -> None:
    ledger = Ledger()
    ledger.claim(BATCH, [record("a")])
    ledger.restart()
    assert claimed(ledger, record("a")) == ["a"]


def test_events_that_the_reader_had_are_not_offered_again(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, [record("a")])
    assert [ledger.offer(claim, name) for name in ("e1", "e2", "e3")] == [True, True, True]
    ledger.advance(2)
    ledger.close()

    # As after kill -9: the batch was not settled.  And the same once more: what an earlier process did still counts.
    for _ in range(2):
        ledger = Ledger(str(tmp_path))
        claim = ledger.claim(BATCH, [record("a")])
        assert [item.id for item in claim.records] == ["a"]
        assert [ledger.offer(claim, name) for name in ("e1", "e2", "e3")] == [False, False, True]
        ledger.close()


def test_c_may_advance_through_the_mapped_number(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, [record("a")])
    ledger.offer(claim, "e1")
    ledger.offer(claim, "e2")
    assert ledger.progress is not None
    ledger.progress[:8] = (1).to_bytes(8, "little")
    ledger.close()
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, [record("a")])
    assert [ledger.offer(claim, name) for name in ("e1", "e2")] == [False, True]


def test_the_journal_survives_a_write_that_was_cut(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.offer(ledger.claim(BATCH, [record("a")]), "e1")
    ledger.advance(1)
    ledger.close()
    path = tmp_path / "journal"
    path.write_bytes(path.read_bytes() + b"half")
    ledger = Ledger(str(tmp_path))
    assert not ledger.offer(ledger.claim(BATCH, [record("a")]), "e1")


@pytest.mark.parametrize("size", [0, 5, 16])
def test_a_journal_without_entries_is_an_empty_one(tmp_path: Path, size: int) -> None:
    (tmp_path / "journal").write_bytes(b"\0" * size)
    ledger = Ledger(str(tmp_path))
    assert ledger.offer(ledger.claim(BATCH, [record("a")]), "e1")


def test_the_journal_is_emptied_when_nothing_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_JOURNAL_LIMIT", 100)
    ledger = Ledger(str(tmp_path))
    for number in range(50):
        claim = ledger.claim(BATCH, [record(f"r{number}")])
        assert ledger.offer(claim, f"e{number}")
        ledger.advance(number + 1)
        ledger.settle(claim)
    assert (tmp_path / "journal").stat().st_size < 200


def test_records_come_in_the_order_of_their_time() -> None:
    late, early = record("late", eventTime="2026-01-01T00:00:09Z"), record("early", eventTime="2026-01-01T00:00:01Z")
    assert claimed(Ledger(), late, early) == ["early", "late"]


def test_records_without_an_id_are_never_duplicates() -> None:
    assert claimed(Ledger(), record(""), record("")) == ["", ""]


def test_a_forged_record_with_the_id_of_a_real_one_does_not_hide_that(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    real = record("a", requestParameters={"groupId": "sg-1", "cidrIp": "0.0.0.0/0"})
    for forged in (record("a"), record("a", requestParameters={"groupId": "sg-1"}), record("a", errorCode="Denied")):
        ledger.settle(ledger.claim(BATCH, [forged]))
    assert claimed(ledger, real, real) == ["a"]
    assert claimed(ledger, real, durable=False) == []


def test_a_forged_record_with_the_request_of_a_global_services_does_not_hide_that() -> None:
    ledger = Ledger()
    forged = record("f", eventSource="iam.amazonaws.com", requestID="r1", recipientAccountId="111122223333")
    ledger.settle(ledger.claim(BATCH, [forged]))
    real = Record({**forged.raw, "eventID": "a", "requestParameters": {"userName": "root-like"}})
    assert claimed(ledger, real) == ["a"]


def test_the_same_record_is_one_in_whatever_order_its_members_come() -> None:
    one = record("a", requestParameters={"x": 1, "y": [2, "\ud800"], "z": 1 << 70})
    other = Record({name: one.raw[name] for name in reversed(one.raw)})
    assert claimed(Ledger(), one, other) == ["a"]


def test_a_global_services_record_from_two_regions_is_one() -> None:
    first = record("a", eventSource="iam.amazonaws.com", requestID="r1", awsRegion="us-east-1")
    second = record("b", eventSource="iam.amazonaws.com", requestID="r1", awsRegion="eu-west-1")
    assert claimed(Ledger(), first, second) == ["a"]


def test_one_request_may_make_several_records_of_a_regional_service() -> None:
    first = record("a", eventSource="ec2.amazonaws.com", requestID="r1")
    assert claimed(Ledger(), first, record("b", eventSource="ec2.amazonaws.com", requestID="r1")) == ["a", "b"]


def test_a_replay_knows_its_own_records_only(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(Batch("x", (), durable=False), [record("a")])
    assert ledger.offer(claim, "e1")
    ledger.advance(1)
    ledger.settle(claim)
    assert claimed(ledger, record("a"), durable=False) == []
    ledger.close()
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(Batch("x", (), durable=False), [record("a")])
    assert [item.id for item in claim.records] == ["a"]
    assert ledger.offer(claim, "e1")


def test_the_replay_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLAY_RECORDS", 2)
    ledger = Ledger()
    for name in "abc":
        ledger.settle(ledger.claim(Batch("x", (), durable=False), [record(name)]))
    assert claimed(ledger, record("a"), record("c"), durable=False) == ["a"]


def test_old_and_surplus_ids_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_RECORDS", 100)
    ledger = Ledger(str(tmp_path))
    for number in range(1000):
        monkeypatch.setattr("time.time", lambda number=number: 1_000_000_000 + number)
        ledger.settle(ledger.claim(BATCH, [record(f"r{number}")]))
    assert claimed(ledger, record("r0"), record("r999")) == ["r0"]


def test_checkpoints_survive(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    assert ledger.checkpoint("s3") is None
    ledger.save("s3", {"at": 1.5})
    ledger.close()
    assert Ledger(str(tmp_path)).checkpoint("s3") == {"at": 1.5}


def test_a_damaged_database_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is not a database" * 100)
    assert claimed(Ledger(str(tmp_path)), record("a")) == ["a"]
    assert "moved to ledger.damaged, and checkpoints begin anew" in caplog.text


def test_two_processes_cannot_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.2)
    first = Ledger(str(tmp_path))
    with pytest.raises(NotYetError, match=r"data_dir .*: is in use by another process; end that, or give each a"):
        Ledger(str(tmp_path))
    first.close()
    Ledger(str(tmp_path)).close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SourceError, match="Permission denied"):
        Ledger(str(tmp_path / "data"))


def test_a_file_in_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"File exists.*give a directory that this process may write"):
        Ledger(str(tmp_path / "file"))


def test_a_disk_that_fills_up_is_told_once_and_does_not_stop_the_flow(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    broken, ledger._database = ledger._database, sqlite3.connect(":memory:")
    ledger.save("a", 1)
    ledger.save("a", 2)
    assert caplog.text.count("a restart may report changes again") == 1
    ledger._database = broken
    ledger.save("a", 3)
    assert "data_dir: the ledger can be used again" in caplog.text
    assert ledger.checkpoint("a") == 3


def test_a_full_disk_stops_no_event_and_spoils_no_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, [record("a")])
    assert ledger.offer(claim, "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "journal").stat().st_size + 10, limits[1]))
    try:
        assert [ledger.offer(claim, name) for name in ("half written", "not written")] == [True, True]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caplog.text.count("data_dir: the journal cannot be used") == 1
    assert ledger.offer(claim, "after")
    assert "data_dir: the journal can be used again" in caplog.text
    ledger.advance(4)
    ledger.close()
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, [record("a")])
    assert [ledger.offer(claim, name) for name in ("before", "half written", "after")] == [False, True, False]


FULL = """
import os, sys
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.sources.base import NotYetError

fill = os.open("fill", os.O_CREAT | os.O_WRONLY)
try:
    while os.write(fill, bytes(512)):
        pass
except OSError:
    pass
for _ in range(3):
    try:
        Ledger("data")
    except NotYetError as error:
        print(error)
print(len(os.listdir("/proc/self/fd")))
os.truncate("fill", 0)
ledger = Ledger("data")
ledger.save("a", 1)
print(ledger.checkpoint("a"))
"""


def test_a_start_on_a_full_disk_is_tried_again(tmp_path: Path) -> None:
    """On a disk of its own, which only this process sees."""
    mount = 'mount -t tmpfs -o size=1m tmpfs "$1" && cd "$1" && exec "$2" -c "$3"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", tmp_path, sys.executable, FULL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *refused, descriptors, saved = done.stdout.splitlines() or [done.stderr]
    assert refused == ["data_dir data: its disk is full; free some of it"] * 3, done.stderr
    assert (int(descriptors) < 10, saved) == (True, "1")


def test_damage_within_the_database_costs_duplicates_and_not_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(str(tmp_path))
    names = [f"r{number}" for number in range(5000)]
    ledger.settle(ledger.claim(BATCH, [record(name) for name in names]))
    ledger.close()
    file = tmp_path / "ledger.sqlite"
    data = bytearray(file.read_bytes())
    data[8192:-4096] = b"\xff" * (len(data) - 12288)
    file.write_bytes(data)
    ledger = Ledger(str(tmp_path))
    again = claimed(ledger, *[record(name) for name in [*names, "new"]])
    assert "new" in again
    assert caplog.text.count("data_dir: a part of the ledger cannot be used: database disk image is malformed") == 1


def test_nobody_else_may_read_it_in_a_directory_that_they_may_look_into(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "ledger.sqlite").touch(mode=0o644)
    before = os.umask(0o022)
    try:
        ledger = Ledger(str(tmp_path))
        ledger.save("a", 1)
        ledger.offer(ledger.claim(BATCH, [record("a")]), "event")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        ledger.close()
    finally:
        os.umask(before)
    assert modes.keys() >= {"ledger.sqlite", "journal", "lock"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["ledger.sqlite", "journal.new", "lock"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "data" / name).symlink_to(victim)
    if name == "journal.new":
        Ledger(str(tmp_path / "data")).close()
    else:
        with pytest.raises(SourceError, match="give a directory that this process may write"):
            Ledger(str(tmp_path / "data"))
    assert victim.read_text() == "precious"
