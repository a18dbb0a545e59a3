"""Every finding of a server, planted with names that break whoever forgets to quote; each statement that is given as
its fix is run as given, and makes it vanish."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from urllib.parse import quote

import pg8000.native
import pytest

from bluegreen import preflight
from bluegreen.errors import BlueUnfit
from bluegreen.postgres import Credentials, Databases
from bluegreen.preflight.catalogue import BEFORE_ALL, CHECKS, OF_RDS
from bluegreen.preflight.findings import Found
from local.cli import main
from local.postgres.roles import create_role
from tests.integration.conftest import APP, CRM, WRITER, Lab, with_plan

BLUE = "shop-blue"
CAREFUL = "careful release"
"""A release's role as it is on Aurora: no superuser."""

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
SET allow_system_table_mods = on;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"half ''built''"'::regclass;
UPDATE pg_extension SET extversion = '0.8.4' WHERE extname = 'vector';
INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    VALUES (99997, 'pg_cron', 10, 11, false, '1'), (99998, 'pg_partman', 10, 11, false, '1'),
           (99999, 'pglogical', 10, 11, false, '1');
"""

CRON = """
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint, jobname text, username text, database text, active boolean);
CREATE FUNCTION cron.alter_job(job_id bigint, active boolean) RETURNS void LANGUAGE sql
    AS 'UPDATE cron.job SET active = $2 WHERE jobid = $1';
"""
"""As far as we use pg_cron 1.6."""

S = "Ho; --'st"
FOUND = {
    "table-without-replica-identity": {f'{CRM}: {S}.no "key" yet', f"{CRM}: {S}.almost: key"},
    "generated-column-in-replica-identity": {f"{CRM}: {S}.made up.g'"},
    "other-subscription": {f'{CRM}: fr"om'},
    "fires-on-green": {f'{CRM}: {S}.fires (TRIGGER al"ways)', f"{CRM}: {S}.fires (RULE on: replica)"},
    "pg-cron": {f"{CRM}: pg_cron"},
    "schema-bluegreen": {f"{CRM}: bluegreen"},
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
    "extension-out-of-date": {f"{CRM}: extension vector 0.8.4, available 0.8.5"},
    "other-publication": {f"{CRM}: for: others"},
    "sequence-near-its-end": {
        f'{CRM}: {S}.near "it (100.0 %)',
        *(f"{database}: public.{name} (100.0 %)" for database in (APP, CRM) for name in ("exhausted", "at_the_edge")),
    },
    "slot-of-another-consumer": {f"{BLUE}: theirs (pgoutput, not active, retains N)"},
    "rds-proxy": {f"{BLUE}: sessions of rdsproxyadmin: 1"},
    "powerful-role": {f'{BLUE}: role bo"ss (CREATEROLE)'},
    "temporary-table": {f"{CRM}: pg_temp.brief"},
    "prepared-transaction": {f'{CRM}: it\'s "waiting" of {WRITER}, S old'},
    "long-transaction": {f"{APP}: process P of {WRITER}, idle in transaction, open for S"},
    "much-written": {f"{BLUE}: N/s of write-ahead log while blue was looked at"},
    "cron-job": {f"postgres: job nightly of x, in {CRM}"},
}


SETTINGS = {
    "logical-replication-off": {f"{BLUE}: wal_level is replica, rds.logical_replication is off"},
    "too-little-room": {
        f"{BLUE}: max_replication_slots is 1 and 1 of it is free; 4 are needed",
        f"{BLUE}: max_logical_replication_workers is 1 and 1 of it is free; 2 are needed",
        f"{BLUE}: max_worker_processes is 1 and 0 of it is free; 1 are needed",
    },
    "few-free-connections": {f"{BLUE}: max_connections is 25 and 22 of it is free; 24 are needed"},
    "slot-wal-limit": {f"{BLUE}: max_slot_wal_keep_size is 1GB"},
    "tls-not-forced": {f"{BLUE}: rds.force_ssl is 0"},
    "database-out-of-reach": {
        f'nowhere: {BLUE}/nowhere: database "nowhere" does not exist (SQLSTATE 3D000)',
        f'template0: {BLUE}/template0: database "template0" is not currently accepting connections (SQLSTATE 55000)',
    },
}

RIGHTS = {
    "row-security": {f"{APP}: public.orders"},
    "table-not-readable": {f"{APP}: public.orders"},
    "owner-out-of-reach": {f'{APP}: role own"er, owner of 1 tables'},
    "no-create-on-database": {f"{APP}: {APP}"},
    "sessions-unseen": {f"{BLUE}: role {CAREFUL}"},
    "session-out-of-reach": {f"{APP}: process P of chief is not of a role that we are a member of"},
    "freeze-refused": {f"{BLUE}: blue cannot be frozen: role {name}" for name in (WRITER, "chief")},
}


def known(found: Found) -> str:
    """An object as the tests can know it beforehand: without sizes, ages and process ids."""
    text = str(found).split(" (shop-blue/")[0] if found.id == "freeze-refused" else str(found)
    for pattern, stand_in in (
        (r"\b\d+ (bytes|kB|MB)\b", "N"),
        (r"\b\d\d:\d\d:\d\d\b", "S"),
        (r"until [\d-]+", "until D"),
        (r"process \d+", "process P"),
        (r"pg_temp_\d+", "pg_temp"),
    ):
        text = re.sub(pattern, stand_in, text)
    return text


def found_by(databases: Databases, lab: Lab) -> dict[str, tuple[Found, ...]]:
    report = preflight.look_at_blue(databases, lab.plan)
    return {finding.id: finding.objects for finding in report.findings}


def run_fixes(lab: Lab, found: dict[str, tuple[Found, ...]]) -> None:
    """Runs every fix that is a statement, where it says."""
    for objects in found.values():
        for each in objects:
            if each.fix.endswith(";"):
                lab.blue_server.execute("postgres" if each.place == BLUE else each.place, each.fix)


@contextmanager
def ended(connection: pg8000.native.Connection) -> Iterator[pg8000.native.Connection]:
    """A connection that the server will have ended when this one closes it."""
    yield connection
    with suppress(pg8000.native.InterfaceError):
        connection.close()


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
    monkeypatch.setattr(preflight, "MUCH_WRITTEN_MB_S", 0)
    blue = lab.blue_server
    blue.execute(CRM, "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
    blue.execute(CRM, PLANTED)
    blue.execute("postgres", CRON)
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
    assert len(stays) == len([each for objects in before.values() for each in objects if not each.fix.endswith(";")])


@pytest.mark.parametrize(
    "lab",
    [
        {
            "max_replication_slots": "1",
            "rds.logical_replication": "off",
            "max_logical_replication_workers": "1",
            "max_worker_processes": "1",
            "max_connections": "25",
            "max_slot_wal_keep_size": "1GB",
            "rds.force_ssl": "0",
        }
    ],
    indirect=True,
)
def test_settings_and_databases_are_found_with_their_remedies(lab: Lab) -> None:
    assert {name: set(map(known, objects)) for name, objects in found_by(lab.databases, lab).items()} == {
        name: objects for name, objects in SETTINGS.items() if name != "database-out-of-reach"
    } | {"sequence-near-its-end": FOUND["sequence-near-its-end"] - {f'{CRM}: {S}.near "it (100.0 %)'}}
    with_plan(lab, databases=(APP, "nowhere", "template0"))
    with pytest.raises(BlueUnfit) as raised:
        preflight.look_at_blue(lab.databases, lab.plan).result(lab.plan)
    for said in (*SETTINGS["database-out-of-reach"], "set max_replication_slots to at least 6"):
        assert said in str(raised.value)


@pytest.fixture
def careful(lab: Lab) -> Iterator[Databases]:
    """Blue as a release's role that is no superuser sees it."""
    blue = lab.blue_server
    lab.passwords |= {role: secrets.token_urlsafe(24) for role in (CAREFUL, "chief")}
    create_role(blue, CAREFUL, lab.passwords[CAREFUL], options="CREATEROLE")
    create_role(blue, "chief", lab.passwords["chief"], options="SUPERUSER")
    blue.execute("postgres", "ALTER ROLE bluegreen_release NOLOGIN")
    blue.execute(APP, 'CREATE ROLE "own""er"; DROP TABLE measured; DROP TABLE "Sales Data"."select ""all"" of"')
    blue.execute(APP, 'DROP SEQUENCE exhausted, at_the_edge; ALTER TABLE orders OWNER TO "own""er"')
    blue.execute(APP, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    credentials = Credentials(CAREFUL, lab.passwords[CAREFUL])
    databases = dataclasses.replace(lab.databases, credentials=lambda fresh: credentials, _sessions={})
    yield databases
    databases.close()


def test_rights_that_the_release_lacks_are_found_and_granted_as_told(lab: Lab, careful: Databases) -> None:
    with_plan(lab, databases=(APP,))
    seen: dict[str, set[str]] = {}
    with closing(lab.blue_server.connect(APP, "chief", lab.passwords["chief"])):
        for _ in range(4):  # one right lets the next obstacle be seen
            found = {name: objects for name, objects in found_by(careful, lab).items() if name != "powerful-role"}
            if not found:
                break
            for name, objects in found.items():
                seen.setdefault(name, set()).update(map(known, objects))
            run_fixes(lab, found)
    assert found == {}
    assert seen == RIGHTS


@pytest.mark.parametrize("version", [15])
def test_collations_whose_rules_have_changed_are_found(lab: Lab) -> None:
    """PostgreSQL 15 comes from Debian, with ICU: the others know no collation with a version."""
    blue = lab.blue_server
    blue.execute(CRM, "CREATE COLLATION \"o'ld\" (provider = icu, locale = 'de')")
    blue.execute(CRM, 'CREATE TABLE sorted (a text COLLATE "o\'ld" PRIMARY KEY)')
    blue.execute(CRM, "UPDATE pg_collation SET collversion = 'old' WHERE collname = 'o''ld'")
    changed = "datlocprovider = 'i', daticulocale = 'de', datcollversion = 'old'"
    blue.execute(CRM, f"UPDATE pg_database SET {changed} WHERE datname = :name", name=CRM)
    found = found_by(lab.databases, lab)
    assert [known(each).split(",")[0] for name in COLLATIONS for each in found[name]] == [
        f"{CRM}: public.o'ld (was old",
        f"{CRM}: {CRM} (was old",
    ]
    run_fixes(lab, found)
    assert not COLLATIONS & found_by(lab.databases, lab).keys()


COLLATIONS = dict.fromkeys(("collation-version-changed", "database-collation-version-changed")).keys()


@pytest.mark.parametrize("version", [18])
def test_a_full_identity_with_a_generated_column_would_harm_blue_from_18_on(lab: Lab) -> None:
    blue = lab.blue_server
    blue.execute(APP, "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED)")
    blue.execute(APP, "ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1)")
    found = found_by(lab.databases, lab)
    assert list(map(known, found["generated-column-in-replica-identity"])) == [f"{APP}: public.t.b"]
    blue.execute(APP, "CREATE PUBLICATION everything FOR ALL TABLES")
    with pytest.raises(pg8000.native.DatabaseError, match="generated"):
        blue.execute(APP, "UPDATE t SET a = 2")


def test_what_is_not_accepted_stops_a_release_and_what_is_goes_on_with_it(lab: Lab) -> None:
    lab.blue_server.execute(APP, "CREATE UNLOGGED TABLE kept (a int); SELECT lo_create(1)")
    with pytest.raises(BlueUnfit) as raised:
        preflight.look_at_blue(lab.databases, with_plan(lab, accept=("large-object",))).result(lab.plan)
    assert "1 warning" in str(raised.value)
    assert 'ALTER TABLE "public"."kept" SET LOGGED;' in str(raised.value)
    assert "large-object" not in str(raised.value)
    plan = with_plan(lab, accept=("large-object", "unlogged-table"))
    result = preflight.look_at_blue(lab.databases, plan).result(plan)
    assert result["accepted"] == {"unlogged-table": 1, "large-object": 1}
    assert result["notes"] == {"sequence-near-its-end": 4}
    checked = preflight.look_at_blue(lab.databases, with_plan(lab, mode="check", accept=())).result(lab.plan)
    assert (checked["is_fit"], checked["subject"]) == (False, "Check of shop: not fit for a release")
    assert [finding["id"] for finding in checked["findings"]] == [*result["accepted"], *result["notes"]]
    assert "WARNING unlogged-table" in checked["text"]


def test_the_command_line_shows_a_table_and_tells_by_its_status(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    blue, login = lab.blue_server, f"bluegreen_release:{lab.passwords['bluegreen_release']}"
    at = f"postgresql://{login}@{blue.address}:{blue.port}"
    dsns = [f"{at}/{quote(database, safe='')}" for database in (APP, CRM)]
    assert main(["check", *dsns]) == 0
    assert "1 note." in capsys.readouterr().out
    blue.execute(CRM, 'CREATE UNLOGGED TABLE "[red]" (a int)')
    assert main(["check", *dsns]) == 1
    shown = capsys.readouterr().out
    assert "unlogged-table" in shown
    assert '"[red]" SET' in shown
    assert ":x:" in shown, "no emoji"
    assert main(["check", "--json", "--accept", "unlogged-table", *dsns]) == 0
    (warning, _) = json.loads(capsys.readouterr().out)
    assert warning["objects"][0]["fix"] == 'ALTER TABLE "public"."[red]" SET LOGGED;'
    assert main(["check", f"{at}/nowhere"]) == 1
    assert "database-out-of-reach" in capsys.readouterr().out
    assert main(["check", f"postgresql://nobody@{blue.address}:{blue.port}/postgres"]) == 2


def test_everything_in_the_catalogue_is_planted_somewhere() -> None:
    """Those of RDS in tests/unit; a server of an older version, or a reader, is not to be had here."""
    elsewhere = {check.id for check in (*BEFORE_ALL, *OF_RDS)}
    planted = FOUND.keys() | SETTINGS.keys() | RIGHTS.keys() | COLLATIONS
    assert planted | elsewhere == {check.id for check in CHECKS}
