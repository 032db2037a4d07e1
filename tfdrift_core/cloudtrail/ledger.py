"""What has been handed over already, remembered over restarts: nothing is lost, nothing is reported twice.

Three things are kept in ``data_dir``: the ids of records whose batches are done (``seen``), how far each source has
come (``checkpoint``), and the ids of events that were handed over while their batch was not done yet (file ``handed``).
A batch is first settled here and then acknowledged to its source.  After a crash at any point the source delivers an
unacknowledged batch again: if it was settled, its records are dropped; if not, its events are made anew, with the same
ids, and those in ``handed`` are dropped.

The pipeline's part::

    claim = ledger.claim(batch, records)   # of all documents of the batch
    for event in engine.process(claim.records):
        if not ledger.was_handed(claim, event.id):
            sink.put(event)
    ...                                    # once sink.handed_over() has passed the batch's last event:
    ledger.settle(claim)
    source.acknowledge(batch)

The sink's part: ``ledger.handed([event.id, ...])`` the moment that the reader has finished with events.
"""

import fcntl
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tfdrift_core.cloudtrail.record import Record
from tfdrift_core.cloudtrail.source import Batch, SourceError

WINDOW_SECONDS: Final = 7 * 86_400
"""So long a duplicate may come late; SQS keeps a message for 4 days unless told otherwise."""

WINDOW_RECORDS: Final = 2_000_000
REPLAY_RECORDS: Final = 200_000
"""Window of records from local files, which is kept in memory only."""

GLOBAL_SERVICES: Final = frozenset(
    {
        "cloudfront.amazonaws.com",
        "globalaccelerator.amazonaws.com",
        "iam.amazonaws.com",
        "organizations.amazonaws.com",
        "route53.amazonaws.com",
        "route53domains.amazonaws.com",
        "sts.amazonaws.com",
        "waf.amazonaws.com",
    }
)
"""Their records may reach every region's trail; https://docs.aws.amazon.com/awscloudtrail/latest/userguide/
cloudtrail-concepts.html, "Global service events"."""

_HANDED_BYTES = 16
_HANDED_FILE_LIMIT = 1 << 20
_LOCK_SECONDS = 10.0
_VERSION = 1

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen (at);
CREATE TABLE IF NOT EXISTS checkpoint (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_log = logging.getLogger("tfdrift.ledger")


@dataclass(frozen=True, slots=True)
class Claim:
    """The records of one batch that are new, oldest first, and their keys."""

    records: list[Record]
    keys: tuple[bytes, ...]
    durable: bool


class Ledger:
    """Safe to use from several threads.  With an empty ``data_dir`` everything is kept in memory.

    :raises SourceError: when ``data_dir`` cannot be used, or another process uses it.
    """

    def __init__(self, data_dir: str = "") -> None:
        self._lock = threading.Lock()
        self._claimed: set[bytes] = set()
        self._replayed: dict[bytes, None] = {}
        self._handed: set[bytes] = set()
        self._settled = 0
        self._failed = False
        self._handed_fd = self._lock_fd = -1
        self._directory = Path(data_dir) if data_dir else None
        if self._directory is None:
            _log.warning("no data_dir: checkpoints are kept in memory, and a restart begins anew")
            self._database = _connect(":memory:")
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock_fd = _exclusive(self._directory / "lock")
            self._database = _open(self._directory / "ledger.sqlite")
            self._read_handed(self._directory / "handed")
        except (OSError, sqlite3.Error) as error:
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
            raise SourceError(f"data_dir {data_dir}: {error}; give a directory that this process may write") from error

    def claim(self, batch: Batch, records: Iterable[Record]) -> Claim:
        """The records that are new, in the order of their time (files of CloudTrail are not ordered)."""
        fresh, keys = [], []
        with self._lock:
            for record in records:
                own = _keys(record)
                if any(self._known(key, batch.durable) for key in own):
                    continue
                fresh.append(record)
                keys += own
                self._claimed.update(own)
        fresh.sort(key=lambda record: record.time)
        return Claim(fresh, tuple(keys), batch.durable)

    def was_handed(self, claim: Claim, event_id: str) -> bool:
        """Whether an event of a batch that is not settled was handed over before a crash."""
        return claim.durable and bool(self._handed) and _digest(event_id) in self._handed

    def handed(self, event_ids: Iterable[str]) -> None:
        """The reader has finished with these events.  To be called at once: what a crash finds between the alert and
        this call is reported again (with the same ``drift.id``)."""
        if self._handed_fd >= 0:
            # One system call: it is in the kernel's hands, and kill -9 cannot take it back.
            os.write(self._handed_fd, b"".join(map(_digest, event_ids)))

    def settle(self, claim: Claim) -> None:
        """Every event of the batch has been handed over; call before acknowledging the batch to its source."""
        with self._lock:
            if claim.durable and claim.keys:
                now = int(time.time())
                self._write("INSERT OR IGNORE INTO seen VALUES (?, ?)", [(key, now) for key in claim.keys])
            elif claim.keys:
                self._replayed.update(dict.fromkeys(claim.keys))
                while len(self._replayed) > REPLAY_RECORDS:
                    del self._replayed[next(iter(self._replayed))]
            self._claimed.difference_update(claim.keys)
            self._settled += 1
            if self._settled % 1000 == 0:
                self._prune()
            if not self._claimed:
                self._forget_handed()

    def checkpoint(self, name: str) -> Any:
        """What ``save`` was last given under this name, or None."""
        with self._lock:
            row = self._database.execute("SELECT value FROM checkpoint WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def save(self, name: str, value: Any) -> None:
        with self._lock:
            self._write("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", [(name, json.dumps(value))])

    def close(self) -> None:
        with self._lock:
            self._database.close()
            for descriptor in (self._handed_fd, self._lock_fd):
                if descriptor >= 0:
                    os.close(descriptor)
            self._handed_fd = self._lock_fd = -1

    def _known(self, key: bytes, durable: bool) -> bool:
        if key in self._claimed:
            return True
        if not durable:
            return key in self._replayed
        return self._database.execute("SELECT 1 FROM seen WHERE key = ?", (key,)).fetchone() is not None

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            if not self._failed:
                _log.error("data_dir: cannot be written: %s; a restart may report changes again", error)
            self._failed = True
            return
        if self._failed:
            _log.warning("data_dir: can be written again")
            self._failed = False

    def _prune(self) -> None:
        oldest = int(time.time()) - WINDOW_SECONDS
        self._write("DELETE FROM seen WHERE at < ?", [(oldest,)])
        (count,) = self._database.execute("SELECT count(*) FROM seen").fetchone()
        if count > WINDOW_RECORDS:
            row = self._database.execute("SELECT at FROM seen ORDER BY at DESC LIMIT 1 OFFSET ?", (WINDOW_RECORDS,))
            self._write("DELETE FROM seen WHERE at <= ?", [row.fetchone()])

    def _read_handed(self, path: Path) -> None:
        self._handed_fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = path.read_bytes()
        whole = len(data) - len(data) % _HANDED_BYTES
        if whole != len(data):
            os.ftruncate(self._handed_fd, whole)
        self._handed = {data[at : at + _HANDED_BYTES] for at in range(0, whole, _HANDED_BYTES)}

    def _forget_handed(self) -> None:
        """With no batch under way, the file tells nothing that ``seen`` does not; it is emptied when it is large."""
        if self._handed_fd >= 0 and os.fstat(self._handed_fd).st_size > _HANDED_FILE_LIMIT:
            os.ftruncate(self._handed_fd, 0)
            self._handed = set()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HANDED_BYTES).digest()


def _keys(record: Record) -> list[bytes]:
    """What makes two records the same one; a record without an id is never a duplicate."""
    keys = [_digest(record.id)] if record.id else []
    request = record.raw.get("requestID")
    if record.event_source in GLOBAL_SERVICES and isinstance(request, str) and request:
        keys.append(_digest(f"{record.account} {record.event_name} {request}"))
    return keys


def _connect(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, timeout=_LOCK_SECONDS)
    database.executescript(_SCHEMA)
    return database


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(str(path))
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = path.with_suffix(".damaged")
        path.rename(aside)
        _log.error("%s: %s; moved to %s, and checkpoints begin anew", path, error, aside.name)
        return _connect(str(path))


def _exclusive(path: Path) -> int:
    """Two processes on one directory would each forget what the other has done."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise OSError("is in use by another process") from None
            time.sleep(0.1)
        else:
            return descriptor
