"""The report of a release: from a history to spans, to the document, to the page."""

from __future__ import annotations

import html
import json
import math
import re
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from fastjsonschema import compile as compiled

from bluegreen.errors import AwsUnavailable, InputInvalid
from bluegreen.report import timeline, writing
from bluegreen.report.measures import measures
from bluegreen.report.page import page
from bluegreen.report.record import MOST_TRIES, Record, record
from bluegreen.report.sections import instant
from local.clients.journal import Journal, Outcome, Transaction
from local.reporting import seen_by_clients
from tests.pages import read
from tests.unit.histories import APPROVED, ARN, BEGAN, COMPLETED, OPENED, STATE, TOKEN, History, StepFunctions, release

SCHEMA = json.loads(Path("statemachine/release-record.schema.json").read_text(encoding="utf-8"))
is_as_documented = compiled(SCHEMA)
MEMORY_MB = {"default": 512, "FreezeBlue": 1769}
RECOVERY_ARN = ARN.replace("shop:one", "shop-recovery:two")
CLIENTS = {"began_at": "2026-11-24T02:00:04.000Z", "bin_ms": 100, "acknowledged": [3] * 60, "write_gap_ms": 400.5}


def written(history: History, recovery: History | None = None, **asked: Any) -> Record:
    """The record of an execution, which is as it is documented."""
    histories = {ARN: history} | ({RECOVERY_ARN: recovery} if recovery else {})
    asked = {"execution_arn": ARN, **({"recovery_arn": RECOVERY_ARN} if recovery else {}), **asked}
    now = BEGAN + timedelta(seconds=history.at_s)
    made = record(writing.gather(StepFunctions(histories), asked, "shop", MEMORY_MB, now))
    is_as_documented(made)
    return made


def failing(error: str, state: dict[str, Any], until: str = "RequestApproval") -> History:
    history = release(until)
    failed = state | {"failure": {"Error": error, "Cause": json.dumps({"errorMessage": f"{error}: as it was"})}}
    history.task("ReleaseLock", state=failed | {"lock": {"explanation": "as it was"}})
    return history


def ending(history: History, state: dict[str, Any]) -> History:
    """The history that is told to the state which writes the report, and was given this."""
    history.enter("WriteReport", state)
    return history


# from the history to spans


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


# from state data to the document


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
    ("error", "until", "kind"),
    [
        ("ReleaseRejected", "RequestApproval", "rejected"),
        ("ApprovalTimedOut", "RequestApproval", "not_answered"),
        ("SchemaDrifted", "RequestApproval", "failed"),
        ("DataDiffers", "FreezeBlue", "aborted"),
    ],
)
def test_what_came_to_nothing_says_why(error: str, until: str, kind: str) -> None:
    outcome = written(failing(error, APPROVED, until))["outcome"]
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
        {"decision": "approve", "name": "Ada", "is_verified": True, "comment": "<b>go", "way": "page"},
        {"decision": "approve", "name": "Bob", "is_verified": False, "comment": "", "way": "command line"},
        {"decision": "reject", "name": "Cy", "is_verified": "yes", "comment": "no", "way": "<i>"},
    ]
    history = release("RequestApproval")
    history.ask(
        "RequestApproval", 1, STATE | {"approval": {"decision": "approve", "approver": "Ada, Bob", "answers": several}}
    )
    text = page(written(history))
    for said in (
        "<div>Ada (verified, on the page): “&lt;b&gt;go”</div>",
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


# secrets


def test_no_token_password_or_dsn_is_in_either_document() -> None:
    planted = {
        "Error": "DatabaseUnavailable",
        "Cause": f"postgresql://app:hunter2@blue/app, password=hunter2, PASSWORD 'hunter2', task token: {TOKEN}",
    }
    history = release("RequestApproval")
    told = APPROVED | {"failure": planted, "replication_user": {"secret": "hunter2"}, "lock": {"explanation": TOKEN}}
    history.task("ReleaseLock", errors=("SqlError",), state=told)
    made = written(history)
    for document in (json.dumps(made), page(made)):
        assert "hunter2" not in document
        assert "pa55" not in document
        assert TOKEN[:120] not in document
        assert "(removed)" in document


# the page


def full() -> Record:
    """A record in which nothing is missing."""
    history = release()
    history.end()
    made = written(history, clients=CLIENTS | {"missing": 0, "duplicated": 0})
    figures = {"lag_bytes": 900, "lag_s": 0.2, "apply_errors": 0}
    samples = [
        {
            "at": instant(BEGAN + timedelta(minutes=minute)),
            "databases": {"app": figures, "crm": {"lag_bytes": 1, "lag_s": None}},
        }
        for minute in range(240)
    ]
    return made | {"lag_samples": samples}


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = page(full())
    reader = read(text)
    assert reader.suspicious == []
    assert "http" not in text.replace("http-equiv", ""), "nothing is fetched"
    assert reader.seen["h1"] == 1
    assert reader.seen["svg"] > 10
    assert "None" not in reader.rows, "every head says what it is the head of"
    for told in (
        "Writes refused for",
        "200 ms",
        "1,234",
        "Ada",
        "What clients saw",
        "Bytes behind blue",
        "db.shop.internal",
    ):
        assert told in text


def test_hostile_texts_are_texts() -> None:
    text = page(full())
    assert "<script" not in text
    assert html.escape(STATE["plan"]["requested_by"]) in text
    assert html.escape(STATE["plan"]["reason"]) in text
    assert "\u202e" not in text
    odd = written(failing("Half \ud800 a <pair>", STATE))
    assert "<pair>" not in page(odd).encode().decode()


def test_a_wait_of_hours_is_drawn_shorter_and_said_in_full() -> None:
    text = page(full())
    assert 'class="cut"' in text
    assert "4 h" in text
    widths = [float(width) for width in re.findall(r'class="work"[^>]*width="([\d.]+)"', text)]
    assert max(widths) > 100, "the rest is not squashed"


def test_a_long_history_makes_a_page_of_reasonable_size() -> None:
    history = History()
    for _ in range(1_500):
        history.task("CompareTables", 10, ("ReplicationLagging",) * 3, STATE)
    history.task("CloneBlue", 1, ("GreenNotReady",) * 500, STATE)
    assert len(history.events) > 13_000
    made = written(history)
    assert len(page(made)) < 1_000_000
    (clone,) = (span for span in made["timeline"] if span["state"] == "CloneBlue")
    assert (clone["tries"], len(clone["failed_tries"])) == (501, MOST_TRIES)


# laid down in S3


def test_the_document_and_the_page_are_laid_down_and_the_place_is_told() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    made = full()
    told = [writing.store(s3, "reports", "eu-west-2", made) for _ in range(2)]
    assert told[0] == told[1], "a second time changes nothing"
    assert told[0]["key"] == "releases/20261123-2200-abcdef/report.html"
    assert "prefix=releases%2F20261123-2200-abcdef%2Freport.html" in told[0]["url"]
    assert told[0]["url"] in told[0]["sentence"]
    shown = s3.get_object(Bucket="reports", Key=told[0]["key"])
    assert shown["ContentType"] == "text/html; charset=utf-8"
    assert shown["Body"].read().decode() == page(made)
    document = s3.get_object(Bucket="reports", Key="releases/20261123-2200-abcdef/release.json")
    assert json.loads(document["Body"].read()) == made


def test_samples_are_those_of_the_release_oldest_first() -> None:
    dynamodb = boto3.client("dynamodb")
    keys = [("release_id", "HASH"), ("at", "RANGE")]
    dynamodb.create_table(
        TableName="samples",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    for release_id, second in (("20261123-2200-abcdef", 2), ("other", 3), ("20261123-2200-abcdef", 1)):
        sample = json.dumps({"databases": {"app": {"lag_bytes": second}}})
        item = {"release_id": release_id, "at": f"2026-11-23T22:00:0{second}.000Z", "sample": sample}
        dynamodb.put_item(TableName="samples", Item={name: {"S": value} for name, value in item.items()})
    sources = writing.gather(StepFunctions({ARN: release()}), {"execution_arn": ARN}, "shop", MEMORY_MB, BEGAN)
    found = record(writing.with_samples(sources, dynamodb, "samples"))["lag_samples"]
    assert [sample["databases"]["app"]["lag_bytes"] for sample in found] == [1, 2]


@pytest.mark.parametrize(
    "clients",
    [
        [],
        {},
        CLIENTS | {"bin_ms": 0},
        CLIENTS | {"acknowledged": ["x"]},
        CLIENTS | {"began_at": "now"},
        CLIENTS | {"bin_ms": "1"},
        CLIENTS | {"bin_ms": math.inf},
        CLIENTS | {"bin_ms": math.nan},
    ],
)
def test_what_clients_are_said_to_have_seen_has_to_be_in_order(clients: Any) -> None:
    with pytest.raises(InputInvalid, match="clients"):
        written(release(), clients=clients)


def test_what_clients_saw_is_counted_by_tenths_of_a_second() -> None:
    journal = Journal()
    began = BEGAN.timestamp()
    outcomes = [
        (0.0, Outcome.ACKNOWLEDGED),
        (0.05, Outcome.ACKNOWLEDGED),
        (0.15, Outcome.FAILED),
        (0.37, Outcome.ACKNOWLEDGED),
    ]
    for after_s, outcome in outcomes:
        transaction = Transaction("", 1, 1, "trade", "app", "app_writer", "127.0.1.1", started=began)
        transaction.ended, transaction.outcome = began + after_s, outcome
        journal.add(transaction)
    told = {"client_write_gap_ms": 370.0, "missing": 0, "duplicated": None}
    assert seen_by_clients(journal, told) == {
        "began_at": "2026-11-23T22:00:00.000Z",
        "bin_ms": 100,
        "acknowledged": [2, 0, 0, 1],
        "write_gap_ms": 370.0,
        "missing": 0,
    }
    assert written(release(), clients=seen_by_clients(journal, told))["clients"]["acknowledged"] == [2, 0, 0, 1]
    assert page(written(release(), clients=seen_by_clients(Journal(), {})))


@pytest.mark.parametrize("asked", [{}, [], [1], {"execution_arn": 5}, {"execution_arn": ""}, {"execution_arn": None}])
def test_an_input_without_an_execution_is_refused(asked: Any) -> None:
    with pytest.raises(InputInvalid, match="execution_arn"):
        writing.gather(StepFunctions({}), asked, "shop", MEMORY_MB, BEGAN)


FORGED = {"plan": STATE["plan"] | {"release_id": "../victim"}, "summary": COMPLETED["summary"], "approval": {}}


def test_nobody_tells_the_report_what_to_say() -> None:
    made = written(release("FreezeBlue"), state=FORGED, release_id="../victim")
    assert (made["outcome"]["kind"], made["release_id"]) == ("running", STATE["plan"]["release_id"])


def test_an_input_that_looks_like_the_state_of_a_release_is_not_taken_for_it() -> None:
    refused = {"failure": {"Error": "InputInvalid", "Cause": "there is no such field"}}
    history = History()
    history.enter("PlanRelease", FORGED)
    history.call(0.1, "InputInvalid")
    history.leave("PlanRelease", refused)
    history.task("WriteReport", state=refused)
    made = written(history)
    assert made["outcome"]["kind"] == "failed"
    assert re.fullmatch(r"20261123-2200-[0-9a-f]{6}", made["release_id"])


def test_only_the_recovery_of_an_execution_has_a_say_in_its_report() -> None:
    other = History()
    other.task("InspectRelease", state=FORGED | {"execution_arn": ARN + "-more"})
    with pytest.raises(InputInvalid, match="no recovery of"):
        written(release("FreezeBlue"), other)
    other = History()
    other.enter("InspectRelease", FORGED | {"execution_arn": ARN})
    with pytest.raises(InputInvalid, match="no recovery of"):
        written(release("FreezeBlue"), other)


def test_a_history_that_does_not_tell_of_the_writing_yet_is_read_again() -> None:
    history = release()
    with pytest.raises(AwsUnavailable, match="behind"):
        written(history, asked_by=ARN)
    assert written(ending(history, COMPLETED), asked_by=ARN)["outcome"]["kind"] == "completed"
    with pytest.raises(AwsUnavailable, match="behind"):
        written(history, asked_by=RECOVERY_ARN)


def test_every_field_of_the_document_is_described() -> None:
    def walk(schema: Any) -> None:
        assert schema["description"]
        for each in (
            *schema.get("properties", {}).values(),
            *filter(lambda s: "properties" in s, [schema.get("items", {})]),
        ):
            walk(each)

    walk(SCHEMA)
    assert set(written(release())) == set(SCHEMA["properties"])
