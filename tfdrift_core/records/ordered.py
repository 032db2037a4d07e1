"""Many records in the order of their times."""

import json
import sqlite3
from collections.abc import Iterable, Iterator

import orjson

from tfdrift_core.records.record import Record


class Ordered:
    """Records in the order of their times, whatever order they came in.

    A trail is one folder for each account and region, so that none of its files is the next of another.  Records wait
    in a database that SQLite keeps in memory, and beyond that in a file that only this process can open.
    """

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", check_same_thread=False)
        self._rows.execute("CREATE TABLE record (time INTEGER, raw BLOB)")

    def add(self, records: Iterable[Record]) -> None:
        self._rows.executemany("INSERT INTO record VALUES (?, ?)", ((one.time, _bytes(one)) for one in records))

    def __iter__(self) -> Iterator[Record]:
        rows = self._rows.execute("SELECT raw FROM record ORDER BY time, rowid")
        return (_record(raw) for (raw,) in rows)

    @property
    def first(self) -> int:
        """The time of the oldest that tells one, in nanoseconds since the epoch; 0 where none does."""
        ((time,),) = self._rows.execute("SELECT min(time) FROM record WHERE time > 0")
        return time or 0

    def close(self) -> None:
        self._rows.close()


def _bytes(record: Record) -> bytes:
    try:
        return orjson.dumps(record.raw)
    except orjson.JSONEncodeError:
        # Halves of surrogate pairs, and numbers beyond 64 bits.
        return json.dumps(record.raw).encode()


def _record(raw: bytes) -> Record:
    try:
        return Record(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return Record(json.loads(raw))
