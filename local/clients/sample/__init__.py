"""The demo's two databases: roles, tables and rows (`app.sql`, `crm.sql`), and what writers do (`transactions/`)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from pg8000.native import identifier

from local.postgres import psqlfile
from local.postgres.roles import create_role
from local.postgres.servers import Server

FOLDER = Path(__file__).parent

_GROUP = "shop_staff"
_STAFF = ("app_writer", "app_reports")
_LOGINS = (
    *_STAFF,
    "app_owner",
    "Crm Batch",
)  # app_reports never logs in, but must be able to before and after a release
_LOCKED = ("app_former",)  # has a password but no LOGIN before a release, and must have none after it


@dataclass(frozen=True, slots=True)
class Sample:
    """What an application must know to use the databases, and a check afterwards.

    `roles` are the roles with LOGIN and their passwords, `locked_roles` those with a password that have no LOGIN.
    """

    databases: tuple[str, ...]
    roles: dict[str, str] = field(repr=False)
    locked_roles: dict[str, str] = field(repr=False)


def create_sample(server: Server) -> Sample:
    """Make the roles and load both databases; those that exist are used, they must be empty."""
    sample = Sample(
        databases=("app", "crm"),
        roles={role: secrets.token_urlsafe(24) for role in _LOGINS},
        locked_roles={role: secrets.token_urlsafe(24) for role in _LOCKED},
    )
    server.execute("postgres", f"CREATE ROLE {_GROUP} NOLOGIN")
    for role, password in {**sample.roles, **sample.locked_roles}.items():
        create_role(server, role, password, member_of=[_GROUP] if role in _STAFF else [])
    for role in sample.locked_roles:
        server.execute("postgres", f"ALTER ROLE {identifier(role)} NOLOGIN")
    present = {name for [name] in server.execute("postgres", "SELECT datname FROM pg_database")}
    for database in sample.databases:
        if database not in present:
            server.execute("postgres", f"CREATE DATABASE {identifier(database)}")
        server.execute("postgres", f"ALTER DATABASE {identifier(database)} OWNER TO app_owner")
        psqlfile.load(server, database, FOLDER / f"{database}.sql")
    return sample


def transaction_sql(kind: str) -> str:
    """The one statement of a kind of transaction.

    It takes :tx (a uuid), :writer and :number and returns a row for each change it made and for each value that it drew
    from a sequence: ('put' | 'delete' | 'draw', relation or sequence, key or value, revision, md5 of the whole row).
    """
    return (FOLDER / "transactions" / f"{kind}.sql").read_text()
