"""Who follows a release by events hears of each phase and outcome, as the schema says, and nobody waits for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
from moto.events.models import EventsBackend

from local.release import Release
from tests.statemachine.conftest import PLAN, RESULTS, Machine
from tests.statemachine.test_paths import HAPPY, SIDE_BY_SIDE, walk

SCHEMA = json.loads(Path("statemachine/release-event.schema.json").read_text(encoding="utf-8"))
MACHINES = ["release", "recovery", "decommission"]
PHASES = ["Release Planned", "Green In Step", "Approval Requested", "Release Approved", "Green Opened"]
FROZEN = ["FreezeBlue", "Switchover", "OpenGreen"]


def telling(machine: str) -> dict[str, dict[str, Any]]:
    """The states of a machine that send an event, by name."""
    states = json.loads(Path(f"statemachine/{machine}.asl.json").read_text(encoding="utf-8"))["States"]
    return {name: state for name, state in walk(states) if str(state.get("Resource")).endswith("events:putEvents")}


def entry_of(state: dict[str, Any]) -> dict[str, Any]:
    (entry,) = state["Parameters"]["Entries"]
    return dict(entry)


def heard(machine: Machine, release: Release) -> list[str]:
    """The kinds of events that a release has sent; each is what the schema says of it."""
    events = machine.events_of(release)
    for event in events:
        kind = event["detail-type"]
        fastjsonschema.validate(
            {"$ref": f"#/properties/{kind}"} | {k: SCHEMA[k] for k in ("definitions", "properties")}, event["detail"]
        )
        assert event["detail"]["cluster"] == "shop"
        assert event["detail"].get("release_id", PLAN["release_id"]) == PLAN["release_id"]
    return [event["detail-type"] for event in events]


@pytest.mark.parametrize("machine", MACHINES)
def test_each_event_has_the_fields_of_the_schema_and_cannot_keep_the_machine(machine: str) -> None:
    assert telling(machine)
    for name, state in telling(machine).items():
        entry = entry_of(state)
        assert entry["Source"] == "bluegreen.release"
        fields = {field.removesuffix(".$") for field in entry["Detail"]}
        assert fields == set(SCHEMA["properties"][entry["DetailType"]]["required"]), name
        assert fields == set(SCHEMA["properties"][entry["DetailType"]]["properties"]), name
        (caught,) = state["Catch"]
        assert (caught["ErrorEquals"], caught["Next"]) == (["States.ALL"], state["Next"])
        assert caught["ResultPath"] is state["ResultPath"] is None
        assert state["TimeoutSeconds"] <= 10


def test_every_event_of_the_schema_is_sent_by_some_machine() -> None:
    sent = {entry_of(state)["DetailType"] for machine in MACHINES for state in telling(machine).values()}
    assert sent == set(SCHEMA["properties"])


def test_nobody_is_told_while_writes_are_refused() -> None:
    first = HAPPY.index("FreezeBlue")
    assert HAPPY[first : first + len(FROZEN)] == FROZEN


def test_a_release_tells_of_its_phases_and_its_completion(machine: Machine) -> None:
    release, _ = machine.run()
    assert heard(machine, release) == [*PHASES, "Release Completed"]
    completed = machine.events_of(release)[-1]
    assert completed["detail"]["freeze_to_open_ms"] == RESULTS["CompleteRelease"]["freeze_to_open_ms"]
    assert release.execution_arn in completed["resources"]


def test_a_switchover_that_is_called_off_is_told_and_what_follows_too(machine: Machine) -> None:
    machine.faults["VerifyCutover"] = ["SomethingIsWrong"]
    machine.results["AbortSwitchover"] = RESULTS["AbortSwitchover"] | {"next_attempt": 2}
    release, _ = machine.run()
    assert heard(machine, release) == [
        *PHASES[:-1],
        "Switchover Called Off",
        *PHASES[1:],
        "Release Completed",
    ]
    by_kind = {event["detail-type"]: event["detail"] for event in machine.events_of(release)}
    assert by_kind["Switchover Called Off"]["error"] == "SomethingIsWrong"
    assert by_kind["Green Opened"]["attempt"] == 2


def test_a_wrong_request_is_told_as_a_failure_although_there_is_no_plan(machine: Machine) -> None:
    machine.faults["PlanRelease"] = ["InputInvalid"]
    release, _ = machine.run()
    assert heard(machine, release) == ["Release Failed"]
    (event,) = machine.events_of(release)
    assert (event["detail"]["error"], event["detail"]["reason"]) == (
        "InputInvalid",
        RESULTS["ReleaseLock"]["explanation"],
    )


def test_a_rejected_release_is_told_as_a_failure(machine: Machine) -> None:
    release, _ = machine.run("reject")
    assert heard(machine, release) == [*PHASES[:3], "Release Failed"]


def test_a_release_that_needs_a_person_is_told(machine: Machine) -> None:
    machine.faults["DropSubscriptions"] = ["SomethingIsWrong"]
    release, _ = machine.run()
    assert heard(machine, release) == [*PHASES, "Release Unfinished"]


def test_a_check_and_a_rehearsal_tell_what_came_of_them(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"mode": "check"}
    machine.results["CheckBlue"] = {"is_fit": False, "subject": "Not fit", "text": "Why."}
    release, _ = machine.run()
    assert heard(machine, release) == ["Release Planned", "Blue Checked"]
    machine.results = {
        "PlanRelease": PLAN | {"mode": "rehearsal"},
        "ReportRehearsal": {"subject": "Rehearsed", "text": "It went well.", "figures": {"dns_s": 1.5}},
    }
    release, _ = machine.run()
    assert heard(machine, release) == ["Release Planned", "Green In Step", "Rehearsal Completed"]


def test_a_release_goes_on_when_nobody_can_be_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> list[dict[str, Any]]:
        return [{"ErrorCode": "InternalFailure", "ErrorMessage": "as the test wants it"}]

    monkeypatch.setattr(EventsBackend, "put_events", refuse)
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert [state for state in states if state not in SIDE_BY_SIDE] == HAPPY
    assert machine.events_of(release) == []
