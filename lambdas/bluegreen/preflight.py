"""What must hold before blue is touched. All findings at once, each with its remedy."""

from __future__ import annotations

from .errors import BlueUnfit, ReplicaIdentityMissing, SqlError
from .freeze_methods import try_freeze
from .model import Plan, Relation
from .postgres import INVALID_CATALOG_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE, Databases, Row, Session

MINIMUM_VERSION = 150000
"""PostgreSQL 15: ``disable_on_error`` and ``pg_stat_subscription_stats`` begin with it."""


def settings_findings(settings: Row, databases: int) -> list[str]:
    """What in blue's settings stands in the way of ``databases`` more slots, senders and workers.

    >>> settings_findings(dict(server_version_num=160004, wal_level="logical", rds_logical_replication="1",
    ...     free_slots=1, free_wal_senders=9, max_replication_slots=10, max_wal_senders=10,
    ...     max_logical_replication_workers=8, max_worker_processes=16, is_in_recovery=False), databases=2)
    ['max_replication_slots is 10 and 1 of it is free; 2 are needed: raise it in the cluster parameter group']
    """
    findings = []
    if settings["server_version_num"] < MINIMUM_VERSION:
        findings.append(f"PostgreSQL {settings['server_version_num'] // 10000} is too old; 15 is the least")
    if settings["is_in_recovery"]:
        findings.append("the endpoint leads to a reader: blue must be the primary cluster, by its writer endpoint")
    if settings["wal_level"] != "logical" or settings["rds_logical_replication"] not in ("1", "on"):
        findings.append(
            "logical replication is off: set rds.logical_replication = 1 in the cluster parameter group"
            " and reboot the instances (a release never reboots production by itself)"
        )
    for free, limit in (("free_slots", "max_replication_slots"), ("free_wal_senders", "max_wal_senders")):
        if settings[free] < databases:
            findings.append(
                f"{limit} is {settings[limit]} and {max(settings[free], 0)} of it is free; {databases} are needed:"
                " raise it in the cluster parameter group"
            )
    # Green gets blue's parameters: one apply worker for each database, taken from the worker processes.
    if settings["max_logical_replication_workers"] < databases:
        findings.append(
            f"max_logical_replication_workers is {settings['max_logical_replication_workers']}; {databases} are needed"
            " on green, which gets blue's parameters: raise it in the cluster parameter group"
        )
    if settings["max_worker_processes"] <= settings["max_logical_replication_workers"]:
        findings.append(
            f"max_worker_processes is {settings['max_worker_processes']}; it must exceed"
            f" max_logical_replication_workers ({settings['max_logical_replication_workers']})"
        )
    return findings


def database_findings(facts: Row, plan: Plan) -> list[str]:
    """What in one database the release would lose, or what would write to green beside replication."""
    findings = []
    if facts["has_pg_cron"]:
        findings.append("pg_cron is installed: its jobs would run on green as well; this version cannot release it")
    if facts["subscriptions"]:
        findings.append("it subscribes to another server: green's copy of the subscription would write to green")
    if facts["fires_on_green"]:
        findings.append(
            "these fire on green as well (ENABLE ALWAYS or REPLICA) and would change rows there a second time:"
            f" {', '.join(facts['fires_on_green'])}; ALTER TABLE … ENABLE TRIGGER (or RULE) … makes them ordinary"
        )
    if facts["schema_made_by"] not in (None, plan.sql_name):
        findings.append("it has a schema named bluegreen that is not this release's: rename or drop it")
    if facts["large_objects"]:
        findings.append(f"it holds {facts['large_objects']} large objects, which logical replication does not carry")
    if facts["unlogged_tables"]:
        findings.append(
            f"it holds {facts['unlogged_tables']} unlogged tables, which logical replication does not carry"
        )
    return findings


def check_blue(databases: Databases, plan: Plan) -> dict[str, Row]:
    """Checks blue and returns the inventory of each database: tables, sequences, bytes.

    Raises ``BlueUnfit`` with all findings, or ``ReplicaIdentityMissing`` with all tables: publishing a table without
    replica identity makes blue's own UPDATE and DELETE fail at once, so this comes before the first publication.
    """
    absent: list[str] = []
    findings: list[str] = []
    without_identity: list[str] = []

    def look(database: str) -> Row:
        try:
            session = databases.on(plan.blue, database)
        except SqlError as error:
            if error.sqlstate not in (INVALID_CATALOG_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE):
                raise
            absent.append(f"input.databases or the configuration: {error}")
            return {}
        findings.extend(
            f"{database}: {finding}" for finding in database_findings(session.one("database_findings"), plan)
        )
        without_identity.extend(f"{database}.{table}" for table in tables_without_identity(session))
        return session.one("database_inventory")

    inventory = databases.each(plan.databases, look)
    if absent:
        raise BlueUnfit("Databases cannot be connected to. " + "; ".join(sorted(absent)) + ".")
    home = databases.on(plan.blue, plan.home)
    findings += try_freeze(home, plan)[1]  # better known now than at night, after the approval
    settings = home.one("server_settings", our_slots=[plan.slot(database) for database in plan.databases])
    findings.extend(f"{plan.blue.identifier}: {text}" for text in settings_findings(settings, len(plan.databases)))
    if findings:
        raise BlueUnfit("Blue cannot be released as it is. " + "; ".join(findings) + ".")
    if without_identity:
        raise ReplicaIdentityMissing(
            f"No usable replica identity: {', '.join(sorted(without_identity))}. Give each a primary key, or"
            " ALTER TABLE … REPLICA IDENTITY USING INDEX on a unique, non-partial, non-deferrable index over NOT"
            " NULL columns."
        )
    return inventory


def tables_without_identity(session: Session) -> list[Relation]:
    """Tables of a database whose UPDATE and DELETE would fail once they are published."""
    return [Relation(**row) for row in session.query("tables_without_identity")]
