"""The recorders: on each side a slot that keeps, from before the first comparison on, the log of what changes.

Blue's is a copy of the slot that green follows: a copy waits for nobody, while a new slot waits for every transaction
that is open. Green has its own, since what somebody changes on green alone is in no log of blue.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SlotBlocked, SqlError
from ..lsn import Lsn
from ..model import Cluster, Plan, Relation
from ..postgres import QUERY_CANCELED, Databases, Session
from ..quoting import identifier
from ..replication import SLOT_TIMEOUT_S
from . import changes
from .changes import Changes
from .chunks import Key

Keys = Mapping[Relation, tuple[str, ...]]
Positions = dict[str, Lsn]
"""Of blue's log and of green's."""


def stands(databases: Databases, plan: Plan, green: Cluster, database: str) -> bool:
    """Whether both recorders of a database are there, and have all of their log."""
    slots = [
        databases.on(cluster, database).query("slot_lag", slot=plan.recorder(database))
        for cluster in (plan.blue, green)
    ]
    return all(side and side[0]["wal_status"] in ("reserved", "extended") for side in slots)


def start(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Makes the recorders that do not stand."""

    def begin(database: str) -> None:
        if stands(databases, plan, green, database):
            return
        recorder = plan.recorder(database)
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        for session in (on_blue, on_green):
            session.query("drop_slot", slot=recorder)
        on_blue.query("copy_slot", slot=plan.slot(database), copy=recorder)
        _publish(on_green, plan)
        _create_slot(on_green, database, recorder)

    databases.each(plan.databases, begin)


def _publish(on_green: Session, plan: Plan) -> None:
    with on_green.transaction(lock=plan.sql_name):
        if not on_green.query("publication", name=plan.sql_name):
            on_green.run(f"CREATE PUBLICATION {identifier(plan.sql_name)} FOR ALL TABLES")


def _create_slot(on_green: Session, database: str, recorder: str) -> None:
    try:
        with on_green.patience(SLOT_TIMEOUT_S):
            on_green.query("create_slot", slot=recorder)
    except SqlError as error:
        if error.sqlstate == QUERY_CANCELED:
            raise SlotBlocked(f"{database}: on green a transaction is open for over {SLOT_TIMEOUT_S} s.") from error
        if not on_green.query("slot", slot=recorder):  # else a second attempt of this step was faster
            raise


def read(databases: Databases, plan: Plan, green: Cluster, database: str, keys: Keys) -> tuple[Changes, Positions]:
    """What changed in a database on either side since the recorders were made or told to forget, and up to where."""
    sides = {"blue": plan.blue, "green": green}

    def read_side(side: str) -> tuple[Changes, Lsn]:
        session = databases.on(sides[side], database)
        session.query("flush_log")  # what was committed asynchronously is decoded only when it is on disk
        upto = Lsn.parse(session.one("insert_lsn")["flushed_lsn"])
        return changes.read(session, plan.recorder(database), plan.sql_name, upto, keys), upto

    found = databases.each(list(sides), read_side)
    return merged(*(changed for changed, _ in found.values())), {side: upto for side, (_, upto) in found.items()}


def merged(one: Changes, other: Changes) -> Changes:
    """What changed in either."""
    together = {}
    for relation in one.keys() | other.keys():
        sides = [side[relation] for side in (one, other) if relation in side]
        is_whole = any(changed.is_whole for changed in sides)
        found: set[Key] = set() if is_whole else set().union(*(changed.keys for changed in sides))
        shape = frozenset.intersection(*(changed.all_columns for changed in sides))
        together[relation] = changes.Changed(sides[0].columns, found, is_whole, shape)
    return together


def forget(databases: Databases, plan: Plan, green: Cluster, database: str, upto: Positions) -> None:
    """Lets go of the log up to these positions: what changed until then was compared."""
    for side, cluster in (("blue", plan.blue), ("green", green)):
        databases.on(cluster, database).query("advance_slot", slot=plan.recorder(database), upto=str(upto[side]))
