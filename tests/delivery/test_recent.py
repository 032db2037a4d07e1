"""Events that were taken shortly before the end of a process are offered again by the next one."""

import os
import resource
from pathlib import Path

import pytest

from tfdrift_core.delivery import recent as module
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.recent import Recent
from tfdrift_core.sources.base import Batch

BATCH = Batch("x", ())


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(path: Path, clock: Clock, count: int = 0, seconds: float = 10) -> Recent:
    return Recent(path / "recent", seconds, count, clock)


def fill(recent: Recent, *names: str, begin: int = 1) -> None:
    for number, name in enumerate(names, begin):
        recent.keep(number, name.encode())


def test_what_was_taken_is_offered_again_and_what_was_not_is_left_to_its_batch(tmp_path: Path, clock: Clock) -> None:
    fill(opened(tmp_path, clock), "a", "b", "c")
    assert opened(tmp_path, clock, count=2).events == [b"a", b"b"]


def test_what_was_taken_long_before_the_end_is_not(tmp_path: Path, clock: Clock) -> None:
    recent = opened(tmp_path, clock)
    fill(recent, "old", "new", "newest")
    recent.advance(1)
    clock.now += 8
    recent.advance(3)
    clock.now += 8
    recent.advance(3)
    assert opened(tmp_path, clock, count=3).events == [b"new", b"newest"]


def test_an_idle_time_before_the_end_counts(tmp_path: Path, clock: Clock) -> None:
    recent = opened(tmp_path, clock)
    fill(recent, "a")
    for _ in range(20):
        recent.advance(1)
        clock.now += 1
    assert opened(tmp_path, clock, count=1).events == []


def test_what_no_process_came_to_offer_again_is_still_to_be_offered(tmp_path: Path, clock: Clock) -> None:
    fill(opened(tmp_path, clock), "a", "b")
    for _ in range(3):
        assert opened(tmp_path, clock, count=2).events == [b"a", b"b"]
        clock.now += 100


def test_what_was_offered_again_counts_anew(tmp_path: Path, clock: Clock) -> None:
    fill(opened(tmp_path, clock), "a", "b")
    second = opened(tmp_path, clock, count=2)
    second.again(2)
    assert second.events == ()
    fill(second, "c", begin=3)
    second.advance(1)
    clock.now += 60
    second.advance(2)  # b is taken only now
    clock.now += 9
    second.advance(2)
    third = opened(tmp_path, clock, count=2)
    assert third.events == [b"a", b"b"]
    third.again(2)
    third.advance(2)
    clock.now += 11
    third.advance(2)
    assert opened(tmp_path, clock, count=2).events == []


def test_what_cannot_be_offered_again_is_dropped(tmp_path: Path, clock: Clock) -> None:
    fill(opened(tmp_path, clock), "of another version")
    second = opened(tmp_path, clock, count=1)
    second.again(0)
    second.advance(0)
    clock.now += 11
    second.advance(0)
    assert opened(tmp_path, clock).events == []


@pytest.mark.parametrize("cut", [1, 5, 13, 30, 60, 1000])
def test_a_file_that_was_cut_off_gives_its_whole_entries(tmp_path: Path, clock: Clock, cut: int) -> None:
    fill(opened(tmp_path, clock), "a" * 20, "b" * 20)
    path = tmp_path / "recent"
    path.write_bytes(path.read_bytes()[: -min(cut, path.stat().st_size)])
    found = opened(tmp_path, clock, count=2).events
    assert found == [b"a" * 20, b"b" * 20][: len(found)]
    assert len(found) < 2


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 400, b"\x08" + b"\0" * 7 + b"\xff" * 12])
def test_a_file_of_nonsense_gives_nothing(tmp_path: Path, clock: Clock, content: bytes) -> None:
    (tmp_path / "recent").write_bytes(content)
    recent = opened(tmp_path, clock)
    assert recent.events == []
    fill(recent, "a")
    assert opened(tmp_path, clock, count=1).events == [b"a"]


def test_the_file_is_emptied_when_nothing_of_it_counts(tmp_path: Path, clock: Clock) -> None:
    recent = opened(tmp_path, clock)
    for number in range(1, 60):
        recent.keep(number, bytes(10_000))
        recent.advance(number)
        clock.now += 11
        recent.advance(number)
    assert (tmp_path / "recent").stat().st_size < 100_000
    recent.keep(60, b"last")
    assert opened(tmp_path, clock, count=60).events == [b"last"]


def test_the_file_is_bounded(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)
    recent = opened(tmp_path, clock)
    for number in range(1, 200):
        recent.keep(number, number.to_bytes(2, "little") + bytes(2_000))
        recent.advance(number)
        assert (tmp_path / "recent").stat().st_size <= 103_000
    found = opened(tmp_path, clock, count=199).events
    assert [int.from_bytes(data[:2], "little") for data in found] == list(range(200 - len(found), 200))
    assert len(found) > 20
    assert caplog.text.count("the older ones are not repeated") == 1


def test_a_full_disk_stops_no_event_and_spoils_no_entry(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    recent = opened(tmp_path, clock)
    fill(recent, "before")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "recent").stat().st_size + 5, limits[1]))
    try:
        fill(recent, "half written", "not written", begin=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    fill(recent, "after", begin=4)
    assert opened(tmp_path, clock, count=4).events == [b"before", b"after"]
    assert caplog.text.count("the newest alerts are not repeated after a restart") == 1


def test_the_ledger_numbers_what_it_offers_again(tmp_path: Path) -> None:
    first = Ledger(str(tmp_path), 10)
    claim = first.claim(BATCH, ())
    for name in ("a", "b"):
        assert first.offer(claim, name)
        first.keep(claim, name.encode)
    first.advance(2)
    first.close()

    second = Ledger(str(tmp_path), 10)
    assert second.recent == [b"a", b"b"]
    second.again(2)
    claim = second.claim(BATCH, ())
    assert second.offer(claim, "c")
    second.keep(claim, b"c".__bytes__)
    second.advance(2)  # the two that were given again; c is not taken
    second.close()

    third = Ledger(str(tmp_path), 10)
    assert third.recent == [b"a", b"b"]
    assert third.offer(third.claim(BATCH, ()), "c")


def test_what_is_read_anew_by_every_run_is_not_kept(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), 10)
    claim = ledger.claim(Batch("x", (), durable=False), ())
    ledger.offer(claim, "a")
    ledger.keep(claim, b"a".__bytes__)
    ledger.advance(1)
    ledger.close()
    assert Ledger(str(tmp_path), 10).recent == []


def test_nothing_is_kept_when_it_is_switched_off(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path), 10)
    ledger.close()
    ledger = Ledger(str(tmp_path))
    claim = ledger.claim(BATCH, ())
    ledger.offer(claim, "a")
    ledger.keep(claim, b"a".__bytes__)
    assert ledger.recent == ()
    assert not (tmp_path / "recent").exists()


def test_nobody_else_may_read_it(tmp_path: Path, clock: Clock) -> None:
    before = os.umask(0o022)
    try:
        fill(opened(tmp_path, clock), "a")
    finally:
        os.umask(before)
    assert (tmp_path / "recent").stat().st_mode & 0o777 == 0o600
