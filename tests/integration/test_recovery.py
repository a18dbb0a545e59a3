"""Recovery on real servers: whenever a release died there is one writer afterwards, however often it is recovered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from bluegreen import completion, freeze, recovery, replication, switchover
from bluegreen.decisions import Found, after_death
from bluegreen.errors import DatabaseUnavailable, GreenFailed, SqlError, SwitchoverAborted
from bluegreen.history import Completed
from tests.integration.conftest import APP, DATABASES, Lab, freeze_and_move, lets_in, with_plan
from tests.integration.test_replication import NOTHING, leftovers


def ask_to_open(lab: Lab) -> None:
    """What OpenGreen does first; then it dies."""
    home = lab.databases.on(lab.plan.blue, lab.plan.home)
    assert home.query("intend_opening", switchover_id=lab.plan.switchover_id)


def open_green(lab: Lab) -> None:
    switchover.open_green(lab.databases, lab.plan, lab.green)


def end_replication(lab: Lab) -> None:
    replication.end_replication(lab.databases, lab.plan, lab.green)


def complete(lab: Lab) -> None:
    """As CompleteRelease, but that it dies before it frees the lock."""
    completion.clear_away(lab.databases, lab.plan, lab.green)


def abort(lab: Lab) -> None:
    switchover.abort(lab.databases, lab.plan, lab.green)


def clean_up(lab: Lab) -> None:
    replication.remove_from_blue(lab.databases, lab.plan)


def recover(lab: Lab) -> str:
    """What the recovery does in the databases, decided on what it sees there."""
    said, attempt = recovery.blue_says(lab.databases, lab.plan)
    with_plan(lab, attempt=attempt)
    verdict = recovery.green_says(lab.databases, lab.plan, lab.green) if said == "may be open" else "none"
    action = after_death(Found(is_running=False, holds_lock=True, freeze=said, verdict=verdict)).action
    if action == "undo":
        assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
        clean_up(lab)
    else:
        end_replication(lab)
        complete(lab)
    return action


FORWARD = [freeze_and_move, ask_to_open, open_green, end_replication, complete]
BACK = [freeze_and_move, ask_to_open, abort, clean_up]


@pytest.mark.parametrize(
    ("done", "said", "action"),
    [
        ([], "none", "undo"),
        (FORWARD[:1], "frozen", "undo"),
        (FORWARD[:2], "may be open", "undo"),
        (FORWARD[:3], "may be open", "finish"),
        (FORWARD[:4], "may be open", "finish"),
        (FORWARD[:5], "open", "finish"),
        (BACK[:3], "ended", "undo"),
        (BACK[:4], "none", "undo"),
    ],
)
def test_whenever_a_release_dies_it_is_undone_or_finished_and_there_is_one_writer(
    following: Lab, done: list[Callable[[Lab], None]], said: str, action: str
) -> None:
    lab = following
    for step in done:
        step(lab)
    assert recovery.blue_says(lab.databases, lab.plan)[0] == said
    for _ in range(2):  # a second recovery finds what the first has left, and does no harm
        assert recover(lab) == action
        is_undone = action == "undo"
        assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (is_undone, not is_undone)
    if is_undone:
        assert leftovers(lab) == NOTHING
    else:
        assert leftovers(lab) == NOTHING | {"schemas": [[["bluegreen"]]] * 2}


def test_the_attempt_that_may_be_on_its_way_is_aborted_too(lab: Lab) -> None:
    lab.prepare()
    assert recovery.blue_says(lab.databases, lab.plan) == ("none", 1)
    for attempt in (1, 2):
        plan = with_plan(lab, attempt=attempt)
        freeze.freeze_blue(lab.databases, plan)
        assert recovery.blue_says(lab.databases, lab.plan) == ("frozen", attempt)
        switchover.abort(lab.databases, plan, None)
        assert recovery.blue_says(lab.databases, lab.plan) == ("ended", attempt + 1)
    switchover.abort(lab.databases, with_plan(lab, attempt=3), None)
    with pytest.raises(SwitchoverAborted):
        freeze.freeze_blue(lab.databases, lab.plan)
    assert lets_in(lab, lab.blue_server)


def test_green_is_remembered_as_open_when_it_has_forgotten_so_itself(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    opened = switchover.open_green(lab.databases, lab.plan, lab.green)
    end_replication(lab)
    first, again = (completion.clear_away(lab.databases, lab.plan, lab.green) for _ in range(2))
    assert first["opened_at"] == again["opened_at"] == opened.decided_at
    for green in (lab.green, None):
        verdict = switchover.abort(lab.databases, lab.plan, green)
        assert (verdict.outcome, verdict.decided_at) == ("open", opened.decided_at)
    assert not lets_in(lab, lab.blue_server)


def test_a_summary_says_what_the_databases_know_and_no_more(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    open_green(lab)
    record = completion.clear_away(lab.databases, lab.plan, lab.green)
    completed = Completed(lab.plan, datetime(2026, 11, 23, tzinfo=UTC))
    summary = completion.summary(completed, {"plan": lab.plan.to_state()}, record)
    assert summary["freeze_to_open_ms"] > 0
    assert summary["roles"] == 1
    assert summary["sessions_ended"] is summary["databases"] is None


def test_a_blue_that_no_release_has_touched_has_nothing_to_be_given_back_or_removed(lab: Lab) -> None:
    assert recovery.blue_says(lab.databases, lab.plan) == ("none", 1)
    assert switchover.abort(lab.databases, lab.plan, None).roles == ()
    clean_up(lab)
    assert lets_in(lab, lab.blue_server)
    assert leftovers(lab) == NOTHING


@pytest.mark.parametrize("databases", [("nowhere", APP), (APP, "nowhere"), ("template0",)])
def test_databases_that_are_not_there_hold_nothing_of_a_release(lab: Lab, databases: tuple[str, ...]) -> None:
    plan = with_plan(lab, databases=databases)
    assert recovery.blue_says(lab.databases, plan) == ("none", 1)
    assert switchover.abort(lab.databases, plan, None).roles == ()
    clean_up(lab)


def test_a_schema_of_another_release_is_left_alone(lab: Lab) -> None:
    replication.create_publications(lab.databases, dataclasses.replace(lab.plan, release_id="20270101-0405-ffffff"))
    assert recovery.blue_says(lab.databases, lab.plan) == ("none", 1)
    assert switchover.abort(lab.databases, lab.plan, None).roles == ()
    clean_up(lab)
    assert leftovers(lab)["schemas"] == [[["bluegreen"]]] * len(DATABASES)


def test_a_freeze_whose_record_somebody_dropped_is_never_called_undone(lab: Lab) -> None:
    lab.prepare()
    freeze.freeze_blue(lab.databases, lab.plan)
    lab.blue_server.execute(APP, "DROP SCHEMA bluegreen CASCADE")
    with pytest.raises(SqlError):
        switchover.abort(lab.databases, lab.plan, None)
    with pytest.raises(SqlError):
        recovery.blue_says(lab.databases, lab.plan)


def test_a_green_that_was_asked_to_open_and_is_gone_is_for_a_person_to_decide(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    ask_to_open(lab)
    assert lab.green_server
    lab.green_server.stop()
    assert recovery.green_says(lab.databases, lab.plan, lab.green) == "unknown"
    with pytest.raises(DatabaseUnavailable):
        switchover.abort(lab.databases, lab.plan, lab.green)
    assert recovery.green_says(lab.databases, lab.plan, None) == "unknown"
    with pytest.raises(GreenFailed, match="may have been opened"):
        switchover.abort(lab.databases, lab.plan, None)
    assert not lets_in(lab, lab.blue_server)
