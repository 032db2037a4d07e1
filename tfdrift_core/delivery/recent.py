"""Keeps the events that the reader took last, to offer them again after a restart.

What the reader has taken may still be on its way: Falco puts an alert into a queue, writes it from another thread, and
tells nobody when.  A crash, and with a slow output an ordinary stop as well, takes what is in that queue.

The file holds a mark, mapped into memory, and entries: the event's number in the journal, its size, and what it is made
from again.  What lies before the mark was taken long enough ago.  Number 0 is an event that an earlier process took.
"""

import logging
import mmap
import os
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tfdrift_core.private import open_private

MAX_BYTES: Final = 64 << 20
"""Of the file.  Where so much is taken within the time, the older half is not offered again."""

_MARK = struct.Struct("=Q")
_HEAD = struct.Struct("=QI")
_WORTH_EMPTYING = 64 << 10

_log = logging.getLogger("tfdrift.ledger")


@dataclass(slots=True)
class _Kept:
    """Events up to ``number`` that end at ``end`` in the file."""

    number: int
    end: int
    taken: float = 0.0


class Recent:
    """Not safe to use from several threads.

    :raises OSError: when the file cannot be used.
    """

    def __init__(self, path: Path, seconds: float, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``count`` is how many of its own events the last process knew to be taken."""
        self._path, self._seconds, self._clock = path, seconds, clock
        self._under_way: deque[_Kept] = deque()
        self._taken: deque[_Kept] = deque()
        self._told = False
        self.events: Sequence[bytes] = [data for number, data in _entries(path) if number <= count]
        """What to offer again first of all."""
        entries = b"".join(_HEAD.pack(0, len(data)) + data for data in self.events)
        self._fd, self._mark = _written(path, entries)
        self._end = _MARK.size + len(entries)

    def again(self, number: int) -> None:
        """Number the ``events`` that are offered again: this number at most."""
        self._under_way.append(_Kept(number, self._end))
        self.events = ()

    def keep(self, number: int, data: bytes) -> None:
        """Keep an event's bytes.  Call this before the event is offered."""
        entry = _HEAD.pack(number, len(data)) + data
        try:
            if os.write(self._fd, entry) < len(entry):
                raise OSError(f"{self._path}: {len(entry)} bytes were not written whole")
        except OSError as error:
            # A part of an entry would shift all that follow it.
            os.ftruncate(self._fd, self._end)
            self._tell(f"{error}; the newest alerts are not repeated after a restart")
            return
        self._end += len(entry)
        self._under_way.append(_Kept(number, self._end))
        if self._end > MAX_BYTES:
            self._make_room()

    def advance(self, count: int) -> None:
        """The reader has taken the first ``count`` events; to be called about once a second, also when it took none."""
        now = self._clock()
        while self._under_way and self._under_way[0].number <= count:
            kept = self._under_way.popleft()
            kept.taken = now
            self._taken.append(kept)
        while self._taken and self._taken[0].taken < now - self._seconds:
            _MARK.pack_into(self._mark, 0, self._taken.popleft().end)
        if not self._taken and not self._under_way and not self.events and self._end > _WORTH_EMPTYING:
            os.ftruncate(self._fd, _MARK.size)
            self._end = _MARK.size
            _MARK.pack_into(self._mark, 0, self._end)

    def close(self) -> None:
        self._mark.close()
        os.close(self._fd)

    def _make_room(self) -> None:
        """Write the file again with the entries that still count, at most half of its limit."""
        while self._taken and self._end - self._start() > MAX_BYTES // 2:
            _MARK.pack_into(self._mark, 0, self._taken.popleft().end)
            self._tell(f"more than {MAX_BYTES >> 21} MB of alerts within redeliver; the older ones are not repeated")
        start = self._start()
        if start == _MARK.size:
            return
        entries = os.pread(self._fd, self._end - start, start)
        try:
            descriptor, mark = _written(self._path, entries)
        except OSError as error:
            self._tell(f"{error}; {self._path.name} stays as large as it is")
            return
        self.close()
        self._fd, self._mark, self._end = descriptor, mark, _MARK.size + len(entries)
        for kept in (*self._taken, *self._under_way):
            kept.end -= start - _MARK.size

    def _start(self) -> int:
        return int(_MARK.unpack_from(self._mark)[0])

    def _tell(self, problem: str) -> None:
        if not self._told:
            _log.warning("data_dir: %s", problem)
        self._told = True


def _written(path: Path, entries: bytes) -> tuple[int, mmap.mmap]:
    """Replace the file; gives its descriptor for appending and its mark, which is before all entries."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = open_private(fresh, os.O_EXCL | os.O_APPEND)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(_MARK.pack(_MARK.size) + entries)
        mark = mmap.mmap(descriptor, _MARK.size)
        fresh.replace(path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, mark


def _entries(path: Path) -> Iterator[tuple[int, bytes]]:
    """The entries after the mark, without one that was cut off."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if len(content) < _MARK.size:
        return
    at = max(_MARK.unpack_from(content)[0], _MARK.size)
    while at + _HEAD.size <= len(content):
        number, size = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        if at + size > len(content):
            return
        yield number, content[at : at + size]
        at += size
