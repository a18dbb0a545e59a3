"""CreateReplicationUser: a role that may replicate and nothing else, its password in a secret of its own."""

from __future__ import annotations

from bluegreen.model import Plan, State
from bluegreen.replication import create_replication_role
from bluegreen.secrets import create_replication_login

from .entry import Result, client, databases, entry, setting


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    login = create_replication_login(client("secretsmanager"), plan, setting("KMS_KEY_ARN"))
    create_replication_role(databases(), plan, login)
    return {"role": login.username, "secret": plan.replication_secret}
