"""Every way out of a release leaves a report, and none depends on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.release import Mail, Release
from tests.statemachine.conftest import PLAN, RESULTS, Machine
from tests.statemachine.test_paths import HAPPY, STATES

REPORT = RESULTS["WriteReport"]
FAILED: dict[str, list[str]] = {"OpenGreen": ["SomethingIsWrong"]}
WAYS_OUT: dict[str, tuple[dict[str, Any], dict[str, list[str]], str]] = {
    "completed": ({}, {}, "ReleaseCompleted"),
    "rejected": ({}, {}, "ReleaseFailed"),
    "failed": ({}, FAILED, "ReleaseFailed"),
    "refused": ({}, {"PlanRelease": ["InputInvalid"]}, "ReleaseFailed"),
    "checked": ({"mode": "check"}, {}, "BlueChecked"),
    "rehearsed": ({"mode": "rehearsal"}, {}, "Rehearsed"),
}


def ended(machine: Machine, way: str, broken: int = 0) -> tuple[Release, list[str]]:
    """A release that goes out this way, whose function that writes reports breaks so many times."""
    plan, faults, end = WAYS_OUT[way]
    machine.faults = {name: list(errors) for name, errors in faults.items()} | {
        "WriteReport": ["SomethingElse"] * broken
    }
    machine.results = {
        "PlanRelease": PLAN | plan,
        "CheckBlue": RESULTS["CheckBlue"] | {"subject": "Check", "text": "fit"},
        "ReportRehearsal": {"subject": "Rehearsed", "text": "as it was", "figures": {}},
    }
    release, states = machine.run("reject" if way == "rejected" else "approve")
    assert states[-1] == end
    return release, states


def last_mail(machine: Machine) -> Mail:
    return Mail.read(max((machine.emulator.folder / "mail").glob("*.eml")))


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_leaves_a_report_of_its_state_and_the_mail_says_where(machine: Machine, way: str) -> None:
    release, states = ended(machine, way)
    assert states.count("WriteReport") == 1
    asked = machine.events["WriteReport"]
    assert asked["execution_arn"] == release.execution_arn
    assert asked["asked_by"] == release.execution_arn
    assert asked.keys() == {"execution_arn", "asked_by", "started_at"}
    assert REPORT["url"] in last_mail(machine).body


@pytest.mark.parametrize("way", ["completed", "failed"])
def test_no_way_out_depends_on_its_report(machine: Machine, way: str) -> None:
    release, states = ended(machine, way, broken=1)
    assert states[states.index("WriteReport") :][:3] == ["WriteReport", "NoReport", "ReleaseLock"]
    assert "There is no report of it" in last_mail(machine).body
    if way == "completed":
        assert json.loads(release.describe()["output"]) == RESULTS["CompleteRelease"]


def test_it_is_written_when_nothing_is_left_to_do_but_to_free_the_lock() -> None:
    assert HAPPY.index("WriteReport") == HAPPY.index("CompleteRelease") + 1
    leading = [name for name, state in STATES.items() if state.get("Next") == "WriteReport"]
    ends = {"CompleteRelease", "DeleteGreen", "CheckBlue", "CheckChanges", "PlanFailed", "DecideOnMode"}
    assert "CompleteRelease" in leading
    assert set(leading) <= ends
    assert STATES["WriteReport"]["Next"] == STATES["NoReport"]["Next"] == "ReleaseLock"
