"""The freeze: from its commit on, no client writes to blue, until ``unfreeze`` or for ever once green is open.

Safety: ``bluegreen.freeze_record`` has one row per attempt, and the first transaction to insert it decides. A freeze
that comes after the abort (a function that was slow, a second attempt) finds that row and refuses; an abort that comes
at the same time waits for the freeze's transaction and then undoes exactly what it recorded. So blue is never left
frozen with nobody to unfreeze it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from .errors import FreezeBudgetExceeded, SwitchoverAborted, WritersRemain
from .freeze_methods import AWS_ROLES, Taken, method_of, perform
from .model import Plan, State
from .postgres import Databases
from .session import Row, Session

SESSIONS_TIMEOUT_S = 10
"""How long sessions may take to end after they were told to."""

POLL_INTERVAL_S = 0.002


@dataclass(frozen=True, slots=True)
class Freeze:
    """What the freeze did. Times are blue's clock, ISO 8601."""

    frozen_at: str
    roles: tuple[str, ...]
    sessions_ended: int


def counted_from(plan: Plan, state: State) -> str | None:
    """When the freeze budget began to count, if it did so before the freeze: when the application was to be stopped.

    It is a clock of AWS, and blue's is compared with it; NTP keeps them close.
    """
    asked_at = state.get("stop", {}).get("asked_at") if plan.freeze_hook_in_budget else None
    return str(asked_at) if asked_at else None


def freeze_blue(databases: Databases, plan: Plan, counted_from: str | None = None) -> Freeze:
    """Lets nobody connect any more, ends every session, and proves that none is left.

    Access and record change in one transaction, and nothing is taken that the record does not name: a second attempt
    takes nothing, also from roles that were made meanwhile. Sessions are terminated, not cancelled: a cancelled one
    goes on and can commit [tried]. ``default_transaction_read_only`` would be no freeze: a session can override it
    [tried]. ``counted_from`` is the time from which the budget counts, when the application was stopped before.

    Raises ``SwitchoverAborted`` when this release was aborted before, ``FreezeBudgetExceeded`` when no time is left,
    ``WritersRemain`` when something can still write.
    """
    home, method = databases.on(plan.blue, plan.home), method_of(plan)
    with home.transaction(lock=plan.sql_name):
        taken = method.look(home, plan)
        frozen_now = home.query(
            "insert_freeze_record",
            switchover_id=plan.switchover_id,
            roles=list(taken.roles),
            grants=json.dumps(taken.to_record()["grants"]),
            budget_s=plan.freeze_budget_s,
            counted_from=counted_from,
            made_by=plan.sql_name,
        )
        records = home.query("freeze_record", switchover_id=plan.switchover_id)
        if not records:
            raise SwitchoverAborted(f"Release {plan.release_id} was cleaned up: the schema on blue is another's.")
        (record,) = records
        if record["unfrozen_at"] is not None:
            raise SwitchoverAborted(f"{plan.switchover_id} was aborted at {record['unfrozen_at']}: not frozen.")
        if record["is_overdue"]:
            raise FreezeBudgetExceeded(
                f"The freeze budget of {plan.freeze_budget_s} s was over when blue was to be frozen. If stopping the"
                " application takes that long, raise it, or let that time not count (freeze_hook_in_budget)."
            )
        if frozen_now:
            perform(home, method.freeze(taken))
    return Freeze(record["frozen_at"], tuple(record["roles"]), prove(home, plan))


def prove(home: Session, plan: Plan) -> int:
    """Proves that nothing can write: nobody can connect but us, no session, no prepared transaction is left.

    Returns how many sessions were ended. Access is looked at after they are gone: while one lives it can make a role.

    A session that passed the check for LOGIN just before the freeze shows up in ``pg_stat_activity`` only when its
    start is complete, and a client can make that last (``post_auth_delay``): so those that are starting are waited for.
    """
    await_starting(home)
    ended = end_sessions(home, plan)
    require_no_access(home, plan)
    require_no_prepared(home)
    return ended


def prove_again(home: Session, plan: Plan) -> None:
    """Raises ``WritersRemain`` for a session that the first proof had not seen; it may have written.

    It is not ended: a second attempt of this step must see it, too, and the abort that follows lets it in anyway.
    """
    if late := home.query(
        "client_sessions", switchover_id=plan.switchover_id, terminate=False, aws_roles=list(AWS_ROLES)
    ):
        names = ", ".join(f"process {row['pid']} of {row['role']} in {row['database']}" for row in late)
        raise WritersRemain(f"Sessions were still starting when blue was frozen, and may have written: {names}.")
    require_no_access(home, plan)
    require_no_prepared(home)


def require_no_access(home: Session, plan: Plan) -> None:
    """Raises ``WritersRemain`` for a role that could connect: one that was made, or given access, during the freeze."""
    if able := method_of(plan).prove(home, plan):
        raise WritersRemain(f"These roles can connect to blue although it is frozen: {', '.join(able)}.")


def require_no_prepared(home: Session) -> None:
    """Raises ``WritersRemain`` when a prepared transaction could still be committed by anybody."""
    if prepared := home.query("prepared_transactions"):
        names = ", ".join(f"{row['gid']} of {row['owner']} in {row['database']}" for row in prepared)
        raise WritersRemain(f"Prepared transactions could still be committed on blue: {names}. End them first.")


def await_starting(home: Session) -> None:
    """Waits until every session that is starting now has started, or ended; whoever comes later is refused.

    They cannot be ended before: nobody knows yet whose they are. One that starts between the two looks of the query is
    in ``pg_stat_activity`` afterwards. Raises ``WritersRemain`` for one that takes too long.
    """
    deadline = time.monotonic() + SESSIONS_TIMEOUT_S
    waited_for = {row["session"]: row["pid"] for row in home.query("starting_sessions")}
    while waited_for:
        if time.monotonic() > deadline:
            pids = ", ".join(str(pid) for pid in waited_for.values())
            raise WritersRemain(f"Sessions began before the freeze and are still starting: processes {pids}.")
        time.sleep(POLL_INTERVAL_S)
        still = {row["session"] for row in home.query("starting_sessions")}
        waited_for = {session: pid for session, pid in waited_for.items() if session in still}


def end_sessions(session: Session, plan: Plan) -> int:
    """Terminates all sessions of clients until none is left, and returns how many there were."""
    deadline = time.monotonic() + SESSIONS_TIMEOUT_S
    seen: dict[int, Row] = {}
    while remaining := session.query(
        "client_sessions", switchover_id=plan.switchover_id, terminate=True, aws_roles=list(AWS_ROLES)
    ):
        seen |= {row["pid"]: row for row in remaining}
        if time.monotonic() > deadline:
            names = ", ".join(f"process {row['pid']} of {row['role']} in {row['database']}" for row in remaining)
            raise WritersRemain(f"Sessions did not end within {SESSIONS_TIMEOUT_S} s: {names}.")
        time.sleep(POLL_INTERVAL_S)
    return len(seen)


def unfreeze_blue(databases: Databases, plan: Plan, *, is_not_open: bool) -> tuple[str, ...] | None:
    """Gives back exactly what was taken, and keeps this release from freezing again.

    Returns the roles that it concerns; none of them when blue was never frozen. Returns None and does nothing when
    green may have been asked to open, unless the caller knows that it is not open and never will be (``is_not_open``).
    """
    home = databases.on(plan.blue, plan.home)
    with home.transaction(lock=plan.sql_name):
        records = home.query("end_freeze_record", switchover_id=plan.switchover_id, is_not_open=is_not_open)
        if not records:
            return None
        taken = Taken.of(records[0])
        gone = [row["name"] for row in home.query("missing_roles", roles=sorted(taken.names))]
        perform(home, method_of(plan).unfreeze(taken.without(gone)))  # a role that was dropped must strand nobody else
    return tuple(records[0]["roles"])


def give_back(session: Session, plan: Plan, record: Row) -> None:
    """Lets in, on green, whom the freeze of this record keeps out of blue."""
    perform(session, method_of(plan).unfreeze(Taken.of(record)))


def fence(session: Session, plan: Plan) -> None:
    """Lets nobody but replication and the release connect to green."""
    method = method_of(plan)
    with session.transaction(lock=plan.sql_name):
        perform(session, method.freeze(method.look(session, plan)))
    end_sessions(session, plan)
