"""CheckBlue: finds what would break the release, before anything is touched."""

from __future__ import annotations

from functools import partial

from bluegreen.model import Plan, State
from bluegreen.preflight import look_at_blue
from bluegreen.preflight.of_account import look_at_account
from bluegreen.preflight.of_topology import look_at_topology
from bluegreen.preflight.rds import look_at_cluster

from .entry import Result, both_rds, client, databases, entry, in_greens_account, logger


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    rds = partial(client, "rds")
    found = [
        *look_at_cluster(rds(), client("ec2"), plan),
        *look_at_topology(rds, plan),
        *look_at_account(both_rds(plan), client("ec2"), partial(in_greens_account, plan, "kms"), plan),
    ]
    report = look_at_blue(databases(), plan, found)
    for finding in report.findings:
        objects = [f"{found}: {found.fix}" for found in finding.objects]
        logger.info("found", extra={"finding": finding.id, "severity": finding.severity, "objects": objects})
    return report.result(plan)
