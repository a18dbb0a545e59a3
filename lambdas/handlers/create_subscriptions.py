"""CreateSubscriptions: green follows blue from the point at which it was cloned."""

from __future__ import annotations

from bluegreen.lsn import Lsn
from bluegreen.model import Plan, State, green
from bluegreen.repair import make_like_blue
from bluegreen.replication import create_subscriptions
from bluegreen.secrets import read_login

from .entry import Result, client, databases, entry


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    make_like_blue(databases(), plan, green(state))
    login = read_login(client("secretsmanager"), plan.replication_secret)
    create_subscriptions(databases(), plan, green(state), login, Lsn.parse(state["adoption"]["start_lsn"]))
    return {"subscription": plan.sql_name}
