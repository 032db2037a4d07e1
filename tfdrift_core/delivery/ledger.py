"""Remembers over restarts what was handed over, so that nothing is lost and nothing is reported twice.

Five things are kept in ``data_dir``: digests of records whose batches are done (``seen``), how far each source has
come (``checkpoint``), what the records left of each resource (``remembered``), a journal of the events of batches that
are not done, and the events that the reader took last (``recent``).  A batch is first settled here, its digests and
what it left in one transaction, and then acknowledged to its source.  After a crash at any point the source delivers an
unacknowledged batch again: if it was settled, its records are dropped; if not, its events are made anew, with the same
ids, and those that the journal shows as handed over are dropped.

The journal is a file of numbered event ids, each written before its event is offered to the reader, behind one number:
how many events the reader has finished with.  That number is mapped into memory, so that the reader's side moves it
with one store, from C too; nothing but the machine's own crash takes either back.
"""

import errno
import fcntl
import hashlib
import json
import logging
import mmap
import os
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tfdrift_core.delivery import drifts
from tfdrift_core.delivery.recent import Recent
from tfdrift_core.private import open_private
from tfdrift_core.records.places import GLOBAL_SERVICES
from tfdrift_core.records.record import Record, digest
from tfdrift_core.sources.base import Batch, NotYetError, SourceError

WINDOW_SECONDS: Final = 7 * 86_400
"""So long a duplicate may come late; SQS keeps a message for 4 days unless told otherwise."""

WINDOW_RECORDS: Final = 2_000_000
REPLAY_RECORDS: Final = 200_000
"""Window of records from local files, which is kept in memory only; at times half as many."""

_OF_ONE_COPY = frozenset({"eventID", "awsRegion"})
"""What the copies of one record that come through several regions differ in."""

_DIGEST_BYTES = 16
_HEADER = struct.Struct("=QQ")
_ENTRY = struct.Struct(f"=Q{_DIGEST_BYTES}s")
_JOURNAL_LIMIT = 1 << 20
_LOCK_SECONDS = 2.0
_DATABASE_SECONDS = 10.0

_SCHEMA = (
    """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
CREATE TABLE IF NOT EXISTS checkpoint (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
    + drifts.SCHEMA
)

_log = logging.getLogger("tfdrift.ledger")


@dataclass(frozen=True, slots=True)
class Claim:
    """The records of one batch that are new, oldest first, and their keys."""

    records: list[Record]
    keys: tuple[bytes, ...]
    durable: bool


class Ledger:
    """Safe to use from several threads.  With an empty ``data_dir`` everything is kept in memory.

    :raises SourceError: when ``data_dir`` cannot be used; ``NotYetError`` while another process uses it or it is full.
    """

    def __init__(self, data_dir: str = "", redeliver: float = 0.0) -> None:
        """``redeliver`` is how many seconds before a stop count as uncertain; see ``recent``."""
        self._lock = threading.Lock()
        self._claimed: set[bytes] = set()
        # The older half is forgotten as a whole: taking single keys from a dict's front is ever slower.
        self._replayed: tuple[set[bytes], set[bytes]] = set(), set()
        self._settled = 0
        self._unread, self._unwritten = _Trouble("a part of the ledger"), _Trouble("the ledger")
        self._lock_fd = -1
        self._recent: Recent | None = None
        self._directory = Path(data_dir) if data_dir else None
        if self._directory is None:
            self._database = _connect(":memory:")
            self._journal = _Journal(None)
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_fd = _exclusive(self._directory / "lock")
            self._database = _open(self._directory / drifts.DATABASE)
            # First: what the last process took is known from the journal that it left.
            self._recent = _recent(self._directory / "recent", redeliver, _taken(self._directory / "journal"))
            self._journal = _Journal(self._directory / "journal")
        except BlockingIOError as error:
            raise NotYetError(
                f"data_dir {data_dir}: is in use by another process; end that, or give each a directory of its own"
            ) from error
        except (OSError, sqlite3.Error) as error:
            if self._recent is not None:
                self._recent.close()
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
            if _is_full(error):
                raise NotYetError(f"data_dir {data_dir}: its disk is full; free some of it") from error
            raise SourceError(f"data_dir {data_dir}: {error}; give a directory that this process may write") from error

    def restart(self) -> None:
        """Forget the batches that are not settled: the sources deliver them again."""
        with self._lock:
            self._claimed.clear()
            self._journal.restart()

    def claim(self, batch: Batch, records: Iterable[Record]) -> Claim:
        """The records that are new, in the order of their time (files of CloudTrail are not ordered)."""
        fresh, keys = [], []
        with self._lock:
            for record in records:
                own = _keys(record)
                if self._known(own, batch.durable):
                    continue
                fresh.append(record)
                keys += own
                self._claimed.update(own)
        fresh.sort(key=lambda record: record.time)
        return Claim(fresh, tuple(keys), batch.durable)

    def offer(self, claim: Claim, event_id: str) -> bool:
        """Call this before an event is given to the reader.  False if the reader had it before a crash."""
        return self._journal.offer(event_id, claim.durable)

    def keep(self, claim: Claim, content: Callable[[], bytes]) -> None:
        """Keep the bytes from which the event that was offered last can be made again after a restart."""
        if self._recent is not None and claim.durable:
            self._recent.keep(self._journal.offered, content())

    @property
    def recent(self) -> Sequence[bytes]:
        """The bytes of the events that the reader took shortly before the last process ended."""
        return self._recent.events if self._recent is not None else ()

    def again(self, count: int) -> None:
        """Say how many of the ``recent`` events are given to the reader now, before any other event."""
        if self._recent is not None:
            self._journal.offered += count
            self._recent.again(self._journal.offered)

    def advance(self, count: int) -> None:
        """The reader has finished with the first ``count`` events that were offered since the start.

        To be called at once: what a crash finds between the alert and this call is reported again (with the same id).
        """
        self._journal.advance(count)
        if self._recent is not None:
            self._recent.advance(count)

    @property
    def progress(self) -> mmap.mmap | None:
        """Eight bytes in which C may advance instead, in the machine's byte order; None without ``data_dir``."""
        return self._journal.header

    def settle(self, claim: Claim, left: drifts.Documents = MappingProxyType({})) -> None:
        """Every event of the batch has been handed over; call before acknowledging the batch to its source.

        ``left`` is what is remembered from now on of the resources that the batch touched, ``None`` for nothing.
        """
        with self._lock:
            if claim.durable and (claim.keys or left):
                now = int(time.time())
                self._write("INSERT OR IGNORE INTO seen VALUES (?, ?)", [(key, now) for key in claim.keys], left)
            elif claim.keys:
                newer = self._replayed[1]
                newer.update(claim.keys)
                if len(newer) >= REPLAY_RECORDS // 2:
                    self._replayed = newer, set()
            self._claimed.difference_update(claim.keys)
            self._settled += 1
            if self._settled % 1000 == 0:
                self._prune()
            if not self._claimed:
                # With no batch under way the journal tells nothing that ``seen`` does not.
                self._journal.shorten()

    @property
    def salt(self) -> bytes:
        """The salt of digests; see ``drifts.salt``."""
        with self._lock:
            return drifts.salt(self._database)

    @property
    def replica(self) -> str:
        """This replica's name; see ``drifts.replica``."""
        with self._lock:
            return drifts.replica(self._database)

    def remembered(self) -> Sequence[tuple[drifts.Key, bytes]]:
        """How settled batches left each resource."""
        with self._lock:
            return list(drifts.remembered(self._database))

    def silenced(self) -> frozenset[str]:
        """The ids of acknowledged drift: nobody is reminded of it."""
        now = time.time()
        with self._lock:
            return frozenset(id for id, note in drifts.acknowledgements(self._database).items() if note.holds(now))

    def found(self) -> Sequence[tuple[drifts.Key, bytes]]:
        """What ``tfdrift verify`` found and was not marked as ``taken`` yet."""
        with self._lock:
            try:
                return drifts.verified(self._database)
            except sqlite3.Error as error:
                self._unread.failed(error)
                return ()

    def taken(self, found: Iterable[tuple[drifts.Key, bytes]]) -> None:
        """Mark a finding as settled."""
        with self._lock:
            self._write(drifts.TAKEN, [(*key, document) for key, document in found])

    def checkpoint(self, name: str) -> Any:
        """The value last saved under this name, or None."""
        with self._lock:
            row = self._row("SELECT value FROM checkpoint WHERE name = ?", name)
        return None if row is None else json.loads(row[0])

    def save(self, name: str, value: Any) -> None:
        with self._lock:
            self._write("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", [(name, json.dumps(value))])

    def close(self) -> None:
        with self._lock:
            self._database.close()
            self._journal.close()
            if self._recent is not None:
                self._recent.close()
                self._recent = None
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
            self._lock_fd = -1

    def _known(self, keys: Sequence[bytes], durable: bool) -> bool:
        """Whether any of a record's keys was seen before."""
        if not self._claimed.isdisjoint(keys):
            return True
        if not durable:
            older, newer = self._replayed
            return not (older.isdisjoint(keys) and newer.isdisjoint(keys))
        return any(self._row("SELECT 1 FROM seen WHERE key = ?", key) is not None for key in keys)

    def _row(self, query: str, *values: Any) -> Any:
        """The first row, or None.  None also if the database cannot be read: a duplicate is better than a loss."""
        try:
            return self._database.execute(query, values).fetchone()
        except sqlite3.Error as error:
            self._unread.failed(error)
            return None

    def _write(
        self,
        statement: str,
        rows: Sequence[tuple[Any, ...]],
        left: drifts.Documents = MappingProxyType({}),
    ) -> None:
        try:
            with self._database:
                self._database.executemany(statement, rows)
                drifts.write(self._database, left)
        except sqlite3.Error as error:
            self._unwritten.failed(error)
        else:
            self._unwritten.ended()

    def _prune(self) -> None:
        oldest = int(time.time()) - WINDOW_SECONDS
        self._write("DELETE FROM seen WHERE at < ?", [(oldest,)])
        if row := self._row("SELECT at FROM seen ORDER BY at DESC LIMIT 1 OFFSET ?", WINDOW_RECORDS):
            self._write("DELETE FROM seen WHERE at <= ?", [row])


class _Trouble:
    """Logs once that ``what`` in data_dir fails, and once that it works again."""

    def __init__(self, what: str) -> None:
        self._what, self._failing = what, False

    def failed(self, error: Exception) -> None:
        if not self._failing:
            _log.error("data_dir: %s cannot be used: %s; a restart may report changes again", self._what, error)
        self._failing = True

    def ended(self) -> None:
        if self._failing:
            _log.warning("data_dir: %s can be used again", self._what)
        self._failing = False


def _taken(journal: Path) -> int:
    """How many of its own events the process that wrote the journal knew to be taken."""
    if not journal.exists():
        return 0
    with journal.open("rb") as file:
        header = file.read(_HEADER.size)
    return int(_HEADER.unpack(header)[0]) if len(header) == _HEADER.size else 0


def _recent(path: Path, seconds: float, count: int) -> Recent | None:
    if seconds > 0:
        return Recent(path, seconds, count)
    path.unlink(missing_ok=True)
    return None


class _Journal:
    """The events of unfinished batches; without a path it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self.offered = 0
        self._had: set[bytes] = set()
        self._written: set[bytes] = set()
        self._fd = -1
        self._trouble = _Trouble("the journal")
        self.header: mmap.mmap | None = None
        if path is None:
            return
        if path.exists():
            data = path.read_bytes()
            count = _taken(path)
            whole = len(data) - (len(data) - _HEADER.size) % _ENTRY.size
            entries = _ENTRY.iter_unpack(data[_HEADER.size : whole]) if len(data) > _HEADER.size else ()
            self._had = {digest for number, digest in entries if number <= count}
        fresh = path.with_suffix(".new")
        # Number 0: handed over by an earlier process.
        fresh.unlink(missing_ok=True)
        self._fd = open_private(fresh, os.O_EXCL | os.O_APPEND)
        try:
            with os.fdopen(os.dup(self._fd), "wb") as file:
                file.write(_HEADER.pack(0, 0) + b"".join(_ENTRY.pack(0, digest) for digest in self._had))
            fresh.replace(path)
            self.header = mmap.mmap(self._fd, _HEADER.size)
        except OSError:
            os.close(self._fd)
            raise

    def offer(self, event_id: str, durable: bool) -> bool:
        digest = _digest(event_id)
        if durable and digest in self._had:
            return False
        self.offered += 1
        if self._fd >= 0 and durable:
            self._write(_ENTRY.pack(self.offered, digest))
            self._written.add(digest)
        return True

    def _write(self, entry: bytes) -> None:
        size = os.fstat(self._fd).st_size
        try:
            if os.write(self._fd, entry) < len(entry):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # A part of an entry would shift all that follow it.
            os.ftruncate(self._fd, size)
            self._trouble.failed(error)
        else:
            self._trouble.ended()

    def advance(self, count: int) -> None:
        if self.header is not None and count > _HEADER.unpack_from(self.header)[0]:
            _HEADER.pack_into(self.header, 0, count, 0)

    def restart(self) -> None:
        """Begin a new run; events offered before are still on their way to the reader."""
        self._had |= self._written

    def shorten(self) -> None:
        if self._fd >= 0 and os.fstat(self._fd).st_size > _JOURNAL_LIMIT:
            os.ftruncate(self._fd, _HEADER.size)
            self._had.clear()
            self._written.clear()

    def close(self) -> None:
        if self.header is not None:
            # Not unmapped here: C may still have its address.
            self.header = None
            os.close(self._fd)
            self._fd = -1


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def _keys(record: Record) -> list[bytes]:
    """The keys by which a record is recognised: its whole content.  A record without an id is never a duplicate.

    With the id alone, a forged record could suppress the real one.
    """
    keys = [record.content] if record.id else []
    request = record.raw.get("requestID")
    if record.event_source in GLOBAL_SERVICES and isinstance(request, str) and request:
        keys.append(digest({name: value for name, value in record.raw.items() if name not in _OF_ONE_COPY}))
    return keys


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, timeout=_DATABASE_SECONDS)
    database.executescript(_SCHEMA)
    return database


def _open(path: Path) -> sqlite3.Connection:
    # SQLite gives its other files the mode of this one.
    os.close(open_private(path))
    try:
        return _connect(str(path))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = path.with_suffix(".damaged")
        path.rename(aside)
        os.close(open_private(path))
        _log.error("%s: %s; moved to %s, and checkpoints begin anew", path, error, aside.name)
        return _connect(str(path))


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _exclusive(path: Path) -> int:
    """Lock the directory: two processes would each overwrite what the other has done."""
    descriptor = open_private(path)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise
            time.sleep(0.1)
        else:
            return descriptor
