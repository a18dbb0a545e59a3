"""The freeze budget: every step between freeze and opening knows what is left of it."""

from __future__ import annotations

import math

from .errors import FreezeBudgetExceeded, SwitchoverAborted
from .model import Plan
from .postgres import Databases


def time_left_s(databases: Databases, plan: Plan) -> float:
    """Seconds until the freeze must have ended, by blue's clock, which set the deadline.

    Every step between freeze and opening asks this before it begins. Raises ``FreezeBudgetExceeded`` when the time is
    over, ``SwitchoverAborted`` when blue was given back or never frozen.
    """
    record = next(
        iter(databases.on(plan.blue, plan.home).query("freeze_record", switchover_id=plan.switchover_id)), None
    )
    if record is None or record["left_s"] is None or record["unfrozen_at"] is not None:
        raise SwitchoverAborted(f"Blue is not frozen by {plan.switchover_id}: it was given back, or never was frozen.")
    left_s: float = record["left_s"]
    if left_s <= 0:
        raise FreezeBudgetExceeded(f"The freeze budget of {plan.freeze_budget_s} s is used up.")
    return left_s


def whole_time_left_s(databases: Databases, plan: Plan) -> int:
    """``time_left_s`` for the state machine, which bounds the next step by it: whole seconds, one at least."""
    return math.ceil(time_left_s(databases, plan))
