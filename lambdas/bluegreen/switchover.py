"""Between freeze and opening: drain, sequences, and the one transaction that is the commit point.

Safety, whatever runs late, twice, or at the same time:

- Green opens only after blue's freeze record says so (``opening_at``), and that can be said only while blue is frozen.
- Blue is given back without asking green only while that has not been said; doing so makes it impossible to say later.
- Once it was said, green decides: ``bluegreen.opening`` has one row per attempt, which ``open_green`` and ``abort``
  both try to insert. The unique key makes the later one wait for the earlier and read its verdict.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from . import freeze, lag, replication
from .budget import time_left_s
from .errors import (
    FreezeBudgetExceeded,
    GreenFailed,
    NotReadyToFreeze,
    ReplicationBroken,
    SequencesDiffer,
    SwitchoverAborted,
)
from .lsn import Lsn
from .model import Cluster, Plan, SequenceState
from .postgres import Databases
from .session import Session

POLL_INTERVAL_S = 0.002

HEALTH_INTERVAL_S = 0.25
"""How often a drain that lasts asks whether it can end at all: the application waits."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The verdict on a release: ``open`` or ``abort``, and when it fell (green's clock, ISO 8601)."""

    outcome: str
    decided_at: str
    roles: tuple[str, ...] = ()


def drain(databases: Databases, plan: Plan, green: Cluster) -> dict[str, float]:
    """Waits until green holds all that blue committed, and returns the seconds that took in each database.

    Only now, with no session left that could commit, is the target taken: the end of blue's log, then a sentinel beyond
    it. Drained means: the sentinel is on green, and the slot confirms the target. (Lag read before sessions are gone
    misses what an open transaction commits later, and a difference of exactly zero chases a moving head [tried].)
    """

    left_s = time_left_s(databases, plan)

    def drain_database(database: str) -> float:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        started = time.monotonic()
        target = Lsn.parse(on_blue.one("insert_lsn")["lsn"])
        beat = on_blue.one("write_sentinel", release_id=plan.release_id)["beat"]
        looked_at_health = started
        while not (lag.arrived(on_green, plan.release_id, beat) and _confirmed(on_blue, plan.slot(database)) >= target):
            now = time.monotonic()
            if now - started > left_s:
                raise FreezeBudgetExceeded(
                    f"{database} was not drained within the freeze budget of {plan.freeze_budget_s} s."
                )
            if now - looked_at_health > HEALTH_INTERVAL_S:
                looked_at_health = now
                if problems := lag.health_problems(on_blue, on_green, plan, database):
                    raise ReplicationBroken(f"{database} cannot be drained: {'; '.join(problems)}.")
            time.sleep(POLL_INTERVAL_S)
        return time.monotonic() - started

    return databases.each(plan.databases, drain_database)


def _confirmed(on_blue: Session, slot: str) -> Lsn:
    rows = on_blue.query("slot_lag", slot=slot)
    if not rows:
        raise NotReadyToFreeze(f"The slot {slot} is gone from blue: green cannot be proven to hold everything.")
    return Lsn.parse(rows[0]["confirmed_flush_lsn"])


def sequence_states(session: Session) -> set[SequenceState]:
    """Where every sequence of a database stands, read from the sequences themselves without consuming a value."""
    return {SequenceState(*state) for state in session.one("sequence_states")["states"]}


def sync_sequences(databases: Databases, plan: Plan, green: Cluster) -> dict[str, int]:
    """Gives green's sequences blue's positions, which are final once blue is frozen; returns how many were set.

    Both values of each sequence are carried, so one that was never called, is exhausted, descends, cycles or caches
    goes on exactly where blue's stopped. They are read back and compared.

    Opening waits for it: a call that was slow would set back sequences that green has drawn from since. Raises
    ``SwitchoverAborted`` once green's verdict has fallen.
    """
    return carry_sequences(databases, plan, green, time_left_s(databases, plan))


def carry_sequences(databases: Databases, plan: Plan, green: Cluster, timeout_s: float) -> dict[str, int]:
    """What ``sync_sequences`` does, with a time of its own. Done shortly before the freeze it leaves that only those
    sequences that were drawn from since: setting one costs a server more than reading it."""

    def sync(database: str) -> int:
        on_green = databases.on(green, database)
        sides = {"blue": databases.on(plan.blue, database), "green": on_green}
        states = databases.each(list(sides), lambda side: sequence_states(sides[side]))
        if stale := states["blue"] - states["green"]:
            schemas, names, last_values, are_called = map(list, zip(*stale, strict=True))
            with on_green.patience(timeout_s):
                on_green.query(
                    "set_sequences", schemas=schemas, names=names, last_values=last_values, are_called=are_called
                )
                set_now = on_green.one("states_of_sequences", schemas=schemas, names=names)["states"]
            if differing := stale - {SequenceState(*state) for state in set_now}:
                differing_names = ", ".join(sorted(str(state.sequence) for state in differing))
                raise SequencesDiffer(f"{database}: these sequences did not take blue's value: {differing_names}.")
        return len(states["blue"])

    home = databases.on(green, plan.home)
    with home.transaction(lock=plan.sql_name):
        if home.query("opening", switchover_id=plan.switchover_id):
            raise SwitchoverAborted(f"{plan.switchover_id} is decided: green's sequences are its own.")
        return databases.each(plan.databases, sync)


def open_green(databases: Databases, plan: Plan, green: Cluster) -> Opening:
    """The commit point: in one transaction green is decided to be the writer and lets its roles in.

    The roles are those of the freeze record, which replication brought over. Raises ``SwitchoverAborted`` when the
    abort was decided first, ``FreezeBudgetExceeded`` when the freeze's deadline has passed.
    """
    if not databases.on(plan.blue, plan.home).query("intend_opening", switchover_id=plan.switchover_id):
        raise SwitchoverAborted(f"{plan.switchover_id} was aborted, or never froze blue: green stays closed.")
    home = databases.on(green, plan.home)
    with home.transaction(lock=plan.sql_name):
        decided_now = home.query("decide_opening", switchover_id=plan.switchover_id, outcome="open")
        opening = home.one("opening", switchover_id=plan.switchover_id)
        record = home.one("freeze_record", switchover_id=plan.switchover_id)
        if opening["outcome"] != "open":
            raise SwitchoverAborted(f"{plan.switchover_id} was aborted: green stays closed.")
        if decided_now and record["is_overdue"]:
            raise FreezeBudgetExceeded(
                f"Green was not open within the freeze budget of {plan.freeze_budget_s} s, and stays closed."
            )
        freeze.give_back(home, plan, record)
    return Opening("open", opening["decided_at"], tuple(record["roles"]))


def abort(databases: Databases, plan: Plan, green: Cluster | None) -> Opening:
    """Decides against the release and gives blue back, unless green is open already: then blue stays frozen for ever.

    Green is asked only if it may have been asked to open, so a green that died before is no obstacle. After that its
    word is needed, and ``DatabaseUnavailable`` is raised until it answers: a guess could make two writers. For the same
    reason ``GreenFailed`` is raised when it is gone by then (``green`` is None). A blue that was never prepared, or was
    cleaned up after an earlier abort, has nothing to be given back.
    """
    if not replication.is_prepared(databases, plan, plan.blue):
        return Opening("abort", "")
    roles = freeze.unfreeze_blue(databases, plan, is_not_open=False)
    if roles is not None:
        return Opening("abort", "", roles)
    record = databases.on(plan.blue, plan.home).one("freeze_record", switchover_id=plan.switchover_id)
    if record["opened_at"] is not None:
        return Opening("open", record["opened_at"])
    if green is None:
        raise GreenFailed(f"{plan.green_identifier} may have been opened, and is gone: a person has to decide.")
    home = databases.on(green, plan.home)
    with home.transaction(lock=plan.sql_name):
        home.query("decide_opening", switchover_id=plan.switchover_id, outcome="abort")
        verdict = home.one("opening", switchover_id=plan.switchover_id)
    if verdict["outcome"] == "open":
        return Opening("open", verdict["decided_at"])
    return Opening("abort", verdict["decided_at"], freeze.unfreeze_blue(databases, plan, is_not_open=True) or ())
