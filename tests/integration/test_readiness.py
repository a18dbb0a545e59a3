"""What is found right before the freeze, on real servers: everything at once, and by trying."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest

from bluegreen import freeze, freeze_methods, preflight, readiness, switchover
from bluegreen.errors import BlueUnfit, NotReadyToFreeze, WritersRemain
from bluegreen.postgres import Credentials, Databases
from bluegreen.quoting import identifier
from local.postgres.roles import create_role
from tests.integration.conftest import APP, CRM, WRITER, Lab, lets_in, with_plan

CAREFUL = "careful release"
"""A release's role as it is on Aurora: no superuser."""


@pytest.mark.parametrize("lab", [{"cron.database_name": "postgres"}], indirect=True)
def test_everything_that_stands_in_the_way_is_named_at_once(following: Lab) -> None:
    lab = following
    readiness.recheck(lab.databases, lab.plan, lab.green)
    lab.blue_server.execute(
        APP, "CREATE ROLE latecomer LOGIN; CREATE SEQUENCE later; CREATE TABLE late (a int PRIMARY KEY)"
    )
    lab.blue_server.execute(
        CRM, "CREATE SUBSCRIPTION other CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)"
    )
    columns = "jobid bigint, jobname text, username text, database text, active boolean"  # of pg_cron 1.6
    lab.blue_server.execute("postgres", f"CREATE SCHEMA cron; CREATE TABLE cron.job ({columns})")
    jobs = (
        "INSERT INTO cron.job VALUES (1, 'nightly', 'x', :crm, true), (2, NULL, 'x', :app, true),"
        " (3, 'off', 'x', :app, false), (4, 'elsewhere', 'x', 'postgres', true)"
    )
    lab.blue_server.execute("postgres", jobs, app=APP, crm=CRM)
    assert lab.green_server
    lab.green_server.execute(APP, f"ALTER ROLE {identifier(WRITER)} LOGIN")
    with closing(lab.as_writer(lab.blue_server)) as connection:
        connection.run("BEGIN")
        connection.run("INSERT INTO orders (note) VALUES ('prepared')")
        connection.run("PREPARE TRANSACTION 'it''s \"waiting\"'")
    with pytest.raises(NotReadyToFreeze) as raised:
        readiness.recheck(lab.databases, lab.plan, lab.green)
    for finding in (
        f"{APP}: ROLE latecomer was created on blue: CREATE ROLE latecomer",
        f"{APP}: SEQUENCE public.later was created on blue: CREATE SEQUENCE public.later",
        f"{APP}: TABLE public.late was created on blue: CREATE TABLE public.late",
        f"other-subscription {CRM}: other",
        f"the pg_cron job nightly of x writes to {CRM}",
        f"the pg_cron job 2 of x writes to {APP}",
        f"green is not fenced any more: {WRITER} can log in",
        'prepared transaction it\'s "waiting"',
    ):
        assert finding in str(raised.value)
    assert "job off" not in str(raised.value)
    assert "job elsewhere" not in str(raised.value)
    with pytest.raises(WritersRemain, match='it\'s "waiting"'):
        freeze.freeze_blue(lab.databases, lab.plan)
    switchover.abort(lab.databases, lab.plan, lab.green)
    assert lets_in(lab, lab.blue_server)


@pytest.fixture
def careful(lab: Lab) -> Iterator[Databases]:
    """Blue as a release's role that is no superuser sees it; a superuser of the customer's is at work there."""
    lab.passwords |= {role: secrets.token_urlsafe(24) for role in (CAREFUL, "chief")}
    create_role(lab.blue_server, CAREFUL, lab.passwords[CAREFUL], options="CREATEROLE")
    create_role(lab.blue_server, "chief", lab.passwords["chief"], options="SUPERUSER")
    credentials = Credentials(CAREFUL, lab.passwords[CAREFUL])
    databases = dataclasses.replace(lab.databases, credentials=lambda _: [credentials], _sessions={})
    with closing(lab.blue_server.connect(APP, "chief", lab.passwords["chief"])):
        yield databases
    databases.close()


def spare_ours(lab: Lab) -> None:
    """In this lab a second release's role is there, which is nobody's application."""
    lab.blue_server.execute("postgres", "ALTER ROLE bluegreen_release NOLOGIN")


def test_roles_that_cannot_be_altered_and_sessions_that_cannot_be_ended_are_found(lab: Lab, careful: Databases) -> None:
    spare_ours(lab)
    session = careful.on(lab.plan.blue, APP)
    with closing(lab.as_writer(lab.blue_server)):
        (blind,) = readiness.writer_findings(session)
        assert "pg_monitor" in blind
        lab.blue_server.execute("postgres", f"GRANT pg_monitor TO {identifier(CAREFUL)}")
        refused = "\n".join(readiness.writer_findings(session))
        assert "of chief in" in refused
        assert "a superuser's" in refused
        assert f"of {WRITER} in" in refused
        lab.blue_server.execute("postgres", f"GRANT pg_signal_backend TO {identifier(CAREFUL)}")
        (only,) = readiness.writer_findings(session)
        assert "of chief in" in only
    _, findings = freeze_methods.try_freeze(session, lab.plan)
    assert [text.split(" (")[0] for text in findings] == [
        f"blue cannot be frozen: role {WRITER}",
        "blue cannot be frozen: role chief",
    ]
    assert all("42501" in text for text in findings)
    with pytest.raises(BlueUnfit, match=f"blue cannot be frozen: role {WRITER}"):
        preflight.look_at_blue(careful, lab.plan).result(lab.plan)
    lab.blue_server.execute(
        "postgres",
        f"GRANT {identifier(WRITER)} TO {identifier(CAREFUL)} WITH ADMIN OPTION; ALTER ROLE chief NOSUPERUSER NOLOGIN",
    )
    taken, findings = freeze_methods.try_freeze(session, lab.plan)
    assert (taken.roles, findings) == ((WRITER,), [])
    assert lets_in(lab, lab.blue_server)


def test_a_role_that_no_revocation_keeps_out_is_found(lab: Lab, careful: Databases) -> None:
    session = careful.on(lab.plan.blue, APP)
    plan = with_plan(lab, freeze_method="revoke_connect")
    spare_ours(lab)
    _, findings = freeze_methods.try_freeze(session, plan)
    assert findings, "databases of an owner whose member the release is not"
    assert all("42501" in text for text in findings)
    owner = f"GRANT {identifier('owner of all')} TO {identifier(CAREFUL)}"
    lab.blue_server.execute("postgres", f"CREATE ROLE {identifier('owner of all')}; {owner}")
    for database in (*lab.plan.databases, "postgres", "template1"):
        lab.blue_server.execute(
            "postgres", f"ALTER DATABASE {identifier(database)} OWNER TO {identifier('owner of all')}"
        )
    taken, findings = freeze_methods.try_freeze(session, plan)
    assert set(taken.roles) == {WRITER, "chief"}
    assert findings == ["role chief could connect to blue all the same"]
    lab.blue_server.execute("postgres", "ALTER ROLE chief NOSUPERUSER")
    assert freeze_methods.try_freeze(session, plan) == (taken, [])


def test_a_green_that_cannot_be_opened_to_the_same_roles_is_found(lab: Lab) -> None:
    with_plan(lab, freeze_method="revoke_connect")
    lab.follow()
    assert lab.green_server
    lab.green_server.execute("postgres", f"ALTER DATABASE {identifier(CRM)} OWNER TO {identifier(WRITER)}")
    lab.green_server.execute("postgres", f"REVOKE CONNECT ON DATABASE {identifier(CRM)} FROM {identifier(WRITER)}")
    lab.blue_server.execute("postgres", "CREATE DATABASE later")
    with pytest.raises(NotReadyToFreeze) as raised:
        readiness.recheck(lab.databases, lab.plan, lab.green)
    assert "green could not be opened: CONNECT on database later of PUBLIC" in str(raised.value)
    lab.blue_server.execute("postgres", "DROP DATABASE later")
    with pytest.raises(NotReadyToFreeze, match="would not be who may connect to blue"):
        readiness.recheck(lab.databases, lab.plan, lab.green)
