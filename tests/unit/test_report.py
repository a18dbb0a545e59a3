"""The report of a release: from a history to spans, to the document."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bluegreen.report import timeline
from bluegreen.report.measures import measures
from bluegreen.report.page import page
from tests.unit.histories import APPROVED, ARN, BEGAN, COMPLETED, OPENED, STATE, TOKEN, History, release
from tests.unit.reporting import RECOVERY_ARN, ending, failing, written


def test_what_runs_side_by_side_is_told_apart_and_belongs_to_what_it_runs_in() -> None:
    spans = timeline.of(release().events).spans
    assert {span.name: span.within for span in spans if span.within} == {
        "CompareChunks": "CompareTables",
        "WaitForDrain": "Switchover",
    }
    took = [
        (span.left_at - span.entered_at).total_seconds()
        for span in spans
        if span.name == "CompareChunks" and span.left_at
    ]
    assert took == [3, 1], "the second one ended first"
    assert all(span.left_at for span in spans)
    assert [len(span.tries) for span in spans if span.name == "CompareTables"] == [0]


def test_metrics_say_how_long_it_took_and_the_longest_time_in_which_an_attempt_refused_writes() -> None:
    history = release("FreezeBlue")
    history.task("VerifyCutover", 0.5, state=OPENED)
    history.task("AbortSwitchover", 0.2, state=OPENED)
    history.task("CheckDrift", 60, state=OPENED)
    history.task("FreezeBlue", 0.1, state=OPENED)
    history.task("OpenGreen", 0.3, state=OPENED)
    history.task("CompleteRelease", 1, state=COMPLETED)
    made = written(history)
    assert measures(made) == {"release_s": made["elapsed_s"], "write_gap_ms": 800.0}
    assert measures(written(release("RequestApproval"))).keys() == {"release_s"}
    assert measures(made | {"mode": "rehearsal"}) == {}


def test_each_try_and_its_error_is_kept_and_paid_for() -> None:
    course = timeline.of(release().events)
    (clone,) = (span for span in course.spans if span.name == "CloneBlue")
    assert clone.errors == {"GreenNotReady": 2}
    assert [(each.ended_at - each.started_at).total_seconds() for each in clone.tries if each.ended_at] == [0.5, 0.5, 2]
    assert course.transitions == len(course.spans) + 2
    assert course.states_s["CloneBlue"] == 5.0
    assert course.states_s["CompareChunks"] == 4.0, "all visits together"


def test_a_dead_execution_ends_what_was_open() -> None:
    history = release("RequestApproval")
    history.enter("Switchover", OPENED, "Parallel")
    history.enter("WaitForDrain", {})
    history.add("LambdaFunctionScheduled", history.last)
    history.at_s += 5
    history.end("ExecutionAborted")
    course = timeline.of(history.events)
    assert (course.status, course.ended_at) == ("ABORTED", BEGAN + timedelta(seconds=history.at_s))
    assert [span.name for span in course.spans if span.left_at == course.ended_at] == ["Switchover", "WaitForDrain"]
    assert course.spans[-1].tries[0].ended_at == course.ended_at


def test_a_branch_that_is_given_up_ends_with_what_it_runs_in() -> None:
    history = History()
    within = history.enter("Switchover", OPENED, "Parallel")
    slow = history.enter("FlipDns", {}, previous=within)
    history.add("LambdaFunctionScheduled", slow)
    broken = history.enter("VerifyCutover", {}, previous=within)
    history.call(1, "DataDiffers", previous=broken)
    history.add("ParallelStateFailed", history.last)
    history.leave("Switchover", OPENED, "Parallel", previous=len(history.events))
    spans = {span.name: span for span in timeline.of(history.events).spans}
    assert spans["FlipDns"].left_at == spans["VerifyCutover"].left_at == spans["Switchover"].left_at is not None
    assert spans["VerifyCutover"].errors == {"DataDiffers": 1}
    assert spans["FlipDns"].errors == {}


def test_a_release_that_is_complete_says_what_was_proven_and_who_decided() -> None:
    history = release()
    history.end()
    made = written(history)
    assert made["outcome"]["kind"] == "completed"
    assert made["switchover"]["freeze_to_open_ms"] == 200.0
    assert (made["switchover"]["frozen_at"], made["switchover"]["opened_at"]) == (
        "2026-11-24T02:00:06.100Z",
        "2026-11-24T02:00:06.300Z",
    )
    (compared,) = made["verification"]
    assert (compared["rows_compared"], compared["rows_compared_in_freeze"], compared["sequences_set"]) == (1234, 5, 2)
    (request,) = made["requests"]
    assert (request["waited_s"], request["answer"]["decision"]) == (4 * 3600, "approve")
    assert made["costs"]["function_gb_s"] == pytest.approx(
        (0.5 + 3 + 4 + 0.1 + 0.05 + 0.5) * 0.5 + 0.1 * 1769 / 1024, rel=1e-3
    )
    assert made["costs"]["transitions"] == len(made["timeline"]) + 2
    assert made["green_prepared"]["repaired_statements"] == {"app": 1}


def test_the_newest_state_outside_of_branches_counts_and_a_result_does_not_hide_the_plan() -> None:
    history = release()
    history.enter("ReleaseCompleted", COMPLETED, "Succeed")
    history.leave("ReleaseCompleted", COMPLETED["summary"], "Succeed")
    assert written(history)["release_id"] == STATE["plan"]["release_id"]
    made = written(ending(release("FreezeBlue"), COMPLETED))
    assert made["outcome"]["kind"] == "completed", "by what the state was given that asks for this"


@pytest.mark.parametrize(
    ("error", "until", "by", "kind"),
    [
        ("ReleaseRejected", "RequestApproval", "ReleaseRejected", "rejected"),
        ("ReleaseRejected", "RequestApproval", "", "failed"),  # as a customer's function may call its error
        ("ApprovalTimedOut", "RequestApproval", "ApprovalTimedOut", "not_answered"),
        ("SchemaDrifted", "RequestApproval", "", "failed"),
        ("DataDiffers", "FreezeBlue", "", "aborted"),
    ],
)
def test_what_came_to_nothing_says_why(error: str, until: str, by: str, kind: str) -> None:
    outcome = written(failing(error, APPROVED, until, by))["outcome"]
    assert (outcome["kind"], outcome["error"], outcome["reason"]) == (kind, error, f"{error}: as it was")
    assert not outcome["is_good"]


def test_an_input_that_is_refused_has_a_report_without_a_plan() -> None:
    history = History()
    history.enter("PlanRelease", "not even an object")
    history.call(0.2, "InputInvalid")
    history.leave("PlanRelease", {"failure": {"Error": "InputInvalid", "Cause": "No."}})
    made = written(history)
    assert (made["outcome"]["kind"], made["outcome"]["reason"]) == ("failed", "No.")
    assert re.fullmatch(r"20261123-2200-[0-9a-f]{6}", made["release_id"])
    assert "<h1>" in page(made)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"plan": STATE["plan"] | {"mode": "check"}, "check": STATE["check"] | {"is_fit": False}}, "unfit"),
        ({"plan": STATE["plan"] | {"mode": "check"}, "check": STATE["check"] | {"is_fit": True}}, "fit"),
        (
            {"failure": {"Error": "Rehearsed", "Cause": ""}, "rehearsal": {"report": {"text": "It took 5 s."}}},
            "rehearsed",
        ),
        ({"unfinished": {"MessageId": "1"}, "failure": {"Error": "AwsRefused", "Cause": ""}}, "unfinished"),
        ({}, "running"),
    ],
)
def test_other_ends_have_their_own_word(more: dict[str, Any], kind: str) -> None:
    history = release("RequestApproval")
    history.task("ReleaseLock", state=STATE | more)
    made = written(history)
    assert made["outcome"]["kind"] == kind
    assert html.escape(made["outcome"]["sentence"]) in page(made)


@pytest.mark.parametrize(
    ("summary", "kind"), [({}, "undone_by_recovery"), ({"summary": {"x": 1}}, "finished_by_recovery")]
)
def test_the_recovery_of_a_dead_release_tells_both_stories(summary: dict[str, Any], kind: str) -> None:
    dead = release("FreezeBlue")
    dead.end("ExecutionTimedOut")
    recovery = History()
    recovery.at_s = dead.at_s + 60
    recovery.task("InspectRelease")
    failure = {"Error": "TIMED_OUT", "Cause": ""}
    recovery.task("AbortSwitchover", state={"execution_arn": ARN, "plan": STATE["plan"], "failure": failure, **summary})
    made = written(dead, recovery)
    assert (made["outcome"]["kind"], made["recovery_execution_arn"]) == (kind, RECOVERY_ARN)
    assert made["requests"][0]["answer"]["decision"] == "approve", "what the dead one knew is not lost"
    machines = Counter(span["machine"] for span in made["timeline"])
    assert machines["recovery"] == 2
    assert "Recovery" in page(made)


def test_a_hook_that_failed_after_the_opening_is_told_although_the_release_is_complete() -> None:
    cause = json.dumps({"errorMessage": "3 of 10 <pages> are empty, password=pa55", "stackTrace": ["smoke.py"]})
    made = written(ending(release(), COMPLETED | {"hook_failure": {"Error": "SmokeFailed", "Cause": cause}}))
    assert made["outcome"]["kind"] == "completed"
    assert made["switchover"]["hook_failure"] == {
        "error": "SmokeFailed",
        "reason": "3 of 10 <pages> are empty, password=(removed)",
    }
    assert "failed: SmokeFailed: 3 of 10 &lt;pages&gt; are empty" in page(made)
    without = written(ending(release(), COMPLETED))
    assert without["switchover"]["hook_failure"] is None
    assert "Hook after the opening" not in page(without)


def test_what_the_hook_could_not_take_back_is_told_with_the_reason() -> None:
    failure = {"Error": "Refused", "Cause": "No.", "hook_failure": {"Error": "PageStuck", "Cause": "Still up."}}
    reason = written(ending(release("FreezeBlue"), STATE | {"failure": failure}))["outcome"]["reason"]
    assert reason == "No. After that the hook failed when the switchover was called off: PageStuck: Still up."


def test_every_answer_of_several_attempts_is_kept_and_one_that_never_came_too() -> None:
    history = release("RequestApproval")
    history.ask(
        "RequestApproval", 60, STATE | {"approval": {"decision": "reject", "approver": "Grace", "comment": "late"}}
    )
    history.ask("RequestApproval", 30)
    made = written(history)
    answers = [request["answer"].get("decision") for request in made["requests"]]
    assert answers == ["approve", "reject", None]
    assert made["requests"][2]["answered_at"] is None
    assert "Grace (name not verified): “late”" in page(made)
    assert "no answer in time" in page(made)


def test_the_report_says_how_a_name_is_known_and_whose_comment_is_whose() -> None:
    several = [
        {
            "decision": "approve",
            "name": "Ada",
            "is_verified": True,
            "comment": '<b>go” Bob (verified): "no',
            "way": "page",
        },
        {"decision": "approve", "name": "Bob", "is_verified": False, "comment": "", "way": "command line"},
        {"decision": "reject", "name": "Cy", "is_verified": "yes", "comment": "no", "way": "<i>"},
    ]
    history = release("RequestApproval")
    history.ask(
        "RequestApproval", 1, STATE | {"approval": {"decision": "approve", "approver": "Ada, Bob", "answers": several}}
    )
    text = page(written(history))
    for said in (
        "<div>Ada (verified, on the page): “&lt;b&gt;go&#x27; Bob (verified): &#x27;no”</div>",
        "<div>Bob (name not verified, by the command line)</div>",
        "<div>Cy (name not verified, said reject): “no”</div>",
        "; name not verified</small>",
    ):
        assert said in text


def test_whatever_an_answer_holds_only_what_is_known_is_taken() -> None:
    for odd in ("yes", ["x"], {"answers": "x"}, {"answers": [1, {"name": "Ada", "is_verified": True, "token": TOKEN}]}):
        history = release("RequestApproval")
        history.ask("RequestApproval", 1, STATE | {"approval": odd})
        made = written(history)
        assert TOKEN not in json.dumps(made)
        assert page(made)
