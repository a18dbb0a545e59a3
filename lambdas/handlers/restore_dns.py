"""RestoreDns: the records are as they were before the release."""

from __future__ import annotations

from functools import partial

from bluegreen.dns import restore
from bluegreen.model import Plan, State, green_if_any

from .entry import Result, client, entry, prime_flip


@partial(entry, warm=prime_flip)
def handler(state: State) -> Result:
    change_ids, left_alone = restore(client("route53"), Plan.of(state), green_if_any(state))
    return {"change_ids": change_ids, "left_alone": left_alone}
