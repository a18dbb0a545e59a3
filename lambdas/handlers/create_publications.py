"""CreatePublications: publishes all tables of each database on blue, stamped."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.replication import create_publications

from .entry import Result, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    create_publications(databases(), plan)
    return {"publication": plan.sql_name}
