"""Taking a fresh clone into service as green: prove what it is, drop what was copied, let nobody in."""

from __future__ import annotations

from . import fingerprint
from .errors import CloneUnusable, SqlError
from .freeze import fence
from .lsn import Lsn
from .model import Cluster, Plan
from .postgres import Databases
from .quoting import identifier, literal
from .replication import drop_slot
from .session import UNDEFINED_OBJECT, Session


def guard(start: Lsn, confirmed: Lsn, blue_now: Lsn, stamps: tuple[str | None, str | None]) -> str | None:
    """Why a clone must not be replicated into from ``start``, or None when it may be.

    ``confirmed`` is where blue's slot would start sending, ``blue_now`` blue's flushed end of log, ``stamps`` the
    publication's comment on blue and on the clone.

    >>> low, high = Lsn.parse("0/10"), Lsn.parse("0/20")
    >>> guard(low, low, high, ("a", "a")) is None
    True
    >>> guard(low, high, high, ("a", "a"))
    "its start 0/10 lies before 0/20, where blue's slot begins: changes between them would be lost"
    >>> guard(high, low, low, ("a", "a"))
    'its start 0/20 lies beyond the end 0/10 of blue: it was not cloned from this blue'
    >>> guard(low, low, high, ("a", None))
    'its publication lacks the stamp of the one on blue: it was cloned before the release prepared blue'
    """
    on_blue, on_clone = stamps
    if on_blue is None or on_blue != on_clone:
        return "its publication lacks the stamp of the one on blue: it was cloned before the release prepared blue"
    if start < confirmed:
        return (
            f"its start {start} lies before {confirmed}, where blue's slot begins: changes between them would be lost"
        )
    if start > blue_now:
        return f"its start {start} lies beyond the end {blue_now} of blue: it was not cloned from this blue"
    return None


def adopt_clone(databases: Databases, plan: Plan, green: Cluster) -> Lsn:
    """Makes the clone green, and returns the position at which replication into it has to begin.

    Its fingerprint is kept before anything is changed: it is blue as of the clone, to tell later what has drifted.
    The start is read first, before anything restarts or changes the clone, and kept there (``bluegreen.adoption``) in
    the transaction that drops the copied publication, so that a second attempt finds it again. The copied slots
    are dropped on green only.
    """
    databases.each(plan.databases, lambda database: fingerprint.keep(databases.on(green, database), plan, database))
    fence(databases.on(green, plan.home), plan)
    databases.each(plan.databases, lambda database: roll_back_prepared(databases.on(green, database)))
    starts = databases.each(plan.databases, lambda database: _adopt_database(databases, plan, green, database))
    drop_copied_slots(databases, plan, green)
    if len(set(starts.values())) != 1:
        raise CloneUnusable(f"{green.identifier} names several starts: {', '.join(map(str, starts.values()))}.")
    return starts[plan.home]


def _adopt_database(databases: Databases, plan: Plan, green: Cluster, database: str) -> Lsn:
    session = databases.on(green, database)
    with session.transaction(lock=plan.sql_name):
        if adopted := session.query("adoption", release_id=plan.release_id):
            return Lsn.parse(adopted[0]["start_lsn"])
        start = Lsn.parse(session.one("adoption_facts")["start_lsn"])
        blue = databases.on(plan.blue, database)
        slots = blue.query("slot", slot=plan.slot(database))
        if not slots:
            raise CloneUnusable(f"Blue has lost the slot {plan.slot(database)} of {database}: release again.")
        reason = guard(
            start,
            confirmed=Lsn.parse(slots[0]["confirmed_flush_lsn"]),
            blue_now=Lsn.parse(blue.one("insert_lsn")["flushed_lsn"]),
            stamps=(_stamp(blue, plan), _stamp(session, plan)),
        )
        if reason is not None:
            raise CloneUnusable(f"{green.identifier} cannot follow {plan.blue.identifier} in {database}: {reason}.")
        session.run(
            "INSERT INTO bluegreen.adoption VALUES (:release_id, :start::pg_lsn, clock_timestamp())",
            release_id=plan.release_id,
            start=str(start),
        )
        session.run(f"DROP PUBLICATION IF EXISTS {identifier(plan.sql_name)}")
        return start


def drop_copied_slots(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Drops all logical slots that green has from blue, whoever reads them there: unread here, they would hold its log
    for ever, and RDS does not upgrade beside one."""
    for row in databases.on(green, plan.home).query("logical_slots"):
        if session := databases.find(green, row["database"]):
            drop_slot(session, row["slot_name"])


def roll_back_prepared(session: Session) -> None:
    """Rolls back the transactions that the clone copied in the state prepared.

    Nobody will ever end them there, and their locks would make the apply worker wait for ever for the very rows that
    blue sends when it commits them [tried on PostgreSQL 16].
    """
    for row in session.query("prepared_transactions_here"):
        try:
            session.run(f"ROLLBACK PREPARED {literal(row['gid'])}")
        except SqlError as error:
            if error.sqlstate != UNDEFINED_OBJECT:  # a second attempt of this step was faster
                raise


def _stamp(session: Session, plan: Plan) -> str | None:
    rows = session.query("publication", name=plan.sql_name)
    return rows[0]["stamp"] if rows else None
