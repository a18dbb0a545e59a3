"""Paths of a release of a global database: before the cutover, after it, and failing at each state."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from local.aws.environment import Answer, Function
from tests.statemachine.conftest import PLAN, RESULTS, Machine
from tests.statemachine.test_paths import ABORT, CLEAN_UP, GLOBAL, HAPPY, IN_EACH_REGION, SIDE_BY_SIDE, UNFINISHED

REGIONS = [{"region": "eu-west-1", "identifier": "shop-ireland"}, {"region": "us-east-2", "identifier": "shop-ohio"}]
BEFORE_CUTOVER = {"globalize": "before_cutover", "blue_global_cluster": "shop-global", "secondaries": REGIONS[:1]}
AFTER_CUTOVER = BEFORE_CUTOVER | {"globalize": "after_cutover"}
NEVER = BEFORE_CUTOVER | {"globalize": "never"}
IN_NONE = BEFORE_CUTOVER | {"blue_global_cluster": "", "secondaries": []}
GREEN = RESULTS["WaitForGreen"] | {"secondary_readers": {"eu-west-1": "127.0.2.9"}}
FUNCTIONS = ["CreateGlobalCluster", "CreateSecondary", "WaitForSecondary", "WaitForGlobalLag"]


def walked(machine: Machine, plan: dict[str, Any]) -> list[str]:
    """The states of an approved release, but those that run side by side."""
    machine.results |= {"PlanRelease": PLAN | plan, "WaitForGlobalLag": GREEN}
    _, states = machine.run()
    return [state for state in states if state not in SIDE_BY_SIDE | IN_EACH_REGION]


def test_before_the_cutover_green_gets_secondaries_before_it_is_compared(machine: Machine) -> None:
    place = HAPPY.index("BeginVerification")
    assert walked(machine, BEFORE_CUTOVER) == [*HAPPY[:place], *GLOBAL, *HAPPY[place:]]
    assert machine.events["CreateSecondary"]["secondary"] == REGIONS[0]
    assert machine.events["FlipDns"]["green"] == GREEN, "the flip knows where green's secondaries are reached"


def test_after_the_cutover_green_gets_secondaries_when_it_follows_blue_no_longer(machine: Machine) -> None:
    place = HAPPY.index("UntagGreen")
    assert walked(machine, AFTER_CUTOVER) == [*HAPPY[:place], *GLOBAL, *HAPPY[place:]]


@pytest.mark.parametrize("plan", [NEVER, IN_NONE], ids=["never", "no global database"])
def test_otherwise_no_region_is_asked(machine: Machine, plan: dict[str, Any]) -> None:
    assert walked(machine, plan) == HAPPY


def test_secondaries_are_made_side_by_side(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is answered only when the other one has been asked for: one after the other would never end."""
    both = threading.Barrier(len(REGIONS), timeout=30)

    def answer(function: Function, event: bytes) -> Answer:
        if function.name in IN_EACH_REGION:
            both.wait()
        return machine.answer(function, event)

    monkeypatch.setattr(machine.emulator.functions, "invoke", answer)
    assert "ReleaseCompleted" in walked(machine, BEFORE_CUTOVER | {"secondaries": REGIONS})
    assert [machine.calls[name] for name in FUNCTIONS] == [1, 2, 2, 1]


@pytest.mark.parametrize("failing", FUNCTIONS)
def test_a_failure_before_the_cutover_ends_the_release_and_one_after_it_calls_for_a_person(
    machine: Machine, failing: str
) -> None:
    machine.faults[failing] = ["SomethingIsWrong"]
    states = walked(machine, BEFORE_CUTOVER)
    expected = ["DecideOnGlobalFailure", *ABORT[2:], *CLEAN_UP]
    assert states[-len(expected) :] == expected
    machine.faults[failing] = ["SomethingIsWrong"]
    states = walked(machine, AFTER_CUTOVER)
    assert states[-len(UNFINISHED) - 1 :] == ["DecideOnGlobalFailure", *UNFINISHED]


def test_what_is_not_there_yet_is_asked_for_again(machine: Machine) -> None:
    for name in FUNCTIONS:
        machine.faults[name] = ["ReplicationLagging" if name == "WaitForGlobalLag" else "GreenNotReady"] * 12
    assert walked(machine, BEFORE_CUTOVER)[-1] == "ReleaseCompleted"
    assert [machine.calls[name] for name in FUNCTIONS] == [13] * 4
