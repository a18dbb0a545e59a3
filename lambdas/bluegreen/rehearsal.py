"""A rehearsal: a release that is only played. Blue is never frozen, the records of production stay, green is removed.

What the freeze does is done where that harms nobody, and timed: the freeze and the opening are tried and rolled back,
sequences are carried, what changed is compared, and the records of the rehearsal move. Sessions are not ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from . import evidence, lag, readiness
from .model import Cluster, Plan, State
from .postgres import Databases
from .switchover import carry_sequences
from .verify import since

CARRYING_TIMEOUT_S = 300

Figures = dict[str, Any]


def play(databases: Databases, plan: Plan, green: Cluster) -> Figures:
    """Plays the switchover; returns the seconds of its parts. Raises whatever would call the real one off."""
    figures: Figures = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.monotonic()
        work()
        figures[name] = round(time.monotonic() - began, 3)

    timed("recheck_s", lambda: readiness.recheck(databases, plan, green))
    timed("drain_s", lambda: lag.measure(databases, plan, green))
    timed("sequences_s", lambda: carry_sequences(databases, plan, green, CARRYING_TIMEOUT_S))
    timed("compare_changed_s", lambda: since.compare_changed(databases, plan, green))
    return figures


def summary(plan: Plan, state: State, states_s: Mapping[str, float], started_at: datetime, now: datetime) -> Figures:
    """What a rehearsal has shown, as it is kept for the next release."""
    return {
        "elapsed_s": round((now - started_at).total_seconds(), 1),
        "release_id": plan.release_id,
        "rehearsed_at": now.isoformat(timespec="seconds"),
        "expected_freeze_s": state["evidence"]["expected_freeze_s"],
        "switchover": state["rehearsal"]["switchover"],
        "dns_s": state["rehearsal"]["dns"]["dns_s"],
        "rows": sum(state["compared"]["rows"].values()),
        "states_s": dict(states_s),
    }


def report(plan: Plan, state: State, figures: Figures) -> list[str]:
    """The mail about a rehearsal, in lines."""
    played = figures["switchover"]
    moved = "no record moved: the configuration has no rehearsal_records"
    if plan.records:
        moved = f"the records of the rehearsal were served by all of Route 53 after {figures['dns_s']:.1f} s"
    lines = [
        f"Release {plan.release_id} of {plan.cluster_name} was rehearsed. Blue is in production as before.",
        "",
        f"The real one will refuse writes for about {figures['expected_freeze_s']:.1f} s.",
        f"  a row from blue to green {played['drain_s']:.2f} s, sequences {played['sequences_s']:.2f} s,"
        f" comparing what changed {played['compare_changed_s']:.2f} s",
        f"  {moved}",
        f"{figures['rows']:,} rows were compared and are equal.",
        *evidence.finding_lines(plan, state),
        "",
        f"It took {figures['elapsed_s'] / 60:.1f} minutes until then. States that took a second or more, all visits:",
    ]
    slow = [(name, spent) for name, spent in figures["states_s"].items() if spent >= 1]
    return lines + [f"  {name:<24}{spent:>10,.0f} s" for name, spent in slow]
