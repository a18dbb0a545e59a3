"""CompleteRelease: takes away what only the release needed, frees the lock, sums up."""

from __future__ import annotations

from bluegreen.completion import clear_away, summary
from bluegreen.model import Plan, State, green
from bluegreen.records import release_lock
from bluegreen.secrets import delete_replication_login

from .entry import Result, client, databases, entry, setting


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    record = clear_away(databases(), plan, green(state))
    delete_replication_login(client("secretsmanager"), plan)
    release_lock(client("dynamodb"), setting("LOCK_TABLE"), plan.cluster_name, plan.execution_arn)
    return summary(plan, state, record)
