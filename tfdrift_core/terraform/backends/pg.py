"""The ``pg`` backend: a table ``states`` of id, name (the workspace) and data.

https://developer.hashicorp.com/terraform/language/backend/pg
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.backends.base import Content, Context, Ref, check_size, options
from tfdrift_core.terraform.backends.sent import Sent, server_of
from tfdrift_core.terraform.scan import StateError

if TYPE_CHECKING:
    import psycopg


_FOR_OTHERS = frozenset({"hostaddr", "passfile", "service", "sslcert", "sslkey"})
"""Parameters that send to one host what belongs to another."""


@dataclass(frozen=True, slots=True)
class Options:
    """``conn_str``, ``schema_name`` and ``table_name``, which OpenTofu knows, may come from ``PG_CONN_STR``,
    ``PG_SCHEMA_NAME`` and ``PG_TABLE_NAME``, the password from ``PGPASSWORD`` or ``PGPASSFILE``; without ``workspace``
    all are loaded."""

    conn_str: str = ""
    schema_name: str = ""
    table_name: str = ""
    workspace: str = ""


class Pg:
    locks_are_listed = False

    def __init__(self, settings: Options, context: Context) -> None:
        try:
            import psycopg
        except ImportError:
            raise ConfigError("state backend pg: psycopg is missing; pip install 'tfdrift-falco[postgres]'") from None
        self._psycopg = psycopg
        self._context = context
        self._target = settings.conn_str or os.environ.get("PG_CONN_STR", "")
        self._schema = settings.schema_name or os.environ.get("PG_SCHEMA_NAME") or "terraform_remote_state"
        self._table = settings.table_name or os.environ.get("PG_TABLE_NAME") or "states"
        self._workspace = settings.workspace
        try:
            parts = psycopg.conninfo.conninfo_to_dict(self._target)
        except psycopg.ProgrammingError as error:
            raise ConfigError(f"state backend pg: conn_str: {str(error).strip()}") from None
        if settings.conn_str and parts.get("password"):
            raise ConfigError("state backend pg: conn_str holds a password; use PGPASSWORD or PG_CONN_STR instead")
        host, port, name = parts.get("host", "localhost"), parts.get("port", 5432), parts.get("dbname", "")
        table = "" if self._table == "states" else f"&table={self._table}"
        self.origin = f"pg://{host}:{port}/{name}?schema={self._schema}{table}"
        self.sent = Sent(
            server_of(f"pg://{parts.get('hostaddr') or host}:{port}"),
            "PGPASSWORD" if os.environ.get("PGPASSWORD") else ", ".join(sorted(_FOR_OTHERS & parts.keys())),
            bound=not settings.conn_str,
        )

    def refs(self) -> Sequence[Ref]:
        # xmin is the transaction that wrote the row: it changes with every write, and reading it costs nothing.
        rows = self._query("SELECT id, name, xmin::text FROM {} WHERE %s IN ('', name)", [self._workspace])
        if not rows:
            raise StateError("no state is there; check schema_name and workspace")
        return [Ref(f"{self.origin}#{name}", f"{key} {name}", name, version) for key, name, version in rows]

    def read(self, ref: Ref, known: str) -> Content | None:
        _, _, name = ref.key.partition(" ")
        ((size,),) = self._query("SELECT sum(octet_length(data)) FROM {} WHERE name = %s", [name])
        check_size(size or 0, self._context)
        rows = self._query("SELECT data, xmin::text FROM {} WHERE name = %s", [name])
        if not rows:
            raise StateError("the state is gone; terraform apply writes it")
        return Content(rows[0][0].encode(), rows[0][1])

    def locked(self, ref: Ref) -> bool:
        key = int(ref.key.partition(" ")[0])
        held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND granted"
        return bool(self._query(held, [key]))

    def close(self) -> None:
        """Every check has a connection of its own."""

    def _query(self, text: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        psycopg = self._psycopg
        try:
            with self._connection() as connection:
                query = psycopg.sql.SQL(text).format(psycopg.sql.Identifier(self._schema, self._table))
                return connection.execute(query, parameters).fetchall()
        except psycopg.errors.UndefinedTable:
            raise StateError(f"no table {self._table} is in schema {self._schema}; check schema_name") from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise StateError(
                f"{_line(error)}; grant USAGE on schema {self._schema} and SELECT on its table {self._table}"
            ) from None
        except psycopg.errors.QueryCanceled:
            raise StateError("the server is too slow; it is tried again later") from None
        except psycopg.OperationalError as error:
            raise StateError(f"{_line(error)}; check conn_str, PGPASSWORD and that the server runs") from None
        except psycopg.Error as error:
            raise StateError(f"{_line(error)}; it is tried again later") from None

    def _connection(self) -> "AbstractContextManager[psycopg.Connection[tuple[Any, ...]]]":
        return self._psycopg.connect(
            self._target,
            autocommit=True,
            connect_timeout=max(2, int(min(10.0, self._context.timeout))),
            options=f"-c statement_timeout={int(self._context.deadline * 1000)} -c default_transaction_read_only=on",
            application_name="tfdrift",
        )


def create(given: Mapping[str, Any], context: Context) -> Pg:
    return Pg(options(Options, given, "pg"), context)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
