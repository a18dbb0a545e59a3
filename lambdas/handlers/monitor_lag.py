"""MonitorLag: lag, errors, slots and retained log of the release that is under way; it calls it once, then a rule."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

from bluegreen.model import Plan, State, green
from bluegreen.monitor.measuring import METRICS, measure
from bluegreen.monitor.schedule import Schedule

from .entry import Result, about, client, entry, new_databases, publish, setting, tell

PATIENCE_S = 10
"""How long a sentinel is waited for; not at all in the call that the release waits for."""


@entry
def handler(state: State) -> Result:
    tables = (setting("LOCK_TABLE"), setting("SAMPLE_TABLE"), setting("CLUSTER_NAME"))
    schedule = Schedule(client("dynamodb"), client("events"), setting("MONITOR_RULE"), *tables)
    if "plan" in state:
        schedule.begin(Plan.of(state), green(state))
    if (watched := schedule.watched()) is None:
        return {"watched": None}
    plan, target = watched
    about(plan.release_id)
    # New sessions each time: of all functions this one is called while a release waits for days. So a rotation is met
    # within a minute, and green, which the rotation does not know, gets the new password before the next one.
    with closing(new_databases()) as databases:
        found = measure(databases, plan, target, 0 if "plan" in state else PATIENCE_S)
    for figures in found:
        tell("measured", database=figures.database, failure=figures.failure or None, **figures.sample())
        publish(figures.metrics(), METRICS, figures.database)
    if samples := {figures.database: figures.sample() for figures in found if not figures.failure}:
        schedule.keep(plan, samples, datetime.now(UTC))
    return {"watched": plan.release_id, "databases": len(found)}
