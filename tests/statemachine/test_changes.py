"""Scripts that change green: passed over, still at work, failed, corrected, given up."""

from __future__ import annotations

from functools import partial

from local.release import Release
from tests.statemachine.conftest import PLAN, Machine
from tests.waiting import eventually


def told(release: Release, error: str) -> bool:
    return any(f"cannot go on: {error}" in mail.body for mail in release.mails())


def test_a_release_without_scripts_passes_over_the_states_of_the_changes(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"changes": []}
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert not {"CheckChanges", "ApplyChanges"} & set(states)


def test_a_script_that_is_still_at_work_is_asked_for_again(machine: Machine) -> None:
    machine.faults["ApplyChanges"] = ["ChangeRunning"] * 9
    release, _ = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert machine.calls["ApplyChanges"] == 10


def test_changes_are_not_made_again_when_something_leads_back_to_the_check_of_drift(machine: Machine) -> None:
    machine.faults["GatherEvidence"] = ["SchemaDrifted"]
    release, states = machine.run()
    assert release.describe()["status"] == "SUCCEEDED"
    assert states.count("CheckDrift") == 2
    assert machine.calls["ApplyChanges"] == 1


def test_a_corrected_script_is_given_to_the_same_release(machine: Machine) -> None:
    machine.faults["ApplyChanges"] = ["ChangeFailed", "ChangesRefused"]
    release = machine.start({"changes": [{"database": "app", "script": "s3://scripts/one.sql"}]})
    for failed in ("ChangeFailed", "ChangesRefused"):
        eventually(partial(told, release, failed))
        mail = release.approval_request()
        assert mail
        assert mail.subject == f"Changes failed in release {PLAN['release_id']} of shop"
        assert "as the test wants it" in mail.body
        assert machine.events["RequestApproval"]["question"] == "correction"
        release.answer("try_again")
    eventually(lambda: any(mail.subject.startswith("Approve") for mail in release.mails()))
    release.answer("approve")
    assert release.wait()["status"] == "SUCCEEDED", release.failure()
    assert machine.calls["ApplyChanges"] == 3
    assert machine.calls["CloneBlue"] == 1


def test_a_release_whose_script_is_given_up_ends_before_the_approval_and_cleans_up(machine: Machine) -> None:
    machine.faults["ApplyChanges"] = ["ChangeFailed"]
    release, states = machine.run("reject")
    assert release.describe()["error"] == "ChangeFailed"
    assert states[-1] == "ReleaseFailed"
    assert {"CleanUpReplication", "DeleteGreen", "ReleaseLock"} <= set(states)
    assert not {"RequestApproval", "FreezeBlue"} & set(states)


def test_a_release_whose_script_nobody_corrects_in_time_cleans_up(machine: Machine) -> None:
    machine.results["PlanRelease"] = PLAN | {"approval_timeout_s": 1}
    machine.faults["ApplyChanges"] = ["ChangeFailed"]
    release = machine.start()
    assert release.wait()["error"] == "ApprovalTimedOut"
    assert machine.calls["DeleteGreen"] == 1


def test_a_script_that_is_refused_beforehand_ends_the_release_untouched(machine: Machine) -> None:
    machine.faults["CheckChanges"] = ["ChangesRefused"]
    release, states = machine.run()
    assert release.describe()["error"] == "ChangesRefused"
    assert not {"CreateReplicationUser", "CleanUpReplication"} & set(states)
