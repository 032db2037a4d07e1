"""Open drift in ``data_dir``: the pipeline writes it, ``tfdrift open`` shows it, and people acknowledge it."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qsl

from tfdrift_core.config import Aws, ConfigError

DATABASE: Final = "ledger.sqlite"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remembered (
    state TEXT NOT NULL, address TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (state, address)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acknowledged (
    id TEXT PRIMARY KEY, reason TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verified (
    state TEXT NOT NULL, address TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (state, address)
) WITHOUT ROWID;
"""

_WAIT_SECONDS: Final = 5.0
_STORE: Final = "dynamodb://"
_STORE_OPTIONS: Final = frozenset({"region", "profile", "role_arn", "external_id", "endpoint_url"})

Key = tuple[str, str]
"""State and address, as ``drift.memory`` has them."""

Documents = Mapping[Key, bytes | None]
"""What is to be kept of each resource, ``None`` for nothing."""


_Answer = TypeVar("_Answer")


class Left(NamedTuple):
    """How records up to ``moment`` (nanoseconds since the epoch) left a resource; ``None`` if nothing is to be kept."""

    moment: int
    document: bytes | None


Recall = Callable[[Key], Left | None]
"""What any replica left of a resource last; ``None`` where nobody did, or nobody can tell."""


class Shared(Protocol):
    """What replicas of one queue know of each other; ``delivery.shared`` describes each method."""

    @property
    def salt(self) -> bytes: ...
    def owns(self, event_id: str) -> bool: ...
    def done(self, event_ids: Iterable[str]) -> None: ...
    def recall(self, key: Key) -> Left | None: ...
    def keep(self, documents: Documents, moment: int) -> None: ...
    def remembered(self) -> Sequence[tuple[Key, bytes]]: ...
    def silenced(self) -> frozenset[str]: ...
    def found(self) -> Sequence[tuple[Key, bytes]]: ...
    def taken(self, found: Iterable[tuple[Key, bytes]]) -> None: ...


class OpenStore(Protocol):
    """Shows what is open and takes acknowledgements.  Every method raises ``StoreError`` when it cannot."""

    def documents(self) -> list[tuple[Key, bytes]]: ...
    def acknowledgements(self) -> "Mapping[str, Acknowledgement]": ...
    def acknowledge(self, acknowledgement: "Acknowledgement") -> None: ...
    def withdraw(self, id: str) -> bool: ...
    @property
    def salt(self) -> bytes: ...
    def verify(self, findings: Mapping[Key, bytes]) -> None: ...
    def verified(self) -> Sequence[tuple[Key, bytes]]: ...


class StoreError(Exception):
    """Open drift cannot be read or written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody knows of a drift: no reminders until ``until`` (seconds since the epoch; ``None`` is for good)."""

    id: str
    reason: str
    by: str
    at: int
    until: int | None = None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


def salt(database: sqlite3.Connection) -> bytes:
    """The salt of digests of secrets: those of this directory can be compared with each other and with no others."""
    with database:
        database.execute("INSERT OR IGNORE INTO secret VALUES ('salt', ?)", (os.urandom(16),))
    (value,) = database.execute("SELECT value FROM secret WHERE name = 'salt'").fetchone()
    return bytes(value)


def replica(database: sqlite3.Connection) -> str:
    """The name of this directory's replica among those that share a store."""
    with database:
        database.execute("INSERT OR IGNORE INTO secret VALUES ('replica', ?)", (os.urandom(16),))
    (value,) = database.execute("SELECT value FROM secret WHERE name = 'replica'").fetchone()
    return bytes(value).hex()


def remembered(database: sqlite3.Connection) -> Iterator[tuple[Key, bytes]]:
    for state, address, document in database.execute("SELECT state, address, document FROM remembered"):
        yield (state, address), bytes(document)


def write(database: sqlite3.Connection, documents: Documents) -> None:
    """Keep or drop what is remembered; the caller owns the transaction."""
    gone = [key for key, document in documents.items() if document is None]
    kept = [(*key, document) for key, document in documents.items() if document is not None]
    database.executemany("DELETE FROM remembered WHERE state = ? AND address = ?", gone)
    database.executemany("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)", kept)


def verified(database: sqlite3.Connection) -> Sequence[tuple[Key, bytes]]:
    """What ``tfdrift verify`` found of each resource, and the plugin has not taken over yet."""
    rows = database.execute("SELECT state, address, document FROM verified")
    return [((state, address), bytes(document)) for state, address, document in rows]


TAKEN: Final = "DELETE FROM verified WHERE state = ? AND address = ? AND document = ?"
"""What was found is taken over; what was found since stays."""


def acknowledgements(database: sqlite3.Connection) -> Mapping[str, Acknowledgement]:
    """Every acknowledgement by the id of its drift, expired ones too."""
    rows = database.execute("SELECT id, reason, by, at, until FROM acknowledged")
    return {row[0]: Acknowledgement(*row) for row in rows}


def store_of(url: str, reach: Aws) -> tuple[str, Aws]:
    """Table and credentials of ``dynamodb://table?region=eu-central-1``.

    :raises ConfigError: when it is not such a URL.
    """
    table, _, query = url.removeprefix(_STORE).partition("?")
    options = dict(parse_qsl(query))
    if not url.startswith(_STORE) or not table or "/" in table:
        raise ConfigError(
            f"init_config.store: {url!r} is no store; write dynamodb://TABLE, with ?region=REGION if needed"
        )
    for name in options.keys() - _STORE_OPTIONS:
        raise ConfigError(f"init_config.store: unknown option {name}; known are {', '.join(sorted(_STORE_OPTIONS))}")
    return table, replace(reach, **options)  # type: ignore[arg-type]  # every one of them is text


class OpenDrift:
    """The open drift of a ``data_dir``, while a pipeline may be using it.

    :raises StoreError: when there is none, or it cannot be used.
    """

    def __init__(self, data_dir: str) -> None:
        self._path = Path(data_dir) / DATABASE
        try:
            there = self._path.is_file()
        except OSError as error:
            raise StoreError(
                f"{self._path}: {error.strerror}; run this command as the user that Falco runs as"
            ) from error
        if not there:
            raise StoreError(f"{self._path}: no such file; check data_dir, and that TFDrift has run with it")

    def documents(self) -> list[tuple[Key, bytes]]:
        return self._ask(lambda database: list(remembered(database)))

    def acknowledgements(self) -> Mapping[str, Acknowledgement]:
        return self._ask(acknowledgements)

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        row = (
            acknowledgement.id,
            acknowledgement.reason,
            acknowledgement.by,
            acknowledgement.at,
            acknowledgement.until,
        )
        self._change("INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?, ?, ?)", [row])

    def withdraw(self, id: str) -> bool:
        """Take an acknowledgement back; whether there was one."""
        known = id in self.acknowledgements()
        self._change("DELETE FROM acknowledged WHERE id = ?", [(id,)])
        return known

    @property
    def salt(self) -> bytes:
        """The salt of digests of secrets in this directory."""

        def known(database: sqlite3.Connection) -> bytes:
            row = database.execute("SELECT value FROM secret WHERE name = 'salt'").fetchone()
            return bytes(row[0]) if row else b""

        return self._ask(known)

    def verify(self, findings: Mapping[Key, bytes]) -> None:
        """Store what Terraform said of each resource, for the plugin and for ``tfdrift open``."""
        rows = [(*key, document) for key, document in findings.items()]
        self._change("INSERT OR REPLACE INTO verified VALUES (?, ?, ?)", rows)

    def verified(self) -> Sequence[tuple[Key, bytes]]:
        """Findings by resource; none where an older TFDrift uses the directory, which has no such table."""

        def known(database: sqlite3.Connection) -> Sequence[tuple[Key, bytes]]:
            there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'verified'").fetchone()
            return verified(database) if there else ()

        return self._ask(known)

    def _ask(self, question: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        try:
            with closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)
            ) as found:
                return question(found)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS)) as found, found:
                found.executemany(statement, rows)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.Error) -> StoreError:
        if "no such table" in str(error):
            return StoreError(f"{self._path}: was written by an older TFDrift; run this version once with it")
        return StoreError(f"{self._path}: {error}; run this command as the user that Falco runs as")
