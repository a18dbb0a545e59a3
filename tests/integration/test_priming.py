"""The freeze finds everything prepared: what a step runs was primed in the sessions that run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bluegreen import freeze, switchover, verification
from bluegreen.budget import time_left_s
from bluegreen.model import Cluster, Plan
from bluegreen.postgres import Databases
from bluegreen.priming import prime
from bluegreen.session import Session
from tests.integration.conftest import APP, Lab

Step = Callable[[Databases, Plan, Cluster], object]

STEPS: dict[str, Step] = {
    "FreezeBlue": lambda databases, plan, _green: (freeze.freeze_blue(databases, plan), time_left_s(databases, plan)),
    "SyncSequences": switchover.sync_sequences,
    "WaitForDrain": switchover.drain,
    "VerifyCutover": verification.verify_cutover,
    "OpenGreen": switchover.open_green,
}
UNPREPARED = {"sequence_states", "starting_sessions", "flush_log", "insert_lsn"} | {
    "keys_of_full_identity",
    "unsettled_rows",
    "shapes",
    "kept_shapes",
    "note_running_transactions",
}
"""Without parameters, so they cannot be prepared; priming runs them."""


def test_every_statement_of_the_freeze_was_primed(following: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = following
    with lab.as_writer(lab.blue_server) as writer:
        writer.run("INSERT INTO orders (note) VALUES ('draws from a sequence, which green has to follow')")
    planned: set[tuple[Session, str]] = set()
    unplanned: list[tuple[str, str, str]] = []
    state = ""

    def primed(session: Session, name: str, original: Any = Session.prime) -> None:
        planned.add((session, name))
        original(session, name)

    def ran(session: Session, name: str, original: Any = Session.query, **parameters: Any) -> Any:
        if state and (session, name) not in planned and not session.is_primed(name) and name not in UNPREPARED:
            unplanned.append((state, session.address, name))
        return original(session, name, **parameters)

    monkeypatch.setattr(Session, "prime", primed)
    monkeypatch.setattr(Session, "query", ran)
    environments = {name: Databases(lab.databases.credentials, "disable") for name in STEPS}
    for name, databases in environments.items():
        prime(databases, lab.plan, lab.green, name)
    for state, step in STEPS.items():
        step(environments[state], lab.plan, lab.green)
        environments[state].close()
    assert unplanned == []


def test_a_priming_neither_freezes_nor_opens(following: Lab) -> None:
    lab = following
    tables = ("freeze_record", "opening")

    def everything() -> list[Any]:
        sides = (lab.blue_server, lab.green_server)
        return [side.execute(APP, f"SELECT * FROM bluegreen.{table}") for side in sides if side for table in tables]

    before = everything()
    with lab.as_writer(lab.blue_server) as writer:
        for name in STEPS:
            prime(lab.databases, lab.plan, lab.green, name)
        assert writer.run("SELECT 1") == [[1]], "no session was ended"
    assert everything() == before


def test_sequences_that_nobody_draws_from_any_more_are_not_set_in_the_freeze(following: Lab) -> None:
    lab = following
    with lab.as_writer(lab.blue_server) as writer:
        writer.run("SELECT nextval('down')")
        prime(lab.databases, lab.plan, lab.green, "SyncSequences")
        sides = [lab.databases.on(cluster, APP) for cluster in (lab.plan.blue, lab.green)]
        blue, green = map(switchover.sequence_states, sides)
        assert blue == green
        writer.run("SELECT nextval('down')")
    [ahead] = switchover.sequence_states(sides[0]) - green
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.sync_sequences(lab.databases, lab.plan, lab.green)
    assert switchover.sequence_states(sides[1]) - green == {ahead}


def test_a_session_that_the_server_ended_is_opened_again(lab: Lab) -> None:
    session = lab.databases.on(lab.plan.blue, APP)
    assert lab.databases.on(lab.plan.blue, APP) is session
    [[pid]] = [list(row.values()) for row in session.run("SELECT pg_backend_pid()")]
    lab.blue_server.execute(APP, "SELECT pg_terminate_backend(:pid, 10000)", pid=pid)
    again = lab.databases.on(lab.plan.blue, APP)
    assert again is not session
    assert again.alive()
