"""Everything that a look at blue looks for. ``make findings`` makes docs/findings.md of it.

A check of a database (``of_databases.py``) or of the server is one entry and ``queries/findings/<id>.sql``, which
returns a row for each object with the columns that the entry's templates name. Those of RDS are in ``rds.py``, those
of what green is to mirror in ``of_topology.py``, those of another account in ``of_account.py``.
"""

from __future__ import annotations

from .findings import NOTHING_TO_DO, Check
from .of_account import OF_ACCOUNT
from .of_databases import IN_EACH_DATABASE
from .of_quotas import QUOTA_REACHED
from .of_topology import OF_TOPOLOGY
from .of_upgrade import FOR_AN_UPGRADE

PARAMETER = "in the cluster parameter group"

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
        "database-not-connectable",
        "blocker",
        "A major upgrade has to look into every database, and is refused where it cannot.",
        "ALTER DATABASE {name!i} ALLOW_CONNECTIONS true;",
        name="database {name}",
    ),
    Check(
        "slot-of-another-consumer",
        "warning",
        "Its consumer (DMS, Debezium, another subscriber) finds no slot on green and misses what is written there.",
        "stop it before the switchover, and start it anew on green after the release",
        name="{name} ({plugin}, {activity}, retains {retained}, consumer: {consumer})",
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
        f"set {{setting}} to at least {{wanted}} {PARAMETER}, or release fewer databases",
        name="{setting} is {max} and {free} of it is free; {needed} are needed",
    ),
    Check(
        "slot-wal-limit",
        "warning",
        "A slot beyond this is lost, and the release with it: unread until green is there or while you decide.",
        f"set {{setting}} = {{off}} {PARAMETER}",
        name="{setting} is {value}",
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
        "see NotReadyToFreeze in docs/runbook.md; for a role: grant it to the release's role WITH ADMIN OPTION",
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
        "secret-not-readable",
        "blocker",
        "Without the login of the release's role nothing can be done.",
        "see the message: the secret, its key, and what the release's functions may do with them",
        name="{error}",
    ),
    Check(
        "login-refused",
        "blocker",
        "Without the login of the release's role nothing can be done.",
        "put user name and password of a role that can log in into the release's secret",
        name="{error}",
    ),
    Check(
        "preparation-refused",
        "blocker",
        "What the release makes on blue was made for trial, and rolled back: a right is missing, or an event trigger "
        "refuses it.",
        "see the message; for a right: GRANT rds_superuser to the release's role",
        name="{what}: {error}",
    ),
    Check(
        "subscription-refused",
        "warning",
        "Green will subscribe to blue from a server like blue; blue tried to subscribe to itself, and was rolled back.",
        "see the message: a right, TLS, a name that does not resolve from the server, or its address rules",
        name="{error}",
    ),
    Check(
        "much-written",
        "note",
        "One apply worker for each database has to keep up with this on green; that it does is seen in WaitForCatchUp.",
        "release at a quieter hour",
        name="{rate} MB/s of write-ahead log while blue was looked at",
    ),
    Check(
        "log-outgrows-room",
        "warning",
        "Slots retain the log until green is there, and while you decide; at this rate there is no room for that much.",
        "release at a quieter hour, with a shorter approval_timeout_s, or make room",
        name="{hours} h of log at {rate} MB/s do not fit into {room} ({what})",
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
    QUOTA_REACHED,
    *FOR_AN_UPGRADE,
    Check(
        "class-not-offered",
        "warning",
        "RDS offers it no more for the engine version, so green's instances may not be made.",
        "move blue to a class that is offered: aws rds describe-orderable-db-instance-options --engine "
        "aurora-postgresql --engine-version {version}",
        name="{name} of {instances}, with {version}",
    ),
    Check(
        "burstable-class",
        "warning",
        "Its processors are throttled once its credits are spent, and green has few while it has to catch up.",
        "move blue to a class with processors of its own before the release",
        name="{name} of {instances}",
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

CHECKS = (*BEFORE_ALL, *IN_EACH_DATABASE, *OF_THE_SERVER, *TRIED, *OF_RDS, *OF_TOPOLOGY, *OF_ACCOUNT)

BY_ID = {check.id: check for check in CHECKS}
