"""The recorders: on each side a slot that keeps, from before the first comparison on, the log of what changes.

Blue's is a copy of the slot that green follows: a copy waits for nobody, while a new slot waits for every transaction
that is open. Green has its own, since what somebody changes on green alone is in no log of blue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import NotReadyToFreeze, SlotBlocked, SqlError
from ..lsn import Lsn
from ..model import Cluster, Plan, Relation
from ..postgres import Databases
from ..quoting import identifier
from ..replication import SLOT_TIMEOUT_S
from ..session import CONFIGURATION_LIMIT_EXCEEDED, QUERY_CANCELED, Session
from . import changes
from .changes import Changes
from .chunks import Key

NOTING_TIMEOUT_S = 2

MOST_BYTES_TO_READ = 256 * 2**20
"""Of log, in the freeze: half a second. What is not wanted is passed over at 600 MB/s, the rest read at 120 [tried]."""

Keys = Mapping[Relation, tuple[str, ...]]
Positions = dict[str, Lsn]
"""Of blue's log and of green's."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the logs of both sides tell of a database, from the recorders on."""

    changes: Changes
    """In either."""
    upto: Positions
    is_all: bool
    """Whether that is to the end of both logs."""
    written_on_green: frozenset[Relation]
    """What somebody changed on green, and not replication."""


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


def read(
    databases: Databases, plan: Plan, green: Cluster, database: str, keys: Keys, at_most_bytes: int | None = None
) -> Recorded:
    """What changed in a database on either side since the recorders were made or told to forget.

    With ``at_most_bytes`` no more than so much of each log is read.
    """
    sides = {"blue": plan.blue, "green": green}
    recorder = plan.recorder(database)

    def read_side(side: str) -> tuple[changes.Decoder, Lsn, bool]:
        session = databases.on(sides[side], database)
        end = upto = Lsn.parse(session.one("flush_log")["lsn"])
        if at_most_bytes is not None:
            begin = Lsn.parse(session.one("slot", slot=recorder)["confirmed_flush_lsn"])
            upto = min(end, Lsn(begin.position_bytes + at_most_bytes))
        return changes.read(session, recorder, plan.sql_name, upto, keys), upto, upto == end

    found = databases.each(list(sides), read_side)
    (blue, _, _), (green_, _, _) = found.values()
    return Recorded(
        merged(blue.changes, green_.changes),
        {side: upto for side, (_, upto, _) in found.items()},
        all(is_all for _, _, is_all in found.values()),
        frozenset(green_.local),
    )


def bring_forward(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Lets what is forgotten next bring forward from where the log has to be read.

    Decoding begins where the log says which transactions run, which it does every 15 s, and when a slot is made. Making
    one waits for the transactions that run; what is written before the waiting suffices.
    """

    def note(place: tuple[Cluster, str]) -> None:
        session = databases.on(*place)
        try:
            with session.patience(NOTING_TIMEOUT_S):
                made = session.one("note_running_transactions")
            session.query("drop_slot", slot=made["slot"])
        except SqlError as error:
            if error.sqlstate not in (QUERY_CANCELED, CONFIGURATION_LIMIT_EXCEEDED):
                raise

    databases.each([(cluster, database) for cluster in (plan.blue, green) for database in plan.databases], note)


def far_back(databases: Databases, plan: Plan, green: Cluster) -> list[str]:
    """Where the freeze would have to read more of the log than it has time for, and who is in the way."""
    findings = []
    for side, cluster in (("blue", plan.blue), ("green", green)):
        for database in plan.databases:
            session = databases.on(cluster, database)
            bytes_to_read = session.one("slot", slot=plan.recorder(database))["bytes_to_read"]
            if bytes_to_read > MOST_BYTES_TO_READ:
                blockers = [row["blocker"] for row in session.query("slot_blockers")]
                findings.append(
                    f"{side}'s log would have to be read {bytes_to_read / 2**20:.0f} MB back for {database}, since a"
                    f" transaction has been open for so long; end it: {'; '.join(blockers) or 'it has ended since'}"
                )
    return findings


def require_near(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Raises ``NotReadyToFreeze`` when the freeze would have to read more of the log than it has time for."""
    if findings := far_back(databases, plan, green):
        raise NotReadyToFreeze(f"The freeze would last too long: {'. '.join(findings)}.")


def merged(one: Changes, other: Changes) -> Changes:
    """What changed in either."""
    together = {}
    for relation in one.keys() | other.keys():
        sides = [side[relation] for side in (one, other) if relation in side]
        is_whole = any(changed.is_whole for changed in sides)
        found: set[Key] = set() if is_whole else set().union(*(changed.keys for changed in sides))
        together[relation] = changes.Changed(sides[0].columns, found, is_whole)
    return together


def forget(databases: Databases, plan: Plan, green: Cluster, database: str, upto: Positions) -> None:
    """Lets go of the log up to these positions: what changed until then was compared."""
    for side, cluster in (("blue", plan.blue), ("green", green)):
        databases.on(cluster, database).query("advance_slot", slot=plan.recorder(database), upto=str(upto[side]))
