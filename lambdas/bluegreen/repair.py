"""Repair of drift in place: tables, sequences and columns that were created on blue are created on green as well.

A row of a table that green has not, or in a column that green has not, stops the apply worker, which disables the
subscription (``disable_on_error``) and has not moved beyond that transaction. So it can go on when green has them, and
nothing is lost. A table is then followed with ``copy_data = true``: the copy holds what blue has when it is made, and
the apply worker skips the changes of that table up to there, so each row comes exactly once, whether it was written
before, meanwhile or after. What rows hold in a column that they had not when they were written is not in the stream;
PostgreSQL keeps it beside the table if it is one constant, and else the column cannot be repaired.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from . import ddl, drift, lag, replication
from .drift import Difference, Drift
from .errors import ReplicationBroken, ReplicationLagging, SchemaDrifted, SqlError
from .fingerprint import Fingerprint, Key
from .model import Cluster, Plan, Relation
from .postgres import Databases
from .quoting import identifier
from .session import INSUFFICIENT_PRIVILEGE, Session
from .verify.queue import Queue

WAIT_S = 5.0
"""How long one call waits for rows to come; then it is asked again."""

_POLL_INTERVAL_S = 0.05

_ORDER = ("SEQUENCE", "TABLE", "PARTITION", "COLUMN", "OWNER", "STORAGE", "COMPRESSION", "CONSTRAINT", "INDEX")
"""What has to be there before what; the rest comes after these."""

_MAY_BE_PART = frozenset(
    (*_ORDER, "STATISTICS", "GRANT", "GRANT OPTION", "COLUMN GRANT", "REVOKED", "OWNED BY", "TRIGGER")
)
_MAY_BE_PROPERTY = ("parameters", "replica identity")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement for green, as the role that owns the object; ``column_default`` names the default that it sets
    when older rows have come."""

    place: int
    sql: str
    owner: str = ""
    column_default: str | None = None


def check_drift(databases: Databases, plan: Plan, green: Cluster) -> dict[str, int]:
    """Repairs what may be repaired, and returns how many statements that took in each database.

    Raises ``SchemaDrifted`` for what may not, ``ReplicationLagging`` while that takes its time, and
    ``ReplicationBroken`` when replication does not work although nothing is left to repair.
    """
    made = make_like_blue(databases, plan, green)
    if plan.repair_drift:
        _follow_new_tables(databases, plan, green)
        _await_repairs(databases, plan, green)
    problems = databases.each(
        plan.databases,
        lambda name: lag.health_problems(databases.on(plan.blue, name), databases.on(green, name), plan, name),
    )
    if broken := [f"{name}: {'; '.join(texts)}" for name, texts in problems.items() if texts]:
        raise ReplicationBroken(f"Replication does not work. {'. '.join(broken)}.")
    if any(made.values()):
        drift.require_none(drift.find(databases, plan, green))
    return made


def make_like_blue(databases: Databases, plan: Plan, green: Cluster) -> dict[str, int]:
    """Creates on green what was created on blue, and returns how many statements that took in each database.

    Before there is a subscription nothing else is needed: it begins at the clone, and so brings all rows of newer
    tables. Raises ``SchemaDrifted`` for what may not be repaired.
    """
    drifts = drift.find(databases, plan, green)
    plans = {database: _statements(databases, plan, green, database, each) for database, each in drifts.items()}
    return databases.each(plan.databases, lambda name: _perform(databases, plan, green, name, plans[name]))


def repaired(session: Session) -> list[str]:
    """The statements by which green followed blue so far."""
    return [str(row["statement"]) for row in session.query("repairs")]


def _statements(databases: Databases, plan: Plan, green: Cluster, database: str, found: Drift) -> list[Statement]:
    """Each statement that green needs. All of it is repaired, or nothing."""
    on_blue = databases.on(plan.blue, database)
    waiting = {row["column_default"] for row in databases.on(green, database).query("pending_repairs")}
    statements: list[Statement] = []
    refused = []
    for difference in found.differences:
        if difference.key.kind == "DEFAULT" and difference.key.identity in waiting:
            continue
        made = list(_repair(on_blue, difference, found.on_blue)) if plan.repair_drift else [None]
        owner = _owner(difference.key, found.on_blue)
        if owner is None or None in made:
            refused.append(f"{database}: {difference}")
        else:
            statements += [replace(each, owner=owner) for each in made if each is not None]
    if refused:
        why = " (a release with repair_drift creates tables and columns)" if not plan.repair_drift else ""
        raise SchemaDrifted(drift.told(drift.shortened(refused), why))
    return sorted(statements, key=lambda each: each.place)


def _owner(key: Key, on_blue: Fingerprint) -> str | None:
    return on_blue.get(Key("OWNER", "", key.part_of or key.address))


def _repair(on_blue: Session, difference: Difference, there: Fingerprint) -> Iterator[Statement | None]:
    """The statements that repair a difference, each with its place among all; None for what cannot be repaired."""
    key = difference.key
    if difference.side != "blue" or difference.verb != "created" or difference.on_green is not None:
        yield None
    elif key.kind == "COLUMN":
        yield from _added_column(on_blue, key, there)
    elif key.kind in ("TABLE", "SEQUENCE"):
        for part, sql in ddl.creation(key, there):
            is_allowed = part.kind in _MAY_BE_PART or (part.kind == "PROPERTY" and part.identity in _MAY_BE_PROPERTY)
            if sql != "":  # an identity column's sequence comes with it
                yield Statement(_place(part, there[part]), sql) if is_allowed and sql is not None else None
    else:
        yield None


def _place(key: Key, definition: str) -> int:
    kind = "PARTITION" if definition.startswith("PARTITION OF ") else key.kind
    return _ORDER.index(kind) if kind in _ORDER and not definition.startswith("FOREIGN KEY ") else len(_ORDER)


def _added_column(on_blue: Session, key: Key, there: Fingerprint) -> Iterator[Statement | None]:
    """Rows that were there get the value that they have on blue, and so do those that were written before the column
    was there and have not come yet: PostgreSQL gives them green's default. So the real one has to wait for them."""
    facts = on_blue.query("added_column", relation=key.part_of.removeprefix("TABLE "), column=ddl.column_name(key))
    if not facts or not facts[0]["is_known"]:
        yield None
        return
    value = facts[0]["value"]
    default = Key("DEFAULT", f"{key.part_of} ALTER COLUMN {ddl.column_name(key)}", key.address)
    yield Statement(_place(key, ""), f"ALTER {key.part_of} ADD COLUMN {ddl.column_clause(key, there, value)}")
    if value is not None:
        after = f"SET DEFAULT {there[default]}" if default in there else "DROP DEFAULT"
        yield Statement(_place(default, ""), f"ALTER {default.identity} {after}", column_default=default.identity)
    for part in there:
        if part.part_of == key.address and part.kind not in ("DEFAULT", "NOT NULL"):
            sql = ddl.create(part, there) if part.kind in _MAY_BE_PART else None
            yield Statement(_place(part, ""), sql) if sql is not None else None


def _perform(databases: Databases, plan: Plan, green: Cluster, database: str, statements: list[Statement]) -> int:
    """Makes green like blue and lets its apply worker go on, in one transaction.

    The sentinel is committed after the column was added, and so after every row that was written without it.
    """
    if not statements:
        return 0
    session = databases.on(green, database)
    beat = databases.on(plan.blue, database).one("write_sentinel", release_id=plan.release_id)["beat"]
    try:
        with session.transaction(lock=plan.sql_name):
            Queue(session).drop()  # what was compared before was compared without these
            for each in statements:
                is_noted = session.query(
                    "note_repair",
                    statement=each.sql,
                    owner=each.owner,
                    column_default=each.column_default,
                    beat=beat if each.column_default is not None else None,
                )
                if is_noted and each.column_default is None:
                    _run_as(session, each.owner, each.sql)
            replication.resume(session, plan)
    except SqlError as error:
        raise SchemaDrifted(f"{database}: green could not be made like blue again: {error}") from error
    return len(statements)


def _run_as(session: Session, owner: str, sql: str) -> None:
    """Runs a statement, in PostgreSQL's own words, as the owner, so that it needs no superuser and the owner's default
    privileges hold; or as ourselves, when it was not the owner either who could do that on blue."""
    session.run("SAVEPOINT as_owner")
    try:
        session.run(f"SET LOCAL ROLE {owner}; {sql}; RESET ROLE")
    except SqlError as error:
        if error.sqlstate != INSUFFICIENT_PRIVILEGE:
            raise
        session.run("ROLLBACK TO as_owner")
        session.run(sql)


def _follow_new_tables(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Has the tables copied that green does not follow yet; only for that green's role may read blue's tables."""
    home, role = databases.on(plan.blue, plan.home), identifier(plan.replication_role)
    missing = databases.each(plan.databases, lambda name: _not_followed(databases, plan, green, name))
    if any(missing.values()):
        home.run(f"GRANT pg_read_all_data TO {role}")
    for database, tables in missing.items():
        if tables:
            session = databases.on(green, database)
            replication.resume(session, plan)
            session.run(f"ALTER SUBSCRIPTION {identifier(plan.sql_name)} REFRESH PUBLICATION WITH (copy_data = true)")


def _await_repairs(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Waits until new tables are copied and new columns have their defaults; takes back what was needed for it."""
    home, role = databases.on(plan.blue, plan.home), identifier(plan.replication_role)
    deadline = time.monotonic() + WAIT_S
    while awaited := _being_copied(databases, plan, green) + _set_defaults(databases, plan, green):
        if time.monotonic() > deadline:
            raise ReplicationLagging(f"Green is being made like blue again: {', '.join(drift.shortened(awaited))}.")
        time.sleep(_POLL_INTERVAL_S)
    if home.query("may_read_all", role=plan.replication_role):
        home.run(f"REVOKE pg_read_all_data FROM {role}")
    databases.each(
        plan.databases,
        lambda name: databases.on(green, name).query("note_overcome_errors", name=plan.sql_name),
    )


def _set_defaults(databases: Databases, plan: Plan, green: Cluster) -> list[str]:
    """Sets the defaults of new columns for which all older rows have come, and returns the statements that wait."""
    waiting = []
    for database in plan.databases:
        session = databases.on(green, database)
        for row in session.query("pending_repairs"):
            if lag.arrived(session, plan.release_id, row["beat"]):
                with session.transaction(lock=plan.sql_name):
                    if session.query("end_repair", statement=row["statement"]):
                        _run_as(session, row["owner"], row["statement"])
            elif session.one("subscription", name=plan.sql_name)["enabled"]:
                waiting.append(f"{database}: {row['statement']}")
    return waiting


def _not_followed(databases: Databases, plan: Plan, green: Cluster, database: str) -> set[Relation]:
    published = databases.on(plan.blue, database).query("published_tables")
    followed = databases.on(green, database).query("tables_in_subscription", name=plan.sql_name)
    return {Relation(**row) for row in published} - {Relation(row["schema"], row["name"]) for row in followed}


def _being_copied(databases: Databases, plan: Plan, green: Cluster) -> list[str]:
    """Tables that are not followed yet. One that was disabled copies nothing: health tells why."""
    return [
        f"{database}.{Relation(row['schema'], row['name'])}"
        for database in plan.databases
        for session in [databases.on(green, database)]
        if session.one("subscription", name=plan.sql_name)["enabled"]
        for row in session.query("tables_in_subscription", name=plan.sql_name)
        if not row["is_ready"]
    ]
