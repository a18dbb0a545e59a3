"""The only way to PostgreSQL: sessions, prepared statements, errors by SQLSTATE. Values are bound parameters."""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pg8000.native

from .errors import DatabaseUnavailable, SqlError
from .model import Cluster
from .quoting import identifier, literal

T = TypeVar("T")
K = TypeVar("K")
Row = dict[str, Any]

CONNECT_TIMEOUT_S = 10
ALIVE_TIMEOUT_S = 2
"""For a statement that costs nothing. A connection that is slower than that is made anew."""

TRUSTED_FOR_S = 0.1
"""A connection that was used less long ago is not asked whether it answers: a step asks for it again and again."""

STATEMENT_TIMEOUT_S = 50
"""Ends a statement before its function's own time runs out, so that the error is PostgreSQL's and names the cause."""

SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "60s",  # a function that was frozen or killed must not hold locks for long
    "row_security": "off",  # a policy would hide rows, and run its owner's code as us: it is an error instead
    "search_path": "pg_catalog",  # nothing of the application's can shadow what we call
    "lock_timeout": "10s",
    "synchronous_commit": "on",  # what decides on a release must survive a crash, whatever the database is set to
    "client_encoding": "UTF8",  # whatever the database's is: our statements, and the names in it, may not be in that
    "DateStyle": "ISO",
    "TimeZone": "UTC",
}

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

CA_BUNDLE = Path(__file__).with_name("rds-ca-bundle.pem")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login. The password stays out of every representation."""

    username: str
    password: str = field(repr=False)


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
        self._connection._usock.settimeout(seconds + CONNECT_TIMEOUT_S)
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
            translated = _translated(error, self.address)
            # It may be one with the old writer, which answers, and stays read only.
            self._is_spent |= isinstance(translated, DatabaseUnavailable)
            raise translated from error
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


def _translated(error: pg8000.native.DatabaseError, address: str) -> SqlError | DatabaseUnavailable:
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {"C": "XX000", "M": str(error)}
    sqlstate, message = fields.get("C", "XX000"), fields.get("M", "")
    if sqlstate.startswith(_PASSING):
        return DatabaseUnavailable(f"{address}: {message} (SQLSTATE {sqlstate})")
    detail = " ".join(fields[key] for key in ("D", "H") if key in fields)
    return SqlError(sqlstate, " ".join(filter(None, (f"{address}: {message}", detail))))


@dataclass(slots=True)
class Databases:
    """Sessions of the release's role on the databases of blue and green, kept open between calls of a warm function.

    ``credentials(fresh)`` gives the login; it is asked again with ``fresh=True`` when the password was refused,
    as happens after a rotation.
    """

    credentials: Callable[[bool], Credentials]
    tls: str = "verify-full"
    application_name: str = "bluegreen"
    _sessions: dict[tuple[str, int, str], Session] = field(default_factory=dict)

    def on(self, cluster: Cluster, database: str) -> Session:
        """An open session, made now unless the one of an earlier call still answers."""
        key = (cluster.host, cluster.port, database)
        session = self._sessions.get(key)
        if session is None or not session.alive():
            if session is not None:
                session.close()
            session = self._sessions[key] = self._connect(cluster, database)
        return session

    def find(self, cluster: Cluster, database: str) -> Session | None:
        """As ``on``, or None when there is no database of that name that takes connections."""
        try:
            return self.on(cluster, database)
        except SqlError as error:
            if error.sqlstate not in (INVALID_CATALOG_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE):
                raise
            return None

    def each(self, databases: Sequence[K], work: Callable[[K], T]) -> dict[K, T]:
        """Does the same in every database, side by side; ``work`` takes a database's name, or which side is meant."""
        if len(databases) == 1:
            return {databases[0]: work(databases[0])}
        with ThreadPoolExecutor(max_workers=min(len(databases), 32)) as pool:
            return dict(zip(databases, pool.map(work, databases), strict=True))

    def close(self) -> None:
        """Ends all sessions."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def _connect(self, cluster: Cluster, database: str) -> Session:
        try:
            return self._open(cluster, database, self.credentials(False))
        except SqlError as error:
            if error.sqlstate != INVALID_PASSWORD:
                raise
            return self._open(cluster, database, self.credentials(True))

    def _open(self, cluster: Cluster, database: str, credentials: Credentials) -> Session:
        address = f"{cluster.identifier}/{database}"
        try:
            connected = _socket(cluster)
        except OSError as error:
            where = f"{address} at {cluster.host}:{cluster.port}"
            raise DatabaseUnavailable(f"Cannot connect to {where}: {error}") from error
        try:
            connection = pg8000.native.Connection(
                user=credentials.username,
                password=credentials.password,
                host=cluster.host,
                database=database,
                sock=connected,
                ssl_context=_ssl_context() if self.tls == "verify-full" else False,
                application_name=self.application_name,
                startup_params=SETTINGS,
            )
        except pg8000.native.DatabaseError as error:
            connected.close()
            raise _translated(error, address) from error
        except (pg8000.native.InterfaceError, OSError, struct.error) as error:
            connected.close()
            raise DatabaseUnavailable(f"{address} ended the connection while it was made: {error}") from error
        return Session(connection, address)


def _socket(cluster: Cluster) -> socket.socket:
    """A connected socket: quick to give up while connecting, patient with a statement afterwards."""
    connected = socket.create_connection((cluster.host, cluster.port), CONNECT_TIMEOUT_S)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(STATEMENT_TIMEOUT_S + CONNECT_TIMEOUT_S)
    return connected


@cache
def _ssl_context() -> ssl.SSLContext:
    """TLS that checks certificate and host name against the RDS certificate authorities in the package."""
    return ssl.create_default_context(cafile=str(CA_BUNDLE))
