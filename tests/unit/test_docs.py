"""The documents speak of what is there, and so do the files of statements."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bluegreen import errors
from bluegreen.preflight import catalogue
from bluegreen.preflight.of_databases import IN_EACH_DATABASE
from local import findings

TEMPLATE = Path("tests/stacks/snapshots/BlueGreen-shop.template.json")
DOCS = [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]


def states(definition: dict[str, Any]) -> set[str]:
    inner = (
        branch
        for state in definition["States"].values()
        for branch in (*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")]))
    )
    return set(definition["States"]).union(*map(states, inner))


STATES = set[str]().union(
    *(states(json.loads(path.read_text(encoding="utf-8"))) for path in Path("statemachine").glob("*.asl.json"))
)
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
OTHERS = {
    "ResultPath",
    "TimeoutSeconds",
    "StepDuration",
    "FreezeDuration",
    "ReleaseDuration",
    "WriteGap",
    "ReplicationLag",
    "ReplicationLagBytes",
    "ApplyErrors",
    "RetainedOnBlue",
    "RetainedOnGreen",
    "SlotsIdle",
    "SlotsInDanger",
    "MonitorFailures",
    "EnableRule",
    "DisableRule",
    "UndeliveredEventsUrl",
    "SampleTableName",
    "TransactionLogsDiskUsage",
    "VolumeBytesUsed",
    "RowsCompared",
    "StoodBack",
    "VerificationRate",
    "VerificationRowsLeft",
    "VerificationTimeLeft",
    "DescribeExecution",
    "LockTableName",
    "ReleaseTableName",
    "ReportBucketName",
    "InvalidChangeBatch",
    "SnapshotQuotaExceeded",
    "InvalidGlobalClusterStateFault",
    "ExecutionAlreadyExists",
    "EventID",
    "SourceIdentifier",
    "BlueGreen",
    "TaskTimedOut",
    "TaskDoesNotExist",
    "InvalidToken",
    "DecideApproval",
} | {
    "ReleaseRejected",
    "ApprovalTimedOut",
}


@pytest.mark.parametrize("path", DOCS, ids=str)
def test_states_and_errors_that_a_document_names_exist(path: Path) -> None:
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", path.read_text(encoding="utf-8")))
    assert named <= STATES | ERRORS | OTHERS


def test_the_runbook_says_what_to_do_about_every_refusal() -> None:
    runbook = Path("docs/runbook.md").read_text(encoding="utf-8")
    refusals = {name for name in ERRORS if getattr(errors, name) in errors.Refused.__subclasses__()}
    assert {name for name in refusals if f"`{name}`" not in runbook} == set()


@pytest.mark.parametrize("path", DOCS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_every_belief_says_how_it_is_tried() -> None:
    _head, _line, *beliefs = re.findall(
        r"^\|(.*)\|$", Path("docs/beliefs.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(beliefs) > 50
    for belief in beliefs:
        what, how = belief.strip().rsplit(" | ", 1)
        assert what.endswith((".", ".)")), what
        assert how.endswith("."), what


def test_the_page_of_findings_is_what_the_catalogue_says() -> None:
    assert Path("docs/findings.md").read_text(encoding="utf-8") == findings.page(), "run: make findings"


def test_every_finding_of_a_database_or_server_has_its_query_and_no_query_has_another_ones_name() -> None:
    asked = {check.id for check in (*catalogue.BEFORE_ALL, *IN_EACH_DATABASE, *catalogue.OF_THE_SERVER)}
    queries = Path("lambdas/bluegreen/queries")
    assert {path.stem for path in (queries / "findings").iterdir()} == asked
    stems = [path.stem for path in queries.rglob("*.sql")]
    assert len(stems) == len(set(stems))
    assert len(catalogue.BY_ID) == len(catalogue.CHECKS)


def test_every_error_of_the_hierarchy_is_drawn_in_its_docstring() -> None:
    assert {name for name in ERRORS - {"SqlError"} if name not in str(errors.__doc__)} == set()


def test_statements_can_be_sent_to_a_database_in_any_encoding() -> None:
    statements = list(Path("lambdas/bluegreen/queries").rglob("*.sql"))
    assert statements
    assert [path.name for path in statements if not path.read_text(encoding="utf-8").isascii()] == []


def test_mails_have_line_ends_and_no_backslashes() -> None:
    for path in Path("statemachine").glob("*.asl.json"):
        assert r"\\n" not in path.read_text(encoding="utf-8"), path


def test_what_stays_when_a_stack_is_removed_is_named_by_the_output_that_leads_to_it() -> None:
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    outputs = {output["Value"].get("Ref"): name for name, output in template["Outputs"].items()}
    kept = {name for name, made in template["Resources"].items() if made.get("DeletionPolicy") == "Retain"}
    removing = Path("docs/deploying.md").read_text(encoding="utf-8").partition("## Removing it")[2]
    assert kept
    assert [name for name in kept if f"`{outputs[name]}`" not in removing] == []
