"""CleanUpReplication: blue is as it was before the release: no slot, publication, role, schema, secret."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.replication import remove_from_blue
from bluegreen.secrets import delete_replication_login

from .entry import Result, client, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    remove_from_blue(databases(), plan)
    delete_replication_login(client("secretsmanager"), plan)
    return {"cleaned": True}
