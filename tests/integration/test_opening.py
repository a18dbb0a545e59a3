"""The commit point: opening, abort, and what runs late, twice or at the same time, on real servers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bluegreen import freeze, lag, readiness, switchover
from bluegreen.errors import (
    DatabaseUnavailable,
    FreezeBudgetExceeded,
    SwitchoverAborted,
)
from bluegreen.postgres import Databases
from bluegreen.switchover import Opening
from tests.integration.conftest import APP, WRITER, Lab, freeze_and_move, lets_in, with_plan
from tests.waiting import eventually


@pytest.fixture
def second(lab: Lab) -> Iterator[Databases]:
    """Another function's way into the same databases."""
    databases = dataclasses.replace(lab.databases, _sessions={})
    yield databases
    databases.close()


def test_sequences_of_a_green_that_is_open_are_its_own(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    switchover.open_green(lab.databases, lab.plan, lab.green)
    with pytest.raises(SwitchoverAborted, match="its own"):
        switchover.sync_sequences(lab.databases, lab.plan, lab.green)


def test_after_an_abort_the_next_attempt_can_succeed_and_the_last_one_can_do_no_more(following: Lab) -> None:
    lab = following
    first = lab.plan
    freeze_and_move(lab)
    assert switchover.abort(lab.databases, first, lab.green).outcome == "abort"
    lab.blue_server.execute(APP, "INSERT INTO orders (note) VALUES ('between the attempts')")
    with_plan(lab, attempt=2)
    readiness.recheck(lab.databases, lab.plan, lab.green)
    freeze_and_move(lab)
    with pytest.raises(SwitchoverAborted):
        freeze.freeze_blue(lab.databases, first)
    with pytest.raises(SwitchoverAborted):
        switchover.drain(lab.databases, first, lab.green)
    with pytest.raises(SwitchoverAborted):
        switchover.open_green(lab.databases, first, lab.green)
    assert switchover.abort(lab.databases, first, lab.green) == Opening("abort", "")
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, False)
    assert switchover.open_green(lab.databases, lab.plan, lab.green).roles == (WRITER,)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, True)
    assert lab.green_server
    assert lab.green_server.execute(APP, "SELECT count(*) FROM orders WHERE note = 'between the attempts'") == [[1]]


def test_a_green_that_became_read_only_is_no_obstacle_to_the_abort(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    assert lab.green_server
    lab.green_server.execute("postgres", "ALTER ROLE bluegreen_release SET default_transaction_read_only = on")
    lab.green_server.restart()
    assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
    assert lets_in(lab, lab.blue_server)


def test_an_abort_gives_blue_back_exactly_the_roles_it_had_and_green_stays_closed(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    opening = switchover.abort(lab.databases, lab.plan, lab.green)
    assert (opening.outcome, opening.roles) == ("abort", (WRITER,))
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (True, False)
    assert lab.blue_server.execute(APP, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'was_nologin'") == [[False]]
    with pytest.raises(SwitchoverAborted):
        switchover.open_green(lab.databases, lab.plan, lab.green)
    with pytest.raises(SwitchoverAborted):
        freeze.freeze_blue(lab.databases, lab.plan)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (True, False)
    beat = lag.sentinel_round_trip_s(
        lab.databases.on(lab.plan.blue, APP), lab.databases.on(lab.green, APP), lab.plan.release_id
    )
    assert beat is not None, "green must stay in step"


def test_an_abort_after_the_opening_leaves_blue_frozen(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    opened = switchover.open_green(lab.databases, lab.plan, lab.green)
    verdict = switchover.abort(lab.databases, lab.plan, lab.green)
    assert verdict == Opening("open", opened.decided_at)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, True)


def test_of_an_opening_and_an_abort_at_the_same_time_exactly_one_happens(following: Lab, second: Databases) -> None:
    lab = following
    freeze_and_move(lab)
    barrier = threading.Barrier(2)

    def open_green() -> None:
        barrier.wait()
        with suppress(SwitchoverAborted):
            switchover.open_green(second, lab.plan, lab.green)

    opener = threading.Thread(target=open_green)
    opener.start()
    barrier.wait()
    verdict = switchover.abort(lab.databases, lab.plan, lab.green)
    opener.join()
    expected = {"open": (False, True), "abort": (True, False)}[verdict.outcome]
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == expected


def test_an_opening_that_dies_before_its_commit_leaves_the_abort_free(following: Lab, second: Databases) -> None:
    lab = following
    freeze_and_move(lab)
    second.on(lab.plan.blue, lab.plan.home).query("intend_opening", switchover_id=lab.plan.switchover_id)
    home = second.on(lab.green, lab.plan.home)
    home.run("BEGIN")
    home.query("decide_opening", switchover_id=lab.plan.switchover_id, outcome="open")
    second.close()  # killed in the middle of its transaction
    verdict = switchover.abort(lab.databases, lab.plan, lab.green)
    assert verdict.outcome == "abort"
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (True, False)


def test_a_late_opening_is_refused_by_the_deadline_of_the_freeze(following: Lab) -> None:
    lab = following
    with_plan(lab, freeze_budget_s=1)
    freeze_and_move(lab)
    eventually(
        lambda: lab.databases.on(lab.green, APP).one("freeze_record", switchover_id=lab.plan.switchover_id)[
            "is_overdue"
        ]
    )
    with pytest.raises(FreezeBudgetExceeded):
        switchover.open_green(lab.databases, lab.plan, lab.green)
    assert not lets_in(lab, lab.green_server)


def test_an_opening_that_is_repeated_after_the_deadline_stands(following: Lab) -> None:
    lab = following
    with_plan(lab, freeze_budget_s=2)
    freeze_and_move(lab)
    opened = switchover.open_green(lab.databases, lab.plan, lab.green)
    eventually(
        lambda: lab.databases.on(lab.green, APP).one("freeze_record", switchover_id=lab.plan.switchover_id)[
            "is_overdue"
        ]
    )
    assert switchover.open_green(lab.databases, lab.plan, lab.green) == opened


def test_green_is_not_opened_without_a_freeze(following: Lab) -> None:
    lab = following
    with pytest.raises(SwitchoverAborted, match="never froze blue"):
        switchover.open_green(lab.databases, lab.plan, lab.green)
    assert not lets_in(lab, lab.green_server)


def test_a_green_that_died_before_it_was_asked_to_open_is_no_obstacle(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    assert lab.green_server
    lab.green_server.kill()
    assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
    assert lets_in(lab, lab.blue_server)


def test_once_green_may_have_been_asked_to_open_its_word_is_needed(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    assert lab.green_server
    lab.green_server.kill()
    with pytest.raises(DatabaseUnavailable):
        switchover.open_green(lab.databases, lab.plan, lab.green)
    with pytest.raises(DatabaseUnavailable):
        switchover.abort(lab.databases, lab.plan, lab.green)
    assert not lets_in(lab, lab.blue_server)
    lab.green_server.start()
    assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (True, False)
