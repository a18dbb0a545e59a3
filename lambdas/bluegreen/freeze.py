"""The freeze: from its commit on, no client writes to blue, until ``unfreeze`` or for ever once green is open.

Safety: ``bluegreen.freeze_record`` has one row per attempt, and the first transaction to insert it decides. A freeze
that comes after the abort (a function that was slow, a second attempt) finds that row and refuses; an abort that comes
at the same time waits for the freeze's transaction and then undoes exactly what it recorded. So blue is never left
frozen with nobody to unfreeze it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import SwitchoverAborted, WritersRemain
from .model import Plan
from .postgres import Databases, Row, Session, identifier

SESSIONS_TIMEOUT_S = 10
"""How long sessions may take to end after they were told to."""

POLL_INTERVAL_S = 0.002


@dataclass(frozen=True, slots=True)
class Freeze:
    """What the freeze did. Times are blue's clock, ISO 8601."""

    frozen_at: str
    roles: tuple[str, ...]
    sessions_ended: int


def login_roles(session: Session, plan: Plan) -> list[str]:
    """Roles that a client could log in with, but the release's own, its replication's, and those of AWS."""
    return [row["name"] for row in session.query("login_roles", replication_role=plan.replication_role)]


def freeze_blue(databases: Databases, plan: Plan) -> Freeze:
    """Takes LOGIN from every role, ends every session, and proves that none is left.

    Roles and record change in one transaction. Sessions are terminated, not cancelled: a cancelled one goes on and can
    commit [tried]. ``default_transaction_read_only`` would be no freeze: a session can override it [tried].

    Raises ``SwitchoverAborted`` when this release was aborted before, ``WritersRemain`` when something can still write.
    """
    home = databases.on(plan.blue, plan.home)
    with home.transaction(lock=plan.sql_name):
        roles = login_roles(home, plan)
        home.query("insert_freeze_record", switchover_id=plan.switchover_id, roles=roles, budget_s=plan.freeze_budget_s)
        record = home.one("freeze_record", switchover_id=plan.switchover_id)
        if record["unfrozen_at"] is not None:
            raise SwitchoverAborted(f"{plan.switchover_id} was aborted at {record['unfrozen_at']}: not frozen.")
        alter_roles(home, roles, "NOLOGIN")
    ended = prove(home, plan)
    return Freeze(record["frozen_at"], tuple(record["roles"]), ended)


def prove(home: Session, plan: Plan) -> int:
    """Proves that nothing can write: no client's session but ours, no prepared transaction. Returns sessions ended.

    One look is not enough. A session that passed the check for LOGIN just before the freeze shows up in
    ``pg_stat_activity`` a moment later, when its start is complete; so ``prove_again`` looks before green may open.
    """
    ended = end_sessions(home, plan)
    require_no_prepared(home)
    return ended


def prove_again(home: Session, plan: Plan) -> None:
    """Raises ``WritersRemain`` for a session that the first proof had not seen; it may have written.

    It is not ended: a second attempt of this step must see it, too, and the abort that follows lets it in anyway.
    """
    if late := home.query("client_sessions", switchover_id=plan.switchover_id, terminate=False):
        names = ", ".join(f"process {row['pid']} of {row['role']} in {row['database']}" for row in late)
        raise WritersRemain(f"Sessions were still starting when blue was frozen, and may have written: {names}.")
    require_no_prepared(home)


def require_no_prepared(home: Session) -> None:
    """Raises ``WritersRemain`` when a prepared transaction could still be committed by anybody."""
    if prepared := home.query("prepared_transactions"):
        names = ", ".join(f"{row['gid']} of {row['owner']} in {row['database']}" for row in prepared)
        raise WritersRemain(f"Prepared transactions could still be committed on blue: {names}. End them first.")


def end_sessions(session: Session, plan: Plan) -> int:
    """Terminates all sessions of clients until none is left, and returns how many there were."""
    deadline = time.monotonic() + SESSIONS_TIMEOUT_S
    seen: dict[int, Row] = {}
    while remaining := session.query("client_sessions", switchover_id=plan.switchover_id, terminate=True):
        seen |= {row["pid"]: row for row in remaining}
        if time.monotonic() > deadline:
            names = ", ".join(f"process {row['pid']} of {row['role']} in {row['database']}" for row in remaining)
            raise WritersRemain(f"Sessions did not end within {SESSIONS_TIMEOUT_S} s: {names}.")
        time.sleep(POLL_INTERVAL_S)
    return len(seen)


def unfreeze_blue(databases: Databases, plan: Plan, *, is_not_open: bool) -> tuple[str, ...] | None:
    """Gives LOGIN back to exactly the roles it was taken from, and keeps this release from freezing again.

    Returns these roles; none of them when blue was never frozen. Returns None and does nothing when green may have been
    asked to open, unless the caller knows that it is not open and never will be (``is_not_open``).
    """
    home = databases.on(plan.blue, plan.home)
    with home.transaction(lock=plan.sql_name):
        records = home.query("end_freeze_record", switchover_id=plan.switchover_id, is_not_open=is_not_open)
        if not records:
            return None
        alter_roles(home, records[0]["roles"], "LOGIN")
    return tuple(records[0]["roles"])


def alter_roles(session: Session, roles: Sequence[str], attribute: str) -> None:
    """Gives roles an attribute, ``LOGIN`` or ``NOLOGIN``, in one round trip."""
    if roles:
        session.run("; ".join(f"ALTER ROLE {identifier(role)} {attribute}" for role in roles))
