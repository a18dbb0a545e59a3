"""What is looked for in each database that is released, in the order in which it is told; see ``catalogue.py``."""

from __future__ import annotations

from .findings import NOTHING_TO_DO, Check

TABLE = "{schema!i}.{name!i}"

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
        "sequence-out-of-reach",
        "blocker",
        "The release's role may not read it on blue, or not set it on green, which has the same rights.",
        f"GRANT SELECT, UPDATE ON SEQUENCE {TABLE} TO {{me!i}}; GRANT USAGE ON SCHEMA {{schema!i}} TO {{me!i}};",
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
        "type-not-upgradable",
        "blocker",
        "Its values name system objects by numbers that are others after a major upgrade, which RDS therefore refuses.",
        f"ALTER TABLE {TABLE} ALTER COLUMN {{column!i}} TYPE text;",
        name="{schema}.{name}.{column} ({type})",
    ),
    Check(
        "extension-not-on-target",
        "blocker",
        "The version that green is to get does not have it any more.",
        "DROP EXTENSION {name!i};",
        name="extension {name}, removed in PostgreSQL {since}",
    ),
    Check(
        "not-null-not-inherited",
        "blocker",
        "From PostgreSQL 18 on a child has its parent's NOT NULL constraints, so the upgrade is refused.",
        f"ALTER TABLE {TABLE} ALTER COLUMN {{column!i}} SET NOT NULL;",
        name="{schema}.{name}.{column}",
    ),
    Check(
        "view-of-system-catalog",
        "warning",
        "A major upgrade makes views anew; where the system view that it reads has other columns then, it fails.",
        "DROP {kind} {schema!i}.{name!i};",
        name="{schema}.{name} (of {reads})",
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
        "PostgreSQL has no hash for its type: its values are compared by their text, which takes longer.",
        NOTHING_TO_DO,
        name="{schema}.{name}.{column} ({type})",
    ),
    Check(
        "extension-out-of-date",
        "note",
        "The server brings another version of it, or none at all; so will a newer engine, perhaps.",
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
