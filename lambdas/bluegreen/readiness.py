"""What must hold right before the freeze: all that could have changed since the approval, every finding at once.

What can be tried is tried. Whether roles can be altered depends on versions, memberships and who granted what; so the
freeze, its end, and the opening of green are made in a transaction each, and rolled back.
"""

from __future__ import annotations

from . import drift, lag, preflight
from .errors import NotReadyToFreeze
from .freeze_methods import AWS_ROLES, Taken, method_of, refusals, try_freeze
from .model import Cluster, Plan
from .postgres import Databases
from .rds import global_database
from .session import Session
from .verify import since


def recheck(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Raises ``NotReadyToFreeze`` with all findings, ``DataDiffers``, or lag's errors.

    What changed since the approval was asked for is compared last, so that little is left for the freeze.
    """
    on_blue, on_green = databases.on(plan.blue, plan.home), databases.on(green, plan.home)
    findings = [*writer_findings(on_blue), *cron_findings(databases, plan)]
    taken, refused = try_freeze(on_blue, plan)
    findings += refused
    findings += opening_findings(on_green, plan, taken)
    databases.each(plan.databases, lambda database: findings.extend(_features(databases, plan, database)))
    findings += drift.findings(drift.find(databases, plan, green))
    if findings:
        raise NotReadyToFreeze(f"Blue cannot be frozen yet: {'; '.join(sorted(findings))}.")
    if green.secondary_readers:
        global_database.require_small_lag(databases, plan, green)
    lag.require_small(lag.measure(databases, plan, green), plan.max_lag_bytes, plan.max_lag_s)
    since.compare_changed(databases, plan, green)


def writer_findings(on_blue: Session) -> list[str]:
    """Who could write to blue after every role was kept from connecting: what is prepared, whom we cannot end."""
    findings = [
        f"prepared transaction {row['gid']} of {row['owner']} in {row['database']} is open on blue"
        for row in on_blue.query("prepared_transactions")
    ]
    if not on_blue.one("sees_sessions")["is_allowed"]:
        findings.append("the release's role cannot see what the sessions of others are: GRANT pg_monitor to it")
    return findings + [
        f"process {row['pid']} of {row['role']} in {row['database']} is {row['reason']}, so the release cannot end it"
        for row in on_blue.query("session-out-of-reach", aws_roles=list(AWS_ROLES))
    ]


def cron_findings(databases: Databases, plan: Plan) -> list[str]:
    """Active jobs of pg_cron in the databases of the release."""
    return [
        f"the pg_cron job {row['job']} of {row['role']} writes to {row['writes_to']} at its times: deactivate it"
        for row in preflight.cron_jobs(databases, plan)
    ]


def opening_findings(on_green: Session, plan: Plan, taken: Taken) -> list[str]:
    """Looks whether green is fenced, and opens it for trial to those whom the freeze keeps out of blue."""
    method = method_of(plan)
    findings = [f"green is not fenced any more: {name} can log in" for name in method.prove(on_green, plan)]
    missing = [row["name"] for row in on_green.query("missing_roles", roles=sorted(taken.names))]
    with on_green.trial(lock=plan.sql_name):
        changes = method.unfreeze(taken.without(missing))
        refused = [f"green could not be opened: {text}" for text in refusals(on_green, changes)]
        if not findings and not refused and method.look(on_green, plan) != taken:
            refused = ["once open, who may connect to green would not be who may connect to blue"]
    return findings + refused


def _features(databases: Databases, plan: Plan, database: str) -> list[str]:
    """What one database of blue has come to use since the clone that the release does not carry over."""
    found = preflight.found_again(databases.on(plan.blue, database), plan, database)
    return [f"{each.id} {each}: {each.fix}" for each in found]
