"""Every finding of a server, planted with names that break whoever forgets to quote; each statement that is given as
its fix is run as given, and makes it vanish."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest

from bluegreen import preflight
from bluegreen.preflight import trials
from bluegreen.preflight.catalogue import BEFORE_ALL, CHECKS, OF_RDS
from bluegreen.preflight.of_account import OF_ACCOUNT
from bluegreen.preflight.of_topology import OF_TOPOLOGY
from local.postgres.roles import create_role
from tests.integration.conftest import APP, CRM, WRITER, Lab, with_plan
from tests.integration.looking import BLUE, ended, found_by, known, run_fixes
from tests.integration.test_preflight_server import COLLATIONS, NEAR_THEIR_END, RIGHTS, SETTINGS, TRIED

PLANTED = r"""
CREATE SCHEMA "Ho; --'st";
SET search_path = "Ho; --'st";
CREATE TABLE "no ""key"" yet" (a int);
CREATE TABLE "almost: key" (a int NOT NULL CONSTRAINT "its %s key" UNIQUE);
CREATE TABLE "all of it" AS SELECT n FROM generate_series(1, 40000) n;
ALTER TABLE "all of it" REPLICA IDENTITY FULL;
CREATE TABLE "made up" (a int, "g'" int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY);
CREATE UNLOGGED TABLE "no trace" (a int PRIMARY KEY);
SELECT lo_create(4711);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER "far; away" FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE "else""where" (a int) SERVER "far; away";
CREATE MATERIALIZED VIEW "seen 'once'" AS SELECT 1 AS one;
CREATE TABLE fires (a int PRIMARY KEY);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "al""ways" BEFORE INSERT ON fires FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE fires ENABLE ALWAYS TRIGGER "al""ways";
CREATE RULE "on: replica" AS ON INSERT TO fires DO ALSO NOTIFY stamped;
ALTER TABLE fires ENABLE REPLICA RULE "on: replica";
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "watch; it" ON ddl_command_end EXECUTE FUNCTION watch();
CREATE TABLE late (a int PRIMARY KEY, b int CONSTRAINT "b's" UNIQUE DEFERRABLE, c int4range,
    CONSTRAINT "no two" EXCLUDE USING gist (c WITH &&));
CREATE DOMAIN place AS point;
CREATE TABLE "no hash" (a int PRIMARY KEY, b json, c place, d json[], e varchar, f numeric[]);
CREATE EXTENSION vector SCHEMA "Ho; --'st";
ALTER EVENT TRIGGER "watch; it" OWNER TO bluegreen_release;
CREATE TABLE "by: day" (at timestamptz) PARTITION BY RANGE (at);
DO $$ BEGIN
    EXECUTE format('CREATE TABLE today PARTITION OF "by: day" (PRIMARY KEY (at)) FOR VALUES FROM (%L) TO (%L)',
        current_date, current_date + 2);
    EXECUTE format('CREATE TABLE past PARTITION OF "by: day" (PRIMARY KEY (at)) FOR VALUES FROM (%L) TO (%L)',
        current_date - 9, current_date);
END $$;
CREATE PUBLICATION "for: others";
CREATE SUBSCRIPTION "fr""om" CONNECTION 'host=nowhere' PUBLICATION p
    WITH (connect = false, enabled = false, slot_name = NONE);
CREATE SCHEMA bluegreen;
CREATE SEQUENCE "near ""it" AS integer START 2147483000;
SELECT nextval('"near ""it"');
CREATE TABLE "in""dexed" (a int PRIMARY KEY, b int);
CREATE INDEX "half 'built'" ON "in""dexed" (b);
CREATE COLLATION "old; order" (provider = libc, locale = 'C');
CREATE TABLE sorted (a text COLLATE "old; order" PRIMARY KEY);
CREATE DOMAIN "a ""way" AS regproc[];
CREATE TABLE "by number" (a int PRIMARY KEY, "the ""way" "a ""way", c oid, d regclass);
CREATE TABLE parent (a int PRIMARY KEY, "b'" int NOT NULL);
CREATE TABLE "chi'ld" (c int PRIMARY KEY) INHERITS (parent);
ALTER TABLE "chi'ld" ALTER "b'" DROP NOT NULL;
CREATE VIEW "who: is" AS SELECT pid FROM pg_stat_activity;
SET allow_system_table_mods = on;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"half ''built''"'::regclass;
UPDATE pg_extension SET extversion = '0.8.4' WHERE extname = 'vector';
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99997, 'pg_cron', 10, 11, false, '1'), (99998, 'pg_partman', 10, 11, false, '1'),
           (99999, 'pglogical', 10, 11, false, '1'), (99996, 'adminpack', 10, 11, false, '1');
"""

CRON = """
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint, jobname text, username text, database text, active boolean);
CREATE FUNCTION cron.alter_job(job_id bigint, active boolean) RETURNS void LANGUAGE sql
    AS 'UPDATE cron.job SET active = $2 WHERE jobid = $1';
"""
"""As far as we use pg_cron 1.6."""

OF_DMS = "2kpcjkh6ikofiu63_00016402_7f514566_e4ce_419a_a49e_561b4a1d9c8c"
S = "Ho; --'st"
FOUND = {
    "table-without-replica-identity": {f'{CRM}: {S}.no "key" yet', f"{CRM}: {S}.almost: key"},
    "generated-column-in-replica-identity": {f"{CRM}: {S}.made up.g'"},
    "other-subscription": {f'{CRM}: fr"om'},
    "fires-on-green": {f'{CRM}: {S}.fires (TRIGGER al"ways)', f"{CRM}: {S}.fires (RULE on: replica)"},
    "pg-cron": {f"{CRM}: pg_cron"},
    "schema-bluegreen": {f"{CRM}: bluegreen"},
    "type-not-upgradable": {f'{CRM}: {S}.by number.the "way ("{S}"."a ""way")'},
    "extension-not-on-target": {f"{CRM}: extension adminpack, removed in PostgreSQL 17"},
    "not-null-not-inherited": {f"{CRM}: {S}.chi'ld.b'"},
    "view-of-system-catalog": {f"{CRM}: {S}.who: is (of pg_stat_activity)"},
    "database-not-connectable": {f'{BLUE}: database clo"sed'},
    "full-identity-without-index": {f"{CRM}: {S}.all of it (N)"},
    "unlogged-table": {f"{CRM}: {S}.no trace"},
    "large-object": {f"{CRM}: large objects: 1"},
    "event-trigger": {f"{CRM}: watch; it (on ddl_command_end)"},
    "partition-manager": {f"{CRM}: extension pg_partman"},
    "extension-with-state": {f"{CRM}: extension pglogical"},
    "invalid-index": {f"{CRM}: {S}.half 'built'"},
    "materialized-view": {f"{CRM}: {S}.seen 'once'"},
    "partition-due": {f"{CRM}: {S}.by: day (until D)"},
    "foreign-table": {f'{CRM}: {S}.else"where'},
    "generated-column": {f"{CRM}: {S}.made up.g'"},
    "deferrable-or-exclusion-constraint": {f"{CRM}: {S}.late (b's)", f"{CRM}: {S}.late (no two)"},
    "column-without-hash": {
        f"{CRM}: {S}.no hash.b (json)",
        f'{CRM}: {S}.no hash.c ("{S}".place)',
        f"{CRM}: {S}.no hash.d (json[])",
    },
    "extension-out-of-date": {
        f"{CRM}: extension vector 0.8.4, available 0.8.5",
        *(f"{CRM}: extension {name} 1, available none" for name in ("adminpack", "pg_cron", "pg_partman", "pglogical")),
    },
    "other-publication": {f"{CRM}: for: others"},
    "sequence-near-its-end": {
        f'{CRM}: {S}.near "it (100.0 %)',
        *NEAR_THEIR_END,
    },
    "slot-of-another-consumer": {
        f"{BLUE}: theirs (pgoutput, not active, retains N, consumer: unknown)",
        f"{BLUE}: shop_debezium (pgoutput, not active, retains N, consumer: Debezium, by its name)",
        f"{BLUE}: {OF_DMS} (pgoutput, not active, retains N, consumer: AWS DMS, by its name)",
    },
    "rds-proxy": {f"{BLUE}: sessions of rdsproxyadmin: 1"},
    "powerful-role": {f'{BLUE}: role bo"ss (CREATEROLE)'},
    "temporary-table": {f"{CRM}: pg_temp.brief"},
    "prepared-transaction": {f'{CRM}: it\'s "waiting" of {WRITER}, S old'},
    "long-transaction": {f"{APP}: process P of {WRITER}, idle in transaction, open for S"},
    "much-written": {f"{BLUE}: N/s of write-ahead log while blue was looked at"},
    "log-outgrows-room": {f"{BLUE}: 0.0 h of log at N/s do not fit into N (an Aurora volume)"},
    "cron-job": {f"postgres: job nightly of x, in {CRM}"},
}


def test_a_clean_database_has_no_findings(lab: Lab) -> None:
    for database in (APP, CRM):
        lab.blue_server.execute(database, "DROP SEQUENCE exhausted, at_the_edge; DROP TABLE measured")
    report = preflight.look_at_blue(lab.databases, lab.plan)
    assert report.findings == []
    assert report.result(lab.plan)["inventory"][APP]["tables"] == 2


@pytest.mark.parametrize("lab", [{"cron.database_name": "postgres"}], indirect=True)
def test_everything_planted_is_found_and_every_statement_makes_its_finding_vanish(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "LONG_TRANSACTION_S", 0)
    monkeypatch.setattr(trials, "MUCH_WRITTEN_MB_S", 0)
    monkeypatch.setattr(trials, "VOLUME_BYTES", 0)
    blue = lab.blue_server
    for slot in ("theirs", "shop_debezium", OF_DMS):
        blue.execute(CRM, "SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=slot)
    blue.execute(CRM, PLANTED)
    blue.execute("postgres", CRON)
    blue.execute("postgres", 'CREATE DATABASE "clo""sed" ALLOW_CONNECTIONS false')
    with_plan(lab, engine_version="18.4")
    jobs = "INSERT INTO cron.job VALUES (1, 'nightly', 'x', :crm, true), (2, 'off', 'x', :crm, false)"
    blue.execute("postgres", jobs, crm=CRM)
    create_role(blue, "rdsproxyadmin", "not-a-secret")
    create_role(blue, 'bo"ss', "not-a-secret", options="CREATEROLE")
    with ExitStack() as stack:
        stack.enter_context(closing(blue.connect(APP, "rdsproxyadmin", "not-a-secret")))
        brief = stack.enter_context(closing(blue.connect(CRM, WRITER, lab.passwords[WRITER])))
        brief.run("CREATE TEMPORARY TABLE brief (a int)")
        with closing(lab.as_writer(blue, CRM)) as connection:
            connection.run("BEGIN; INSERT INTO orders (note) VALUES ('prepared')")
            connection.run("PREPARE TRANSACTION 'it''s \"waiting\"'")
        waiting = stack.enter_context(ended(lab.as_writer(blue)))
        waiting.run("BEGIN; INSERT INTO orders (note) VALUES ('open')")
        before = found_by(lab.databases, lab)
        assert {name: set(map(known, objects)) for name, objects in before.items()} == FOUND
        run_fixes(lab, before)
        after = found_by(lab.databases, lab)
    stays = {each for objects in after.values() for each in objects}
    assert [each for each in stays if each.fix.endswith(";")] == []
    no_statement = [each for objects in before.values() for each in objects if not each.fix.endswith(";")]
    assert len(stays) == len([each for each in no_statement if "adminpack" not in each.name]), "it was dropped"


def test_everything_in_the_catalogue_is_planted_somewhere() -> None:
    """Those of RDS in tests/unit; a server of an older version, or a reader, is not to be had here."""
    elsewhere = {check.id for check in (*BEFORE_ALL, *OF_RDS, *OF_TOPOLOGY, *OF_ACCOUNT)}
    planted = FOUND.keys() | SETTINGS.keys() | RIGHTS.keys() | COLLATIONS | TRIED
    assert planted | elsewhere == {check.id for check in CHECKS}
