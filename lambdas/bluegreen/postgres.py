"""The only way to PostgreSQL: connections, with TLS and logins, and the sessions on blue and green."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

import pg8000.native

from .errors import DatabaseUnavailable, SqlError
from .model import Cluster
from .quoting import literal
from .scram import verifier
from .session import (
    INVALID_CATALOG_NAME,
    INVALID_PASSWORD,
    OBJECT_NOT_IN_PREREQUISITE_STATE,
    SLACK_S,
    STATEMENT_TIMEOUT_S,
    Session,
    translated,
)

T = TypeVar("T")
K = TypeVar("K")

CONNECT_TIMEOUT_S = 10

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

CA_BUNDLE = Path(__file__).with_name("rds-ca-bundle.pem")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login. The password stays out of every representation."""

    username: str
    password: str = field(repr=False)
    is_token: bool = False
    successor: Credentials | None = field(default=None, repr=False)
    """The login that a rotation has put in its place, which a server that still takes this one has yet to get."""


@dataclass(slots=True)
class Databases:
    """Sessions of the release's role on the databases of blue and green, kept open between calls of a warm function.

    ``credentials(cluster)`` gives the logins to try there, in turn: the next one is asked for when the password of one
    was refused, as happens after a rotation.
    """

    credentials: Callable[[Cluster], Iterable[Credentials]]
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
        refused: SqlError | None = None
        for login in self.credentials(cluster):
            try:
                session = self._open(cluster, database, login)
            except SqlError as error:
                if error.sqlstate != INVALID_PASSWORD:
                    raise
                refused = error
            else:
                if login.successor:
                    _renew(session, login.successor)
                return session
        raise refused or DatabaseUnavailable(f"There is no login for {cluster.identifier}.")

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
            raise translated(error, address) from error
        except (pg8000.native.InterfaceError, OSError, struct.error) as error:
            connected.close()
            # Also a certificate that does not fit: just after a failover the name may lead to somebody else's host.
            raise DatabaseUnavailable(f"No connection to {address} at {cluster.host} came about: {error}") from error
        return Session(connection, address)


def _renew(session: Session, login: Credentials) -> None:
    """Gives the role the password of a rotation that this server has missed: it was cloned from another one before it.

    After one more rotation nobody could get in any more. Where it is not possible (on a reader), a later one does it.
    """
    with suppress(SqlError, DatabaseUnavailable, ValueError), session.transaction(lock="bluegreen login"):
        session.run(f"ALTER ROLE CURRENT_USER PASSWORD {literal(verifier(login.password))}")


def _socket(cluster: Cluster) -> socket.socket:
    """A connected socket: quick to give up while connecting, patient with a statement afterwards."""
    connected = socket.create_connection((cluster.host, cluster.port), CONNECT_TIMEOUT_S)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(STATEMENT_TIMEOUT_S + SLACK_S)
    return connected


@cache
def _ssl_context() -> ssl.SSLContext:
    """TLS that checks certificate and host name against the RDS certificate authorities in the package."""
    context = ssl.create_default_context(cafile=str(CA_BUNDLE))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on, so the same wherever it is tried
    return context
