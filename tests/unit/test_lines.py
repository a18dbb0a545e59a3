"""What others have written stays within its line, wherever people read it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from bluegreen.approval.markup import evidence
from bluegreen.changes.telling import change_lines
from bluegreen.completion import explanation
from bluegreen.errors import BlueUnfit, ChangeFailed, ChangesRefused, InputInvalid, Refused, SqlError, WritersRemain
from bluegreen.evidence import request_text
from bluegreen.lines import in_lines, on_one_line
from bluegreen.model import Lag, Plan, Relation
from bluegreen.preflight.catalogue import BY_ID
from bluegreen.preflight.findings import Found, gathered, text_of
from tests.unit.asking import Desk

FORGED = "x\nApproval: given by audit.\r\n\n  crm: 9 rows\u2028Reason:  none\u202e\x85In step:  yes\x1b[2J\u200b\udc80"
"""Lines of every kind that a mail or a page could show as ours, and what turns the direction or is not seen."""

HIDDEN = frozenset("\r\u2028\u2029\x85\x0b\x0c\x1b\u202e\u200b\udc80")


def lines_of(text: str) -> list[str]:
    """The lines of a text, in which nothing is left that a reader does not see."""
    assert not HIDDEN & set(text)
    return text.splitlines()


def test_a_text_of_others_is_one_line_with_all_of_it_to_be_seen() -> None:
    (line,) = lines_of(on_one_line(FORGED))
    assert line.startswith("x\\nApproval: given by audit.\\r\\n\\n crm: 9 rows\\u2028Reason: none\\u202e")
    assert on_one_line(line) == line
    assert in_lines(["ours", "", f"  {FORGED}"]).split("\n") == ["ours", "", f"  {line}"]


@pytest.mark.parametrize(
    "blank", ["          ", "\u2003", "\xa0\u2003 ", "\u3164", "\u2800", "\u115f", "\uffa0", " \ufe0f", "\u3000\u034f"]
)
def test_nothing_pads_a_line_until_another_seems_to_begin(plan: Plan, blank: str) -> None:
    forged = request_with(dataclasses.replace(plan, attempt=2), f"none{blank * 100}In step: yes")
    assert not re.search(r"none\W{3,}In", forged)
    assert "none In step" in forged or f"none{on_one_line(blank)}" in forged
    assert on_one_line(forged.split("\n")[2]) == on_one_line(on_one_line(forged.split("\n")[2]))


def test_lines_of_ours_keep_their_columns() -> None:
    ours = ["From (blue):  a", "Reason:       b", "              c", "  app: 1", "    all"]
    assert in_lines(ours).split("\n") == ours == in_lines(in_lines(ours).split("\n")).split("\n")
    assert in_lines([f"Reason: {' ' * 400}b"]) == f"Reason:{' ' * 13}b"


def request_with(plan: Plan, said: str) -> str:
    """A request for approval that says this in every place in which somebody may have said it."""
    failure = str(WritersRemain(f"Sessions of {said} remain."))
    script = {"database": said, "script": said, "version": said, "sha256": "ab", "statements": 1, "rows": 1}
    warm = {"tables_analysed": 0, "tables_without_statistics": 0, "relations_loaded": 0, "bytes_loaded": 0}
    state: dict[str, Any] = {
        "failure": {"Error": "WritersRemain", "Cause": json.dumps({"errorMessage": failure})},
        "check": {"inventory": {said: {"tables": 1, "sequences": 1, "size_bytes": 1}}, "accepted": {said: 1}},
        "compared": {"rows": {said: 1}},
        "upgrade": {"version": said, "was": "15", "is_upgrade": True, "group": said, "left_behind": [said]},
        "extensions": {said: {"updated": [said], "left": [said]}},
        "applied_changes": {"scripts": [script | {"notices": 0, "seconds": 1.0}]},
        "warmth": {said: warm | {"skipped": {said: 1}}},
    }
    asked: dict[str, Any] = {
        "databases": (said,),
        "requested_by": said,
        "reason": said,
        "parameters": {"work_mem": said},
    }
    plan = dataclasses.replace(plan, attempt=2, **asked)
    return request_text(plan, plan.blue, state, [Lag(said, 0, 0.1, ())], {said: {"rows": 0}}, 1.0, [f"  {said}"])


def test_nothing_forges_a_line_of_the_request_for_approval(plan: Plan) -> None:
    forged, honest = request_with(plan, FORGED), request_with(plan, "app")
    assert [line[:8] for line in lines_of(forged.replace(on_one_line(FORGED), "app"))] == [
        line[:8] for line in lines_of(honest)
    ]
    assert not [line for line in lines_of(forged) if line.startswith(("Approval", "In step"))]
    assert "".join(evidence(forged)).count("<dt>") == "".join(evidence(honest)).count("<dt>") > 5


@pytest.mark.parametrize("kind", [ChangeFailed, ChangesRefused, InputInvalid, BlueUnfit])
def test_an_error_has_the_lines_it_was_given_and_no_more(kind: type[Refused]) -> None:
    text = str(kind("Scripts are refused.", f"s3://b/1.sql line 2: {FORGED}"))
    assert len(lines_of(text)) == 2
    failure = {"Error": kind.__name__, "Cause": json.dumps({"errorMessage": text})}
    assert explanation(failure) == text


def test_what_a_script_raises_begins_no_line_of_the_request_for_a_correction(plan: Plan) -> None:
    raised = SqlError(
        "P0001", "boom\n\nApprove here: https://evil.example\n\nAsked for by: the CEO", hint="do\nDone:  all"
    )
    assert len(lines_of(str(raised))) == len(lines_of(raised.without_detail)) == 1
    told = str(ChangeFailed(f"s3://b/1.sql line 1: {raised.without_detail}"))
    desk = Desk(plan)
    desk.ask(
        question="correction",
        subject="Changes failed",
        text=f"Release 1 cannot go on: ChangeFailed\n\n{told}\n\nBlue is.",
    )
    (mail,) = desk.leads.mails
    assert not [line for line in lines_of(mail.question) if line.startswith(("Approve here", "Asked for by", "Done"))]
    assert "<dt>" not in "".join(evidence(mail.question))


@pytest.mark.parametrize("error", ["States.Runtime", "KeyError", "MyHookFailed", "ReleaseRejected", "explanation", ""])
def test_a_failure_that_is_not_ours_is_told_in_one_line(error: str) -> None:
    for cause in (FORGED, json.dumps({"errorMessage": FORGED}), json.dumps({"said": FORGED}), json.dumps([FORGED])):
        assert len(lines_of(explanation({"Error": error, "Cause": cause}))) == 1


def test_a_cause_that_is_nested_without_end_is_told_all_the_same() -> None:
    assert explanation({"Error": "Stopped", "Cause": "[" * 100_000}).startswith("[[")


def test_a_finding_names_hostile_objects_in_lines_of_its_own() -> None:
    found = [Found("pg-cron", FORGED, name, FORGED) for name in (FORGED, "jobs")]
    text = text_of(gathered([BY_ID["pg-cron"]], found))
    assert len(lines_of(text)) == 4
    assert len(lines_of(str(BlueUnfit(*text.split("\n"))))) == 4


def test_scripts_are_told_in_a_line_each() -> None:
    ran = {"database": FORGED, "script": str(Relation(FORGED, "t")), "version": "1", "sha256": "a", "statements": 1}
    told = change_lines({"applied_changes": {"scripts": [ran | {"rows": 0, "notices": 0, "seconds": 1.0}]}})
    assert len(lines_of(in_lines(told))) == 2


@pytest.mark.parametrize("machine", ["release", "recovery", "decommission"])
def test_the_subject_of_every_mail_names_the_cluster_and_is_one_that_sns_takes(machine: str) -> None:
    """ASCII, less than 100 characters, with names of clusters as long as the configuration allows."""
    text = Path(f"statemachine/{machine}.asl.json").read_text(encoding="utf-8")
    subjects = re.findall(r'"[Ss]ubject": "([^"]*)"', text) + re.findall(
        r'"subject\.\$": "States.Format\(\'([^\']*)', text
    )
    assert len(subjects) == {"release": 6, "recovery": 5, "decommission": 2}[machine]
    for subject in subjects:
        made = subject.replace("${ClusterName}", "x" * 25).replace("{}", "20261123-0405-abcdef")
        assert "x" * 25 in made
        assert made.isascii()
        assert len(made) < 100
    composed = set(re.findall(r'"[Ss]ubject\.\$": "(\$[^"]*)"', text))
    assert composed <= {"$.check.subject", "$.rehearsal.report.subject", "$.evidence.subject"}, "which name it"
