"""The rounds in which all rows are compared: how far they are, and how many more there may be."""

from __future__ import annotations

from typing import Any

from ..errors import VerificationStalled
from ..model import Cluster, Plan, State
from ..postgres import Databases
from . import live

ROUND_S = 600.0
"""How long a worker begins new chunks in one call; then it is seen how far all of them are."""

IDLE_ROUNDS = 3
"""So many in a row may pass without a chunk: half an hour in which green lagged, or blue was busy, all the time."""

EVENTS = 20_000
"""Of an execution's 25,000 events so many may go into the comparison (Step Functions quotas)."""

EVENTS_OF_A_ROUND = 11
EVENTS_OF_A_WORKER = 7


def most_rounds(workers: int) -> int:
    """How many rounds an execution has room for.

    >>> most_rounds(4), most_rounds(32)
    (512, 85)
    """
    return EVENTS // (EVENTS_OF_A_ROUND + EVENTS_OF_A_WORKER * workers)


def sum_up(databases: Databases, plan: Plan, green: Cluster, before: State) -> dict[str, Any]:
    """How far the comparison is after one more round; ``before`` is what this returned after the last one.

    Raises ``DataDiffers`` once a difference is found, ``VerificationStalled`` when there is no point in another round.
    """
    found = live.progress(databases, plan, green).to_state()
    rounds = before.get("rounds", 0) + 1
    is_idle = found["chunks_left"] and all(found[name] == before.get(name) for name in ("chunks_left", "rows"))
    idle_rounds = before.get("idle_rounds", 0) + 1 if is_idle else 0
    if idle_rounds >= IDLE_ROUNDS:
        raise VerificationStalled(f"{IDLE_ROUNDS} rounds came to nothing. {_why(databases, plan)}")
    if found["chunks_left"] and rounds >= most_rounds(plan.verify_workers):
        raise VerificationStalled(
            f"After {rounds} rounds {found['rows_left']} rows are left, and the execution has no room for more: raise"
            " verify_rows_per_s, or have fewer verify_workers."
        )
    return found | {"rounds": rounds, "idle_rounds": idle_rounds}


def _why(databases: Databases, plan: Plan) -> str:
    reasons = [live.pressure(plan, database, databases.on(plan.blue, database)) for database in plan.databases]
    if not (found := [reason for reason in reasons if reason]):
        return "Now nothing stands in the way: see what the log of CompareChunks says, and release again."
    return (
        f"{'. '.join(found)}. Release at a quieter hour, give green a bigger instance class, or allow for more in the"
        " input: max_lag_bytes, verify_max_active_sessions."
    )
