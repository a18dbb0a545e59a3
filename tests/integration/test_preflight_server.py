"""Findings of the server as a whole: settings and limits, the release's rights there, and what is found by trying."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from contextlib import closing

import pg8000.native
import pytest

from bluegreen import preflight
from bluegreen.errors import AwsRefused, BlueUnfit
from bluegreen.model import Cluster
from bluegreen.postgres import Credentials, Databases
from bluegreen.preflight.catalogue import BY_ID
from local.postgres.roles import create_role
from tests.integration.conftest import APP, CRM, WRITER, Lab, with_plan
from tests.integration.looking import BLUE, found_by, known, run_fixes

CAREFUL = "careful release"
"""A release's role as it is on Aurora: no superuser."""

NEAR_THEIR_END = {
    f"{database}: public.{name} (100.0 %)" for database in (APP, CRM) for name in ("exhausted", "at_the_edge")
}

SETTINGS = {
    "logical-replication-off": {f"{BLUE}: wal_level is replica, rds.logical_replication is off"},
    "too-little-room": {
        f"{BLUE}: max_replication_slots is 1 and 1 of it is free; 4 are needed",
        f"{BLUE}: max_logical_replication_workers is 1 and 1 of it is free; 2 are needed",
        f"{BLUE}: max_worker_processes is 1 and 0 of it is free; 1 are needed",
    },
    "few-free-connections": {f"{BLUE}: max_connections is 25 and 22 of it is free; 52 are needed"},
    "slot-wal-limit": {f"{BLUE}: max_slot_wal_keep_size is 1GB"},
    "tls-not-forced": {f"{BLUE}: rds.force_ssl is 0"},
    "database-out-of-reach": {
        f'nowhere: {BLUE}/nowhere: database "nowhere" does not exist (SQLSTATE 3D000)',
        f'template0: {BLUE}/template0: database "template0" is not currently accepting connections (SQLSTATE 55000)',
    },
}

RIGHTS = {
    "row-security": {f"{APP}: public.orders", f"{APP}: public.for'ced"},
    "table-not-readable": {f"{APP}: public.orders"},
    "sequence-out-of-reach": {
        f"{APP}: {name}" for name in ("public.orders_id_seq", "public.down", "public.cached", "Sales Data.never called")
    },
    "owner-out-of-reach": {f'{APP}: role own"er, owner of 1 tables'},
    "no-create-on-database": {f"{APP}: {APP}"},
    "sessions-unseen": {f"{BLUE}: role {CAREFUL}"},
    "session-out-of-reach": {f"{APP}: process P of chief is not of a role that we are a member of"},
    "freeze-refused": {f"{BLUE}: blue cannot be frozen: role {name}" for name in (WRITER, "chief")},
}


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
    } | {"sequence-near-its-end": NEAR_THEIR_END}
    with_plan(lab, databases=(APP, "nowhere", "template0"))
    with pytest.raises(BlueUnfit) as raised:
        preflight.look_at_blue(lab.databases, lab.plan).result(lab.plan)
    for said in (*SETTINGS["database-out-of-reach"], "set max_replication_slots to at least 6"):
        assert said in str(raised.value)


def signed_in(lab: Lab, role: str, password: str) -> Databases:
    return dataclasses.replace(lab.databases, credentials=lambda _: [Credentials(role, password)], _sessions={})


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
    blue.execute(APP, f'CREATE TABLE "for\'ced" (a int PRIMARY KEY); ALTER TABLE "for\'ced" OWNER TO "{CAREFUL}"')
    blue.execute(APP, 'ALTER TABLE "for\'ced" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY')
    databases = signed_in(lab, CAREFUL, lab.passwords[CAREFUL])
    yield databases
    databases.close()


ELSEWHERE = {"powerful-role", "preparation-refused", "subscription-refused"}
TRIED = dict.fromkeys(
    ("preparation-refused", "subscription-refused", "login-refused", "secret-not-readable", "log-outgrows-room")
).keys()


def test_rights_that_the_release_lacks_are_found_and_granted_as_told(lab: Lab, careful: Databases) -> None:
    with_plan(lab, databases=(APP,))
    seen: dict[str, set[str]] = {}
    with closing(lab.blue_server.connect(APP, "chief", lab.passwords["chief"])):
        for _ in range(4):  # one right lets the next obstacle be seen
            found = {name: objects for name, objects in found_by(careful, lab).items() if name not in ELSEWHERE}
            if not found:
                break
            for name, objects in found.items():
                seen.setdefault(name, set()).update(map(known, objects))
            run_fixes(lab, found)
    assert found == {}
    assert seen == RIGHTS


@pytest.mark.parametrize("version", [15, 16, 18])
def test_what_a_release_makes_on_blue_is_made_for_trial(lab: Lab, careful: Databases) -> None:
    blue = lab.blue_server
    found = found_by(careful, lab)
    assert {each.fix for each in found["preparation-refused"]} == {f'GRANT rds_superuser TO "{CAREFUL}";'}
    blue.execute("postgres", f'REVOKE CREATE ON DATABASE "{CRM}" FROM PUBLIC; ALTER ROLE "{CAREFUL}" NOCREATEROLE')
    blue.execute("postgres", "DROP ROLE rds_superuser")
    before = blue.execute(APP, TRACES)
    found = found_by(careful, lab)
    assert {str(each).split(": shop-blue")[0] for each in found["preparation-refused"]} == {
        f"{APP}: replication role",
        *(f"{database}: {what}" for database in (APP, CRM) for what in ("schema", "publication")),
    }
    (subscription,) = found["subscription-refused"]
    assert "SQLSTATE 42501" in str(subscription)
    run_fixes(lab, {name: found[name] for name in ("preparation-refused", "subscription-refused")})
    assert not found_by(careful, lab).keys() & {"preparation-refused", "subscription-refused"}
    assert blue.execute(APP, TRACES) == before


TRACES = """
SELECT (SELECT count(*) FROM pg_roles), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'),
       (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_subscription),
       (SELECT count(*) FROM pg_replication_origin), (SELECT count(*) FROM pg_replication_slots)
"""


def test_an_event_trigger_that_refuses_what_a_release_makes_is_found_by_trying(lab: Lab) -> None:
    lab.blue_server.execute(CRM, REFUSING)
    (refused,) = found_by(lab.databases, lab)["preparation-refused"]
    assert str(refused).startswith(f'{CRM}: publication: {BLUE}/{CRM}: not "here"')
    (trigger,) = found_by(lab.databases, lab)["event-trigger"]
    lab.blue_server.execute(CRM, trigger.fix)
    assert "preparation-refused" not in found_by(lab.databases, lab)


REFUSING = """
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not "here"'; END $$;
CREATE EVENT TRIGGER "no; 'more'" ON ddl_command_end WHEN TAG IN ('CREATE PUBLICATION') EXECUTE FUNCTION refuse();
ALTER EVENT TRIGGER "no; 'more'" OWNER TO bluegreen_release;
"""


@pytest.mark.parametrize("lab", [{"max_wal_senders": "0"}], indirect=True)
def test_blue_that_cannot_be_subscribed_to_is_found_by_trying(lab: Lab) -> None:
    (refused,) = found_by(lab.databases, lab)["subscription-refused"]
    assert str(refused).startswith(f"{BLUE}: {BLUE}/{APP}: could not connect to the publisher")
    assert lab.passwords["bluegreen_release"] not in str(refused) + lab.blue_server.log.read_text()


def test_a_login_that_is_refused_is_a_finding_beside_what_aws_said(lab: Lab) -> None:
    of_aws = BY_ID["burstable-class"].found(BLUE, {"name": "db.t4g.medium", "instances": "one"})

    def found(databases: Databases) -> list[str]:
        report = preflight.look_at_blue(databases, lab.plan, [of_aws])
        return [finding.id for finding in report.findings]

    assert found(signed_in(lab, "bluegreen_release", "wrong")) == ["login-refused", "burstable-class"]
    lab.blue_server.execute("postgres", "ALTER ROLE bluegreen_release NOLOGIN")
    assert found(lab.databases) == ["login-refused", "burstable-class"]

    def unreadable(_cluster: Cluster) -> list[Credentials]:
        raise AwsRefused("The secret s cannot be read: AccessDeniedException")

    refused = dataclasses.replace(lab.databases, credentials=unreadable, _sessions={})
    assert found(refused) == ["secret-not-readable", "burstable-class"]


def test_limits_of_connections_are_found_and_lifted_as_told(lab: Lab, careful: Databases) -> None:
    blue = lab.blue_server
    blue.execute("postgres", f'ALTER ROLE "{CAREFUL}" CONNECTION LIMIT 9; ALTER DATABASE "{CRM}" CONNECTION LIMIT 22')
    blue.execute("postgres", f'GRANT pg_monitor TO "{CAREFUL}"')
    with closing(lab.as_writer(blue, CRM)):
        found = found_by(careful, lab)["few-free-connections"]
        assert set(map(str, found)) == {
            f"{BLUE}: the limit of role {CAREFUL} is 9 and 9 of it is free; 52 are needed",
            f"{BLUE}: the limit of database {CRM} is 22 and 21 of it is free; 26 are needed",
        }
        run_fixes(lab, {"few-free-connections": found})
        assert "few-free-connections" not in found_by(careful, lab)


@pytest.mark.parametrize("lab", [{"max_slot_wal_keep_size": "1MB"}], indirect=True)
def test_log_that_outgrows_what_slots_may_retain_is_found(lab: Lab) -> None:
    """The trials themselves write some log."""
    assert "log-outgrows-room" not in found_by(lab.databases, with_hours(lab, 0))
    (found,) = found_by(lab.databases, with_hours(lab, 720))["log-outgrows-room"]
    assert known(found) == f"{BLUE}: 720.0 h of log at N/s do not fit into N (max_slot_wal_keep_size)"


def with_hours(lab: Lab, hours: int) -> Lab:
    with_plan(lab, approval_timeout_s=3600 * hours)
    return lab


@pytest.mark.parametrize(("lab", "version"), [({"idle_replication_slot_timeout": "1d"}, 18)], indirect=["lab"])
def test_a_slot_that_is_given_up_for_being_idle_is_found_from_18_on(lab: Lab) -> None:
    (found,) = found_by(lab.databases, lab)["slot-wal-limit"]
    assert str(found) == f"{BLUE}: idle_replication_slot_timeout is 1d"
    assert found.fix.startswith("set idle_replication_slot_timeout = 0 in")


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
