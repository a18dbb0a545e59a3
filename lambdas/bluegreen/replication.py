"""Native logical replication from blue to green: role, schema, publications, slots, subscriptions, and their end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from .errors import BlueUnfit, ReplicationLagging, SlotBlocked, SqlError
from .lsn import Lsn
from .model import SCHEMA, Cluster, Plan
from .postgres import Credentials, Databases
from .preflight import tables_without_identity
from .quoting import identifier, literal
from .scram import verifier
from .session import OBJECT_IN_USE, QUERY_CANCELED, UNDEFINED_OBJECT, Session
from .subscribing import create_subscription

SLOT_TIMEOUT_S = 20
"""How long the creation of a slot waits for open transactions of the application before it gives up."""

PAUSE_TIMEOUT_S = 30
"""How long a pause waits for the transaction that is being applied."""

SLOT_RELEASE_TIMEOUT_S = 20
"""How long the dropping of a slot waits for its walsender to notice that it has to go."""


def create_replication_role(databases: Databases, plan: Plan, login: Credentials) -> None:
    """Makes the role that green logs in with: it may connect and replicate, and nothing else.

    The password goes as a verifier, so the clear text never reaches blue. ``rds_replication`` is Aurora's role for it.
    """
    role = identifier(plan.replication_role)
    home = databases.on(plan.blue, plan.home)
    with home.transaction(lock=plan.sql_name):
        exists = home.one("role_exists", role=plan.replication_role)["role_exists"]
        verb = "ALTER" if exists else "CREATE"
        home.run(f"{verb} ROLE {role} LOGIN PASSWORD {literal(verifier(login.password))}")
        home.run(f"GRANT rds_replication TO {role}")
        for database in plan.databases:
            home.run(f"GRANT CONNECT ON DATABASE {identifier(database)} TO {role}")


def create_publications(databases: Databases, plan: Plan) -> None:
    """Publishes all tables of each database, after the release's own schema is there.

    ``FOR ALL TABLES`` because a list would silently miss tables created later. A random stamp in the publication's
    comment proves later that the clone was taken after it. Replica identities are looked at again in the same
    transaction: publishing a table without one would make blue's own UPDATE and DELETE fail.
    """

    def create(database: str) -> None:
        session = databases.on(plan.blue, database)
        name = identifier(plan.sql_name)
        with session.transaction(lock=plan.sql_name):
            if session.query("publication", name=plan.sql_name):
                return
            if tables := tables_without_identity(session):
                raise BlueUnfit(f"{database}: no usable replica identity: {', '.join(map(str, tables[:20]))}.")
            session.query("install_schema")
            session.run(f"COMMENT ON SCHEMA {SCHEMA} IS {literal(plan.sql_name)}")
            session.run(f"CREATE PUBLICATION {name} FOR ALL TABLES")
            session.run(f"COMMENT ON PUBLICATION {name} IS {literal(str(uuid.uuid4()))}")

    databases.each(plan.databases, create)


def create_slots(databases: Databases, plan: Plan) -> dict[str, str]:
    """Makes a slot for each database and returns their names.

    A slot waits for every transaction that was open when it began [tried on PostgreSQL 15 to 18], so this is bounded,
    and who is in the way is named in ``SlotBlocked``.
    """

    def create(database: str) -> str:
        session, slot = databases.on(plan.blue, database), plan.slot(database)
        if session.query("slot", slot=slot):
            return slot
        try:
            with session.patience(SLOT_TIMEOUT_S):
                session.query("create_slot", slot=slot)
        except SqlError as error:
            if error.sqlstate == QUERY_CANCELED:
                blockers = [row["blocker"] for row in session.query("slot_blockers")]
                raise SlotBlocked(
                    f"{database}: slot {slot} could not be made within {SLOT_TIMEOUT_S} s, because it waits for open"
                    f" transactions. End these, then release again: {'; '.join(blockers) or 'they have ended since'}."
                ) from error
            if not session.query("slot", slot=slot):  # else a second attempt of this step was faster
                raise
        return slot

    return databases.each(plan.databases, create)


def create_subscriptions(databases: Databases, plan: Plan, green: Cluster, login: Credentials, start: Lsn) -> None:
    """Lets green follow blue from exactly the point at which it was cloned.

    The subscription is made disabled and without copying, its origin is advanced to ``start``, then it is enabled. All
    of that is one transaction per database, so an attempt that dies leaves nothing half made.
    """

    def subscribe(database: str) -> None:
        session, name = databases.on(green, database), identifier(plan.sql_name)
        with session.transaction(lock=plan.sql_name):
            if session.query("subscription", name=plan.sql_name):
                return
            create_subscription(session, plan, database, login, databases.tls)
            (subscription,) = session.query("subscription", name=plan.sql_name)
            session.run(
                "SELECT pg_replication_origin_advance(:origin, :start::pg_lsn)",
                origin=subscription["origin"],
                start=str(start),
            )
            session.run(f"ALTER SUBSCRIPTION {name} ENABLE")

    databases.each(plan.databases, subscribe)


def pause(session: Session, plan: Plan) -> None:
    """Has green apply nothing for a while. Raises ``ReplicationLagging`` while it is still at a transaction."""
    session.run(f"ALTER SUBSCRIPTION {identifier(plan.sql_name)} DISABLE")
    deadline = time.monotonic() + PAUSE_TIMEOUT_S
    while session.one("subscription_workers", name=plan.sql_name)["workers"]:
        if time.monotonic() > deadline:
            raise ReplicationLagging(f"{session.address}: a transaction of blue is still being applied.")
        time.sleep(0.05)


def resume(session: Session, plan: Plan) -> None:
    """Has green apply again what comes from blue."""
    if any(not row["enabled"] for row in session.query("subscription", name=plan.sql_name)):
        session.run(f"ALTER SUBSCRIPTION {identifier(plan.sql_name)} ENABLE")


def commit_synchronously(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Makes green's apply workers flush each commit and report it at once.

    With the default the publisher learns of green's flush up to 0.4 s late [tried], which the freeze would last longer.
    """
    databases.each(
        plan.databases,
        lambda database: databases.on(green, database).run(
            f"ALTER SUBSCRIPTION {identifier(plan.sql_name)} SET (synchronous_commit = 'on')"
        ),
    )


def drop_subscriptions(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Ends replication into green without asking blue, whose slots are dropped by ``drop_slots``."""

    def drop(database: str) -> None:
        session, name = databases.on(green, database), identifier(plan.sql_name)
        with session.transaction(lock=plan.sql_name):
            if not session.query("subscription", name=plan.sql_name):
                return
            session.run(f"ALTER SUBSCRIPTION {name} DISABLE")
            session.run(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
            session.run(f"DROP SUBSCRIPTION {name}")

    databases.each(plan.databases, drop)


def end_replication(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Green follows blue no longer: no subscription is left, no slot on either, no publication on green."""
    drop_subscriptions(databases, plan, green)
    for cluster in (plan.blue, green):
        drop_slots(databases, plan, cluster)
    drop_publications(databases, plan, green)


def drop_slots(databases: Databases, plan: Plan, cluster: Cluster) -> None:
    """Drops the release's slots on a cluster, ending whoever still reads them."""

    def drop_of(database: str) -> None:
        session = databases.find(cluster, database)
        if session is not None:
            for slot in (plan.slot(database), plan.recorder(database)):
                drop_slot(session, slot)

    databases.each(plan.databases, drop_of)


def drop_slot(session: Session, slot: str) -> None:
    """Drops a slot, ending whoever still reads it; nothing happens when it is gone."""
    deadline = time.monotonic() + SLOT_RELEASE_TIMEOUT_S
    while True:
        session.query("end_walsender", slot=slot)
        try:
            session.query("drop_slot", slot=slot)
        except SqlError as error:
            if error.sqlstate == UNDEFINED_OBJECT:
                return  # a second attempt of this step was faster
            if error.sqlstate != OBJECT_IN_USE or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def drop_publications(databases: Databases, plan: Plan, cluster: Cluster) -> None:
    """Drops the release's publications on a cluster."""

    def drop(session: Session) -> None:
        session.run(f"DROP PUBLICATION IF EXISTS {identifier(plan.sql_name)}")

    _in_each(databases, plan, cluster, drop)


def made_schema(session: Session, plan: Plan) -> bool:
    """Whether the schema ``bluegreen`` is there and this release made it."""
    return [row["made_by"] for row in session.query("schema_made_by")] == [plan.sql_name]


def is_prepared(databases: Databases, plan: Plan, cluster: Cluster) -> bool:
    """Whether this release's schema is on a cluster, or was and somebody else dropped it, for publication and schema
    come and go together."""
    home = databases.find(cluster, plan.home)
    return home is not None and (bool(home.query("publication", name=plan.sql_name)) or made_schema(home, plan))


def drop_schema(databases: Databases, plan: Plan, cluster: Cluster) -> None:
    """Drops the release's own schema on a cluster; a schema of that name which this release did not make stays."""

    def drop(session: Session) -> None:
        if made_schema(session, plan):
            session.run(f"DROP SCHEMA {SCHEMA} CASCADE")

    _in_each(databases, plan, cluster, drop)


def _in_each(databases: Databases, plan: Plan, cluster: Cluster, work: Callable[[Session], None]) -> None:
    def run(database: str) -> None:
        if (session := databases.find(cluster, database)) is not None:
            with session.transaction(lock=plan.sql_name):
                work(session)

    databases.each(plan.databases, run)


def disable_replication_role(databases: Databases, plan: Plan, cluster: Cluster) -> None:
    """Keeps green from coming back to a slot that is about to be dropped."""
    home = databases.find(cluster, plan.home)
    if home is None:
        return
    with home.transaction(lock=plan.sql_name):
        if home.one("role_exists", role=plan.replication_role)["role_exists"]:
            home.run(f"ALTER ROLE {identifier(plan.replication_role)} NOLOGIN")


def drop_replication_role(databases: Databases, plan: Plan, cluster: Cluster) -> None:
    """Drops the replication role on a cluster, with the rights that ``create_replication_role`` gave it."""
    home, role = databases.find(cluster, plan.home), identifier(plan.replication_role)
    if home is None:
        return
    with home.transaction(lock=plan.sql_name):
        if not home.one("role_exists", role=plan.replication_role)["role_exists"]:
            return
        for database in plan.databases:
            home.run(f"REVOKE CONNECT ON DATABASE {identifier(database)} FROM {role}")
        home.run(f"DROP ROLE {role}")


def remove_from_blue(databases: Databases, plan: Plan) -> None:
    """Takes everything away that the release made on blue, also while green still follows.

    The role loses LOGIN first, or green would be back at its slot between the end of its walsender and the drop.
    A database that is not there holds nothing of it: an execution may have died before ``CheckBlue`` said so.
    """
    disable_replication_role(databases, plan, plan.blue)
    drop_slots(databases, plan, plan.blue)
    drop_publications(databases, plan, plan.blue)
    drop_replication_role(databases, plan, plan.blue)
    drop_schema(databases, plan, plan.blue)
