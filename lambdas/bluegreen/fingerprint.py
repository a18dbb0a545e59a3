"""What a database and its cluster hold beside rows: schema, roles, grants, settings, as rows that can be compared.

The fingerprint of a release is taken on green, before anything is changed there: a clone is blue as of one instant, and
a look at blue itself would be one of a little earlier or later, with whatever was created in between.
"""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from .model import Plan
from .session import Row, Session, load


class Key(NamedTuple):
    """What is meant, in the words of DDL: ``CONSTRAINT orders_pkey`` of ``TABLE public.orders``."""

    kind: str
    identity: str
    part_of: str
    """Kind and identity of what it comes and goes with; empty when it stands by itself."""

    @property
    def address(self) -> str:
        """How its parts name it."""
        return f"{self.kind} {self.identity}"


Fingerprint = dict[Key, str]
"""The rest of the DDL of each object. Columns stand in their order."""

Stage = Literal["cloned", "before", "after"]
"""When green was cloned; before the changes that the release makes on it, and after them."""

_AS_JSON = "SELECT json_agg(json_build_array(kind, identity, part_of, definition) ORDER BY place)::text AS rows"
"""One value, because ten thousands of rows take the client longer than the server."""

_KEEP = "INSERT INTO bluegreen.fingerprint SELECT :stage, kind, identity, part_of, definition"


def look(session: Session, plan: Plan, database: str) -> Fingerprint:
    """The fingerprint of a database as it is now; the home database's has that of the cluster in it."""
    found: Fingerprint = {}
    for query, own in _queries(session, plan, database).items():
        (row,) = session.run(f"{_AS_JSON} FROM ({query}) AS fingerprint", own=own)
        found |= _parsed(row)
    return found


def keep(session: Session, plan: Plan, database: str, stage: Stage = "cloned") -> None:
    """Keeps the fingerprint of green as it is: once and for all, but that of what it has become."""
    with session.transaction(lock=plan.sql_name):
        if stage == "after":
            session.run("DELETE FROM bluegreen.fingerprint WHERE stage = 'after'")
        elif session.run("SELECT 1 AS one FROM bluegreen.fingerprint WHERE stage = :stage LIMIT 1", stage=stage):
            return
        for query, own in _queries(session, plan, database).items():
            session.run(f"{_KEEP} FROM ({query}) AS fingerprint", own=own, stage=stage)


def kept(session: Session, stage: Stage = "cloned") -> Fingerprint:
    """What green held at a stage; nothing when it has not been there."""
    return _parsed(session.one("kept_fingerprint", stage=stage))


def _parsed(row: Row) -> Fingerprint:
    return {Key(*key): definition for *key, definition in json.loads(row["rows"] or "[]")}


def sees_passwords(session: Session) -> bool:
    """Whether changed passwords can be found out: only a superuser may look at their hashes, so never on Aurora."""
    return bool(session.run("SELECT has_table_privilege('pg_authid', 'SELECT') AS sees")[0]["sees"])


def _queries(session: Session, plan: Plan, database: str) -> dict[str, str]:
    """The queries that make a fingerprint, and for each the name of the release's own that it leaves out."""
    names = {"fingerprint_database": plan.sql_name}
    if database == plan.home:
        names["fingerprint_cluster"] = plan.replication_role
        if sees_passwords(session):
            names["fingerprint_passwords"] = plan.replication_role
    return {load(name): own for name, own in names.items()}
