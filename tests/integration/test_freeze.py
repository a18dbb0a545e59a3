"""Each freeze method on real servers: who is kept out, who is let in again, and that nothing else changes."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import Any

import pytest

from bluegreen import freeze, readiness, switchover, verification
from bluegreen.errors import FreezeBudgetExceeded, SwitchoverAborted, WritersRemain
from bluegreen.quoting import identifier
from bluegreen.verify import live
from local.postgres.roles import create_role
from local.postgres.servers import Server
from tests.integration.conftest import APP, CRM, WRITER, Lab, lets_in, with_plan

CHIEF = "chief'; DROP ROLE app"
"""All that an application's role can be without being a superuser."""
OWNER = 'owner "of" all'
LEAD, CLERK = 'Lead "1"', "clerk's"
OUTSIDER = "outsider"
"""Can log in, but may not connect to the first database."""
INSIDERS = (WRITER, CHIEF, OWNER, LEAD, CLERK)
ROLES = (*INSIDERS, OUTSIDER)

METHODS = ("nologin", "revoke_connect")


def make_roles(lab: Lab) -> None:
    """Roles and grants as they grow in years: owners, grants of grants, a database that PUBLIC may not enter."""
    server = lab.blue_server
    for role in (CHIEF, OWNER, LEAD, CLERK, OUTSIDER):
        lab.passwords[role] = secrets.token_urlsafe(24)
        options = "CREATEROLE CREATEDB BYPASSRLS" if role == CHIEF else ""
        create_role(server, role, lab.passwords[role], options=options, member_of=["rds_superuser"] * (role == CHIEF))
    app = identifier(APP)
    for statement in (
        f"ALTER DATABASE {app} OWNER TO {identifier(OWNER)}",
        f"REVOKE CONNECT ON DATABASE {app} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {app} TO {identifier(WRITER)}, {identifier(CHIEF)}, was_nologin",
        f"GRANT CONNECT ON DATABASE {app} TO {identifier(LEAD)} WITH GRANT OPTION",
        f"SET ROLE {identifier(LEAD)}; GRANT CONNECT ON DATABASE {app} TO {identifier(CLERK)}; RESET ROLE",
    ):
        server.execute("postgres", statement)


def access(server: Server | None) -> Any:
    """Who may log in and who may connect where, as the catalogs have it."""
    assert server
    grants = (
        "SELECT d.datname, a.grantor::regrole::text, a.grantee::regrole::text, a.privilege_type, a.is_grantable"
        " FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a ORDER BY 1, 2, 3, 4"
    )
    logins = "SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1"
    return server.execute("postgres", grants), server.execute("postgres", logins)


def let_in(lab: Lab) -> list[tuple[bool, bool]]:
    """For each role whether blue and green let it in."""
    return [(lets_in(lab, lab.blue_server, role), lets_in(lab, lab.green_server, role)) for role in ROLES]


def everywhere(on_blue: bool, on_green: bool) -> list[tuple[bool, bool]]:
    return [(on_blue, on_green)] * len(INSIDERS) + [(False, False)]


@pytest.fixture(params=METHODS)
def following(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """Green in step with blue; roles and grants as ``make_roles`` makes them."""
    with_plan(lab, freeze_method=request.param)
    make_roles(lab)
    lab.follow()
    live.start(lab.databases, lab.plan, lab.green)
    return lab


def test_no_role_is_let_in_by_both_sides_and_after_the_opening_green_admits_whom_blue_did(following: Lab) -> None:
    lab = following
    before = access(lab.blue_server)
    readiness.recheck(lab.databases, lab.plan, lab.green)
    assert access(lab.blue_server) == before, "what is tried is undone"
    assert let_in(lab) == everywhere(on_blue=True, on_green=False)
    with closing(lab.as_writer(lab.blue_server)), closing(lab.as_writer(lab.blue_server, CRM)):
        assert freeze.freeze_blue(lab.databases, lab.plan).sessions_ended == 2
    assert let_in(lab) == everywhere(on_blue=False, on_green=False)
    switchover.drain(lab.databases, lab.plan, lab.green)
    verification.verify_cutover(lab.databases, lab.plan, lab.green)
    opening = switchover.open_green(lab.databases, lab.plan, lab.green)
    assert set(opening.roles) >= set(INSIDERS)
    assert let_in(lab) == everywhere(on_blue=False, on_green=True)
    assert access(lab.green_server) == before
    assert switchover.open_green(lab.databases, lab.plan, lab.green) == opening


def test_an_abort_gives_back_exactly_what_was_taken(following: Lab) -> None:
    lab = following
    before, fenced = access(lab.blue_server), access(lab.green_server)
    freeze.freeze_blue(lab.databases, lab.plan)
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.drain(lab.databases, lab.plan, lab.green)
    for _ in range(2):
        assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
        assert access(lab.blue_server) == before
    assert access(lab.green_server) == fenced
    assert let_in(lab) == everywhere(on_blue=True, on_green=False)


def test_who_gets_access_during_the_freeze_stops_it_and_keeps_the_access(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    lab.passwords["latecomer"] = secrets.token_urlsafe(24)
    create_role(lab.blue_server, "latecomer", lab.passwords["latecomer"])
    lab.blue_server.execute("postgres", f"GRANT CONNECT ON DATABASE {identifier(APP)} TO latecomer")
    with pytest.raises(WritersRemain, match="latecomer"):
        freeze.prove_again(lab.databases.on(lab.plan.blue, lab.plan.home), lab.plan)
    with pytest.raises(WritersRemain, match="latecomer"):
        freeze.freeze_blue(lab.databases, lab.plan)
    switchover.abort(lab.databases, lab.plan, lab.green)
    assert lets_in(lab, lab.blue_server, "latecomer"), "it was never taken from it, so it is not given back either"
    assert let_in(lab) == everywhere(on_blue=True, on_green=False)
    with closing(lab.as_writer(lab.blue_server)) as connection:
        with pytest.raises(WritersRemain):  # a look that comes late proves nothing, and sends nobody away
            freeze.prove(lab.databases.on(lab.plan.blue, lab.plan.home), lab.plan)
        assert connection.run("SELECT 1") == [[1]]


def test_a_budget_that_stopping_the_application_used_up_leaves_blue_as_it_is(lab: Lab) -> None:
    lab.follow()
    before = access(lab.blue_server)
    with pytest.raises(FreezeBudgetExceeded, match="freeze_hook_in_budget"):
        freeze.freeze_blue(lab.databases, lab.plan, counted_from="2026-11-23T04:05:06.789Z")
    assert access(lab.blue_server) == before
    switchover.abort(lab.databases, lab.plan, lab.green)
    assert access(lab.blue_server) == before
    with pytest.raises(SwitchoverAborted):
        freeze.freeze_blue(lab.databases, lab.plan)
