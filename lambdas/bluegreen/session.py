"""One connection to PostgreSQL: statements by name, bound values, errors by SQLSTATE, what is prepared."""

from __future__ import annotations

import re
import select
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pg8000.native

from .errors import DatabaseUnavailable, SqlError
from .quoting import identifier, literal

Row = dict[str, Any]

SLACK_S = 10
"""The server ends a statement by itself; so much longer its answer is waited for."""

ALIVE_TIMEOUT_S = 2
"""For a statement that costs nothing. A connection that is slower than that is made anew."""

TRUSTED_FOR_S = 0.1
"""A connection that was used less long ago is not asked whether it answers: a step asks for it again and again."""

STATEMENT_TIMEOUT_S = 50
"""Ends a statement before its function's own time runs out, so that the error is PostgreSQL's and names the cause."""

INVALID_PASSWORD = "28P01"  # noqa: S105 - an SQLSTATE
QUERY_CANCELED = "57014"
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED_OBJECT = "42704"
INVALID_CATALOG_NAME = "3D000"  # there is no such database
OBJECT_NOT_IN_PREREQUISITE_STATE = "55000"  # a template that takes no connections
OBJECT_IN_USE = "55006"
CONFIGURATION_LIMIT_EXCEEDED = "53400"  # such as max_replication_slots
_PASSING = (
    "08",  # connection exceptions
    "57P",  # shut down by an administrator, by a crash; cannot connect now
    "53300",  # too many connections
    "25006",  # read only: a failover is under way, and the endpoint still leads to the old writer
    "40",  # serialization failure, deadlock
    "55P03",  # lock not available within lock_timeout
)
"""Beginnings of SQLSTATEs that another attempt may not meet again."""


_QUERIES = {path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("queries/**/*.sql")}


def load(name: str) -> str:
    """The statement in ``queries/<name>.sql``; all were read at the start: the freeze is no time to look for files."""
    return _QUERIES[name]


class Session:
    """One connection to one database, in autocommit unless ``transaction`` is open. For one thread at a time."""

    def __init__(self, connection: pg8000.native.Connection, address: str) -> None:
        self._connection = connection
        self.memory: dict[Any, Any] = {}
        """What holds for as long as the session lasts, and is not asked for again."""
        self._prepared: dict[str, pg8000.native.PreparedStatement] = {}
        self._keeps_plans = False
        self._used_at = time.monotonic()
        self._is_spent = False
        self.address = address

    def run(self, sql: str, **parameters: Any) -> list[Row]:
        """Runs a statement, ``:name`` standing for its parameters; without parameters it may be several statements.

        Raises ``SqlError`` when PostgreSQL refuses, ``DatabaseUnavailable`` when the connection is lost.
        """
        if parameters and self._keeps_plans:
            return self._run_prepared(sql, parameters)
        with self._errors_translated():
            return _rows(self._connection.run(sql, **parameters), self._connection.columns)

    def query(self, name: str, /, **parameters: Any) -> list[Row]:
        """Runs ``queries/<name>.sql``; with parameters prepared, which from then on takes one round trip, not three."""
        return self._run_prepared(load(name), parameters) if parameters else self.run(load(name))

    def _run_prepared(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        with self._errors_translated():
            statement = self._prepare(sql)
            return _rows(statement.run(**parameters), statement.columns)

    def _prepare(self, sql: str) -> pg8000.native.PreparedStatement:
        if sql not in self._prepared:
            self._prepared[sql] = self._connection.prepare(sql)
        return self._prepared[sql]

    def keep_plans(self) -> None:
        """From now on a statement with parameters is prepared, and planned once, whatever its parameters are.

        For the freeze, in which planning takes longer than running.
        """
        self._keeps_plans = True
        self.run("SET plan_cache_mode = force_generic_plan")

    def prime(self, name: str) -> None:
        """Plans a statement without running it, so that what its first use costs is paid; the plan is kept."""
        names = dict.fromkeys(re.findall(r"(?<![:\w]):([a-z]\w*)", load(name)))
        if not names:
            self.run(f"EXPLAIN {load(name)}")
            return
        with self._errors_translated():
            prepared = identifier(self._prepare(load(name)).name_bin.rstrip(b"\0").decode())
        self.run(f"EXPLAIN EXECUTE {prepared} ({', '.join(['NULL'] * len(names))})")

    def is_primed(self, name: str) -> bool:
        """Whether a statement is prepared."""
        return load(name) in self._prepared

    def one(self, name: str, /, **parameters: Any) -> Row:
        """The only row of ``queries/<name>.sql``."""
        (row,) = self.query(name, **parameters)
        return row

    @contextmanager
    def transaction(self, lock: str | None = None) -> Iterator[None]:
        """A transaction; with ``lock``, one that a second attempt of the same step waits for (an advisory lock)."""
        try:
            self._begin(lock)
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(DatabaseUnavailable, SqlError):
                self.run("ROLLBACK")
            raise

    @contextmanager
    def trial(self, lock: str) -> Iterator[None]:
        """A transaction of which nothing remains: what is done in it is only tried."""
        try:
            self._begin(lock)
            yield
        finally:
            with suppress(DatabaseUnavailable, SqlError):
                self.run("ROLLBACK")

    def _begin(self, lock: str | None) -> None:
        waiting = f"; SELECT pg_advisory_xact_lock(hashtextextended({literal(lock)}, 0))" if lock else ""
        self.run(f"BEGIN{waiting}")

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Lets statements run, and wait for locks, for another time than the usual one."""
        usual_s = self._connection._usock.gettimeout()
        self.run(f"SET statement_timeout = '{max(1, round(1000 * seconds))}ms'; SET lock_timeout = 0")
        self._connection._usock.settimeout(seconds + SLACK_S)
        try:
            yield
        finally:
            self._connection._usock.settimeout(usual_s)
            with suppress(DatabaseUnavailable, SqlError):
                self.run("RESET statement_timeout; RESET lock_timeout")

    @contextmanager
    def listening(self, seconds: float) -> Iterator[None]:
        """Waits for statements that long at most; then the server goes on by itself, and this session is spent.

        What the server says meanwhile is in ``notices``.
        """
        self._connection.notices.clear()
        usual_s = self._connection._usock.gettimeout()
        self._connection._usock.settimeout(max(0.1, seconds))
        try:
            yield
            self._connection._usock.settimeout(usual_s)
        except DatabaseUnavailable:
            self._is_spent = True
            self.close()
            raise

    @property
    def notices(self) -> list[str]:
        """What the server has said beside its answers."""
        return [f"{each.get('S', '')}: {each.get('M', '')}" for each in map(_decoded, self._connection.notices)]

    def alive(self) -> bool:
        """Whether the connection stands: not ended by the server, and answering soon if it was not used just now.

        A connection that has fallen silent must be found out quickly: behind it blue may be frozen.
        """
        usock = self._connection._usock  # None when pg8000 has given it up
        if usock is None or self._is_spent:
            return False
        something_came_in = bool(select.select([usock], [], [], 0)[0])  # the news that it has ended, mostly
        if not something_came_in and time.monotonic() - self._used_at < TRUSTED_FOR_S:
            return True
        usual_s = usock.gettimeout()
        try:
            usock.settimeout(ALIVE_TIMEOUT_S)
            self.run("SELECT 1")
            usock.settimeout(usual_s)
        except (DatabaseUnavailable, SqlError, OSError):
            return False
        return True

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
            self._used_at = time.monotonic()
        except pg8000.native.DatabaseError as error:
            told = translated(error, self.address)
            # It may be one with the old writer, which answers, and stays read only.
            self._is_spent |= isinstance(told, DatabaseUnavailable)
            raise told from error
        except (pg8000.native.InterfaceError, OSError, struct.error) as error:
            raise DatabaseUnavailable(f"The connection to {self.address} broke: {error}") from error

    def close(self) -> None:
        """Ends the session; a broken one too."""
        with suppress(pg8000.native.InterfaceError, OSError, struct.error):
            self._connection.close()


def _decoded(notice: dict[Any, Any]) -> dict[str, str]:
    return {key.decode(): value.decode(errors="replace") for key, value in notice.items()}


def _rows(rows: list[list[Any]] | None, columns: list[dict[str, Any]] | None) -> list[Row]:
    if not rows or not columns:
        return []
    names = [column["name"] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in rows]


def translated(error: pg8000.native.DatabaseError, address: str) -> SqlError | DatabaseUnavailable:
    """An error of PostgreSQL as this library has it, by its SQLSTATE."""
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {"C": "XX000", "M": str(error)}
    sqlstate, message = fields.get("C", "XX000"), fields.get("M", "")
    if sqlstate.startswith(_PASSING):
        return DatabaseUnavailable(f"{address}: {message} (SQLSTATE {sqlstate})")
    return SqlError(sqlstate, f"{address}: {message}", fields.get("D", ""), fields.get("H", ""))
