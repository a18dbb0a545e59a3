"""Everything that a look at blue looks for. ``make findings`` makes docs/findings.md of it.

A check of a database or of the server is one entry here and ``queries/findings/<id>.sql``, which returns a row for each
object with the columns that the entry's templates name. Those of RDS are in ``rds.py``.
"""

from __future__ import annotations

from .findings import Check

TABLE = "{schema!i}.{name!i}"
NOTHING_TO_DO = "nothing to do"
PARAMETER = "in the cluster parameter group"

IN_EACH_DATABASE = (
    Check(
        "table-without-replica-identity",
        "blocker",
        "Once it is published, blue's own UPDATE and DELETE of it fail; a primary key is the best remedy.",
        f"ALTER TABLE {TABLE} REPLICA IDENTITY {{identity}};",
        is_rechecked=True,
    ),
    Check(
        "generated-column-in-replica-identity",
        "blocker",
        "Generated columns are not replicated, so green cannot find rows by them; from PostgreSQL 18 on UPDATE and "
        "DELETE on blue fail as well.",
        f"give {TABLE} a primary key, or REPLICA IDENTITY USING INDEX, without the column {{column!i}}",
        name="{schema}.{name}.{column}",
        is_rechecked=True,
    ),
    Check(
        "other-subscription",
        "blocker",
        "It subscribes to another server: green's copy of the subscription would write to green, and blue takes "
        "writes that no freeze stops.",
        "DROP SUBSCRIPTION {name!i};",
        name="{name}",
        is_rechecked=True,
    ),
    Check(
        "fires-on-green",
        "blocker",
        "It is ENABLE ALWAYS or REPLICA, so it fires on green as well, for each change that replication applies, and "
        "changes rows there a second time.",
        f"ALTER TABLE {TABLE} ENABLE {{kind}} {{what!i}};",
        name="{schema}.{name} ({kind} {what})",
        is_rechecked=True,
    ),
    Check(
        "pg-cron",
        "blocker",
        "Its jobs would run on green as well; this version cannot release the database that pg_cron is installed in.",
        "keep it and its jobs in a database that is not released (cron.database_name, cron.schedule_in_database)",
        name="{name}",
        is_rechecked=True,
    ),
    Check(
        "schema-bluegreen",
        "blocker",
        "The release keeps its records in a schema of this name, and this one is not its own.",
        "ALTER SCHEMA {name!i} RENAME TO bluegreen_of_another;",
        name="{name}",
        is_rechecked=True,
    ),
    Check(
        "row-security",
        "blocker",
        "Its policies hold for the release's role, so neither can rows be compared, nor may replication write them.",
        "ALTER ROLE {me!i} BYPASSRLS;",
    ),
    Check(
        "table-not-readable",
        "blocker",
        "The release's role may not read it, so it cannot prove that green has all rows.",
        "GRANT pg_read_all_data TO {me!i};",
    ),
    Check(
        "owner-out-of-reach",
        "blocker",
        "On green, replication writes to tables in the name of their owner, whom the release's role cannot become.",
        "GRANT {owner!i} TO {me!i};",
        name="role {owner}, owner of {tables} tables",
    ),
    Check(
        "no-create-on-database",
        "blocker",
        "The release's role may make neither its schema nor its publication.",
        "GRANT CREATE ON DATABASE {name!i} TO {me!i};",
        name="{name}",
    ),
    Check(
        "full-identity-without-index",
        "warning",
        "Its replica identity is FULL and no index helps: for each UPDATE and DELETE green reads the whole table.",
        f"give {TABLE} a primary key or, from PostgreSQL 16 on, an index on a column that tells its rows apart",
        name="{schema}.{name} ({size})",
    ),
    Check(
        "unlogged-table",
        "warning",
        "It leaves no trace in the log: nothing of it is replicated, and on a clone it is empty.",
        f"ALTER TABLE {TABLE} SET LOGGED;",
        is_rechecked=True,
    ),
    Check(
        "large-object",
        "warning",
        "Replication does not carry large objects: green has them as they were when it was cloned.",
        "keep them in bytea columns, or carry over yourself what changes between clone and cutover",
        name="large objects: {count}",
        is_rechecked=True,
    ),
    Check(
        "event-trigger",
        "warning",
        "It fires when the release makes its schema and publication, on blue and on green, and may refuse them.",
        "ALTER EVENT TRIGGER {name!i} DISABLE;",
        name="{name} (on {event})",
    ),
    Check(
        "partition-manager",
        "warning",
        "It makes and drops partitions at its times: one that is made on blue after the clone stops replication.",
        "make partitions for the time of the release beforehand, and switch its job or background worker off",
        name="extension {name}",
    ),
    Check(
        "extension-with-state",
        "warning",
        "It writes its own tables on whichever server it is, so what green writes and what is replicated may conflict, "
        "or it replicates by itself.",
        "switch it off for the time of the release, or DROP EXTENSION {name!i}",
        name="extension {name}",
    ),
    Check(
        "collation-version-changed",
        "warning",
        "The rules of this collation are not those by which its indexes were built, so they may miss rows; green has "
        "the same indexes.",
        f"ALTER COLLATION {TABLE} REFRESH VERSION;",
        name="{schema}.{name} (was {then}, is {now}; REINDEX what uses it first)",
    ),
    Check(
        "database-collation-version-changed",
        "warning",
        "The rules of the database's collation are not those by which its indexes were built, so they may miss rows.",
        "ALTER DATABASE {name!i} REFRESH COLLATION VERSION;",
        name="{name} (was {then}, is {now}; REINDEX DATABASE first)",
    ),
    Check(
        "invalid-index",
        "warning",
        "It is the rest of a CREATE INDEX CONCURRENTLY that failed: it costs on every write and serves no query, on "
        "green too.",
        f"REINDEX INDEX CONCURRENTLY {TABLE};",
    ),
    Check(
        "sequence-near-its-end",
        "note",
        "Nine tenths of its values are used up; the release carries it over as it is.",
        f"ALTER SEQUENCE {TABLE} AS bigint NO {{limit}};",
        name="{schema}.{name} ({percent} %)",
    ),
    Check(
        "materialized-view",
        "note",
        "It is not replicated: it is refreshed on green before the approval is asked for, and as of then.",
        NOTHING_TO_DO,
    ),
    Check(
        "partition-due",
        "note",
        "Its newest partition ends within two weeks, so a job will make the next: one that is made on blue after the "
        "clone stops replication with its first row.",
        "make the partitions for the time of the release before it begins",
        name="{schema}.{name} (until {ends})",
    ),
    Check(
        "foreign-table",
        "note",
        "Green reads it from the same foreign server, which sees another client address.",
        "let {server!i} admit green's address",
    ),
    Check(
        "temporary-table",
        "note",
        "It is gone with its session, which the freeze ends.",
        NOTHING_TO_DO,
    ),
    Check(
        "generated-column",
        "note",
        "It is not replicated: green computes it itself, from the same columns.",
        NOTHING_TO_DO,
        name="{schema}.{name}.{column}",
    ),
    Check(
        "deferrable-or-exclusion-constraint",
        "note",
        "Blue has checked it when a transaction is replicated; green checks a deferrable one no second time.",
        NOTHING_TO_DO,
        name="{schema}.{name} ({constraint})",
    ),
    Check(
        "column-without-hash",
        "note",
        "PostgreSQL cannot hash its type, so its values are compared as text.",
        NOTHING_TO_DO,
        name="{schema}.{name}.{column} ({type})",
    ),
    Check(
        "extension-out-of-date",
        "note",
        "The server brings a newer version of it; a newer engine may want that one.",
        "ALTER EXTENSION {name!i} UPDATE;",
        name="extension {name} {installed}, available {available}",
    ),
    Check(
        "other-publication",
        "note",
        "Its subscribers go on listening to blue, which takes no writes any more after the release.",
        "let its subscribers follow green after the release",
        name="{name}",
    ),
)
"""Asked of each database that is released."""

BEFORE_ALL = (
    Check(
        "version-too-old",
        "blocker",
        "PostgreSQL 15 is the least that tells of replication's errors and stops at them.",
        "upgrade blue to PostgreSQL 15 or later",
        name="PostgreSQL {version}",
    ),
    Check(
        "endpoint-of-a-reader",
        "blocker",
        "Blue must be the primary cluster, reached by its writer endpoint.",
        "point the writer record at the primary cluster's writer endpoint",
        name="{state}",
    ),
)
"""Of a server with one of these nothing else can be asked."""

OF_THE_SERVER = (
    Check(
        "logical-replication-off",
        "blocker",
        "Green follows blue by logical replication; a release never reboots production by itself.",
        f"set rds.logical_replication = 1 {PARAMETER} and reboot the instances",
        name="wal_level is {wal_level}, rds.logical_replication is {value}",
    ),
    Check(
        "too-little-room",
        "blocker",
        "Each database needs two slots and a sender on blue, an apply worker on green, which gets blue's parameters.",
        f"set {{setting}} to at least {{wanted}} {PARAMETER} and reboot the instances",
        name="{setting} is {value} and {free} of it is free; {needed} are needed",
    ),
    Check(
        "prepared-transaction",
        "blocker",
        "A slot cannot be made while it is open, and anybody can commit it during the freeze.",
        "ROLLBACK PREPARED {gid!l};",
        name="{gid} of {owner}, {age} old",
    ),
    Check(
        "sessions-unseen",
        "blocker",
        "The sessions of others look like none, so no freeze could be proven.",
        "GRANT pg_monitor TO {me!i};",
        name="role {me}",
    ),
    Check(
        "session-out-of-reach",
        "blocker",
        "The freeze could not end it.",
        "SELECT pg_terminate_backend({pid});",
        name="process {pid} of {role} is {reason}",
    ),
    Check(
        "slot-of-another-consumer",
        "warning",
        "Its consumer (DMS, Debezium, another subscriber) finds no slot on green and misses what is written there.",
        "stop it before the switchover, and start it anew on green after the release",
        name="{name} ({plugin}, {activity}, retains {retained})",
    ),
    Check(
        "long-transaction",
        "warning",
        "A slot cannot be made before it ends, and the release waits for that for 20 s only.",
        "SELECT pg_terminate_backend({pid});",
        name="process {pid} of {role}, {state}, open for {age}",
    ),
    Check(
        "rds-proxy",
        "warning",
        "An RDS Proxy connects to blue; its clients follow its target and no DNS record.",
        "register green as the proxy's target right after the release",
        name="sessions of {name}: {count}",
    ),
    Check(
        "few-free-connections",
        "warning",
        "The release would compete with the application for connections.",
        f"set max_connections to at least {{wanted}} {PARAMETER}, or release fewer databases",
        name="max_connections is {max} and {free} of it is free; {needed} are needed",
    ),
    Check(
        "slot-wal-limit",
        "warning",
        "A slot that retains more than this is lost, and the release with it.",
        f"set max_slot_wal_keep_size = -1 {PARAMETER}",
        name="max_slot_wal_keep_size is {value}",
    ),
    Check(
        "powerful-role",
        "note",
        "It could give back during the switchover what the freeze takes, and is kept from connecting like all others.",
        NOTHING_TO_DO,
        name="role {name} ({powers})",
    ),
    Check(
        "tls-not-forced",
        "note",
        "Clients may connect without TLS; the release itself does not.",
        f"set rds.force_ssl = 1 {PARAMETER}",
        name="rds.force_ssl is {value}",
    ),
)
"""Asked once, in the first of the databases."""

TRIED = (
    Check(
        "database-out-of-reach",
        "blocker",
        "There is no such database, or it takes no connections.",
        "correct input.databases or the configuration",
        name="{error}",
    ),
    Check(
        "freeze-refused",
        "blocker",
        "The freeze was tried and rolled back: this is better known now than at night, after the approval.",
        "see NotReadyToFreeze in docs/runbook.md; for a role: GRANT {{role}} TO {{me}} WITH ADMIN OPTION",
        name="{error}",
    ),
    Check(
        "cron-job",
        "warning",
        "The job writes to a database of the release at its times, also during the freeze; it must be off by then.",
        "SELECT cron.alter_job({id}, active := false);",
        name="job {job} of {role}, in {writes_to}",
    ),
    Check(
        "much-written",
        "note",
        "One apply worker for each database has to keep up with this on green.",
        "release at a quieter hour",
        name="{rate} MB/s of write-ahead log while blue was looked at",
    ),
)
"""Found by doing it."""

OF_RDS = (
    Check(
        "other-blue-green-deployment",
        "blocker",
        "RDS replicates from this cluster, or switches it over, by itself.",
        "aws rds delete-blue-green-deployment --blue-green-deployment-identifier {id}",
        name="{id} is {status}",
    ),
    Check(
        "too-many-clones",
        "blocker",
        "A cluster volume can be shared by 15 clones.",
        "delete one of them",
        name="{clones}",
    ),
    Check(
        "quota-reached",
        "blocker",
        "Green needs a cluster, and an instance for each of blue's.",
        "ask for a larger quota of {quota} (Service Quotas), or delete some",
        name="{quota}: {used} of {max} are used; {needed} are needed",
    ),
    Check(
        "instance-not-available",
        "blocker",
        "Blue is in the middle of something.",
        "wait until it is available",
        name="{instance} is {status}",
    ),
    Check(
        "pending-reboot",
        "warning",
        "A changed parameter is not in effect on blue yet, but will be on green, which starts with it.",
        "aws rds reboot-db-instance --db-instance-identifier {instance}",
        name="{instance}, parameter group {group}",
    ),
    Check(
        "pending-change",
        "warning",
        "It will be made in blue's next maintenance window, perhaps in the middle of the release.",
        "apply it now (--apply-immediately), or take it back",
        name="{resource}: {changes}",
    ),
    Check(
        "pending-maintenance",
        "warning",
        "RDS will carry it out by itself, perhaps in the middle of the release.",
        "aws rds apply-pending-maintenance-action --resource-identifier {arn} --apply-action {action} "
        "--opt-in-type immediate",
        name="{action} on {date}",
    ),
    Check(
        "security-group-closed",
        "warning",
        "Green has blue's security groups, and none of their rules admits it to blue's port.",
        "aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port {port} "
        "--source-group {group}",
        name="{groups}",
    ),
)
"""Asked of RDS and EC2."""

CHECKS = (*BEFORE_ALL, *IN_EACH_DATABASE, *OF_THE_SERVER, *TRIED, *OF_RDS)

BY_ID = {check.id: check for check in CHECKS}
