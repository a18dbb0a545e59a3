"""CompleteRelease: takes away what only the release needed, orders the end of blue, sums up."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen import history
from bluegreen.completion import clear_away, order_end, summary
from bluegreen.model import Plan, State, green
from bluegreen.secrets import delete_replication_login

from .entry import Result, client, databases, entry, measure, setting


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    record = clear_away(databases(), plan, green(state))
    delete_replication_login(client("secretsmanager"), plan)
    completed = history.note(client("dynamodb"), setting("RELEASE_TABLE"), plan, datetime.now(UTC))
    order_end(client("stepfunctions"), setting("DECOMMISSION_ARN"), completed)
    figures = summary(completed, state, record)
    measure(figures)
    return figures
