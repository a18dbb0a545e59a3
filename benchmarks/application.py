"""The application whose database is switched over: one table that clients write to, sequences, roles, and ballast."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.postgres.roles import create_role
from local.postgres.servers import Server

ROLES = ("app_writer", "app_owner", "app_reports", "app_batch", "app_admin")
WRITER = ROLES[0]
ROW_BYTES = 1000
FILLED_AT_ONCE = 200_000
"""Rows; so many are written well within the time that a connection waits for an answer."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is, in each of the databases; `data_gb` is in the first one."""

    sequences: int = 50
    tables: int = 10
    databases: int = 1
    data_gb: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """
        >>> Size(databases=2).names
        ('app', 'app2')
        """
        return ("app", *(f"app{number}" for number in range(2, self.databases + 1)))


@dataclass(frozen=True, slots=True)
class Application:
    """The databases, and the passwords of the roles."""

    databases: tuple[str, ...]
    passwords: dict[str, str] = field(repr=False)


def create(server: Server, size: Size) -> Application:
    """Fill the databases, which are there and empty."""
    application = Application(size.names, {role: secrets.token_urlsafe(24) for role in ROLES})
    create_roles(server, application)
    for database in size.names:
        create_objects(server, database, size)
    if size.data_gb:
        rows = int(size.data_gb * 1e9 / ROW_BYTES)
        fill = "INSERT INTO ballast SELECT n, repeat(md5(n::text), 31) FROM generate_series(:first::int, :last::int) n"
        for first in range(1, rows + 1, FILLED_AT_ONCE):
            server.execute("app", fill, first=first, last=min(rows, first + FILLED_AT_ONCE - 1))
    return application


def create_roles(server: Server, application: Application) -> None:
    """The roles, all of which may log in."""
    for role, password in application.passwords.items():
        create_role(server, role, password)


def create_objects(server: Server, database: str, size: Size) -> None:
    """Tables and sequences of one database."""
    server.execute(
        database,
        f"CREATE TABLE written (client int, number bigint, at timestamptz DEFAULT clock_timestamp(),"
        f" PRIMARY KEY (client, number)); GRANT SELECT, INSERT ON written TO {WRITER};"
        f" CREATE TABLE ballast (id bigint PRIMARY KEY, filler text)",
    )
    batches(server, database, [f"CREATE TABLE table_{n} (id bigint PRIMARY KEY)" for n in range(2, size.tables)])
    batches(server, database, [f"CREATE SEQUENCE sequence_{n} START {n + 1}" for n in range(size.sequences)])


def batches(server: Server, database: str, statements: Sequence[str], count: int = 500) -> None:
    """Many statements, not one by one and not in one transaction, which would lock too much."""
    for start in range(0, len(statements), count):
        server.execute(database, ";".join(statements[start : start + count]))
