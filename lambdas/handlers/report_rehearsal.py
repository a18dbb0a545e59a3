"""ReportRehearsal: what the real release will take; kept for the next one, and the text of the mail."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen.lines import in_lines
from bluegreen.model import Plan, State
from bluegreen.records import keep_rehearsal
from bluegreen.rehearsal import report, summary
from bluegreen.report import timeline
from bluegreen.report.reading import own_history

from .entry import Result, client, entry, setting


@entry
def handler(state: State) -> Result:
    plan = Plan.of(state)
    course = timeline.of(own_history(client("stepfunctions"), plan.execution_arn))
    started_at = datetime.fromisoformat(state["started_at"])
    figures = summary(plan, state, course.states_s, started_at, datetime.now(UTC))
    keep_rehearsal(client("dynamodb"), setting("LOCK_TABLE"), plan.cluster_name, figures)
    subject = f"Rehearsed: release {plan.release_id} of {plan.cluster_name[:40]}"
    return {"subject": subject, "text": in_lines(report(plan, state, figures)), "figures": figures}
