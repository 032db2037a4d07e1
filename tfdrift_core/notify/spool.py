"""Alerts that wait for their targets, and the ids of those that were taken before: survives restarts and failures."""

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from tfdrift_core.output.alert import Alert
from tfdrift_core.private import open_private

KEEP_SEEN = 14 * 24 * 3600.0
"""How long an id is remembered, in seconds: longer than CloudTrail and its queues deliver late or twice."""

KEEP_TOLD = 400 * 24 * 3600.0
"""How long it is remembered who was told of a drift, in seconds, if its end is never heard of."""

CLAIM = 300.0
"""How long one process may take over sending before another may try, in seconds."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS waiting (
    target TEXT NOT NULL, id TEXT NOT NULL, alert TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, next REAL NOT NULL, PRIMARY KEY (target, id)
);
CREATE TABLE IF NOT EXISTS told (target TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (target, id));
"""


class SpoolError(Exception):
    """The spool cannot be used; the message says where and what to do."""


class Spool:
    """A SQLite file.  Several processes may use it: Falco starts one for every alert unless ``keep_alive`` is set.

    Times are seconds since the epoch and are given by the caller.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(open_private(path))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._db.executescript(f"PRAGMA journal_mode=WAL; {_SCHEMA}")
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"cannot use the spool {path}: {error}; name a writable file with --spool") from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise SpoolError(f"cannot use the spool {self._path}: {error}; is the disk full?") from error

    def add(self, alert: Alert, targets: Sequence[str], now: float, due: float) -> bool:
        """Let ``targets`` wait for the alert until ``due``; False if an alert of its id was added before.

        The end of a drift goes to whoever was told of the drift, too, and never before it.
        """
        with self._transaction() as db:
            db.execute("DELETE FROM seen WHERE at < ?", (now - KEEP_SEEN,))
            db.execute("DELETE FROM waiting WHERE next < ?", (now - KEEP_SEEN,))
            if db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (alert.id, now)).rowcount == 0:
                return False
            text = json.dumps(asdict(alert))
            db.execute("DELETE FROM told WHERE at < ?", (now - KEEP_TOLD,))
            if alert.kind == "resolved":
                told = db.execute("DELETE FROM told WHERE id = ? RETURNING target", (alert.told,)).fetchall()
                targets = list(dict.fromkeys([*targets, *(target for (target,) in told)]))
            else:
                names = [(target, alert.told, now) for target in targets]
                db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", names)
            dues = dict(db.execute("SELECT target, max(next) FROM waiting WHERE id = ? GROUP BY target", (alert.told,)))
            rows = [(target, alert.id, text, max(due, dues.get(target, due))) for target in targets]
            db.executemany("INSERT OR IGNORE INTO waiting (target, id, alert, next) VALUES (?, ?, ?, ?)", rows)
        return True

    def claim(self, target: str, now: float, horizon: float, limit: int) -> list[Alert]:
        """The alerts due at ``target`` up to ``horizon``, but none while none is due ``now``.

        Nobody else gets them until they are settled or the claim has run out.
        """
        with self._transaction() as db:
            (first,) = db.execute("SELECT min(next) FROM waiting WHERE target = ?", (target,)).fetchone()
            if first is None or first > now:
                return []
            rows = db.execute(
                "SELECT id, alert FROM waiting WHERE target = ? AND next <= ? ORDER BY next, rowid LIMIT ?",
                (target, horizon, limit),
            ).fetchall()
            claimed = [(now + CLAIM, target, id) for id, _ in rows]
            db.executemany("UPDATE waiting SET next = ? WHERE target = ? AND id = ?", claimed)
        return [_alert(text) for _, text in rows]

    def sent(self, target: str, alerts: Sequence[Alert]) -> None:
        with self._transaction() as db:
            rows = [(target, alert.id) for alert in alerts]
            db.executemany("DELETE FROM waiting WHERE target = ? AND id = ?", rows)

    def failed(self, target: str, now: float) -> float:
        """Let everything at ``target`` wait, longer each time (10 s doubling up to an hour); until when."""
        with self._transaction() as db:
            (attempts,) = db.execute(
                "SELECT coalesce(max(attempts), 0) FROM waiting WHERE target = ?", (target,)
            ).fetchone()
            due = now + min(10.0 * 2 ** min(attempts, 20), 3600.0)
            db.execute("UPDATE waiting SET attempts = ?, next = ? WHERE target = ?", (attempts + 1, due, target))
        return float(due)

    def next_due(self, targets: Sequence[str]) -> float | None:
        """When the next alert for one of ``targets`` is due; what waits for others waits until they are back."""
        marks = ", ".join("?" * len(targets))
        query = f"SELECT min(next) FROM waiting WHERE target IN ({marks})"  # noqa: S608, only question marks go in
        with closing(self._db.execute(query, tuple(targets))) as rows:
            found = rows.fetchone()[0]
        return None if found is None else float(found)


def _alert(text: str) -> Alert:
    raw = json.loads(text)
    return Alert(**{**raw, "tags": tuple(raw["tags"])})
