"""How a release ended, in one word and one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..completion import explanation
from .sections import part
from .timeline import Timeline

_ENDED_BY_A_PERSON = {"ReleaseRejected": "rejected", "ApprovalTimedOut": "not_answered"}

_SENTENCES = {
    "completed": "Release {release_id} of {cluster} is complete: {green} is production.",
    "finished_by_recovery": "The execution of release {release_id} of {cluster} died, and its recovery finished the"
    " release: {green} is production.",
    "undone_by_recovery": "The execution of release {release_id} of {cluster} died, and its recovery undid it: blue is"
    " production as before.",
    "rehearsed": "Release {release_id} of {cluster} was rehearsed: blue is production as before.",
    "fit": "{cluster} was checked: it is fit for a release. Nothing was touched.",
    "unfit": "{cluster} was checked: it is not fit for a release yet. Nothing was touched.",
    "rejected": "Release {release_id} of {cluster} was rejected: blue is production as before.",
    "not_answered": "Release {release_id} of {cluster} was abandoned, since nobody answered: blue is production as"
    " before.",
    "aborted": "Release {release_id} of {cluster} was called off during the switchover: blue takes writes as before.",
    "failed": "Release {release_id} of {cluster} failed before anything changed: blue is production as before.",
    "unfinished": "Release {release_id} of {cluster} is unfinished: a step that must happen did not, and a person has"
    " to act.",
    "running": "Release {release_id} of {cluster} is under way.",
}

GOOD = frozenset({"completed", "finished_by_recovery", "rehearsed", "fit"})
"""What ended as it was asked for, or at least forward."""


def outcome(
    state: Mapping[str, Any], timeline: Timeline, names: Mapping[str, str], *, recovered: bool
) -> dict[str, Any]:
    """Kind, sentence, and why; ``names`` are those that sentences need: release_id, cluster, green."""
    kind = _kind(state, timeline, recovered=recovered)
    failure = part(state, "failure") if kind not in ("completed", "rehearsed", "fit", "unfit") else {}
    return {
        "kind": kind,
        "is_good": kind in GOOD,
        "sentence": _SENTENCES[kind].format_map(names),
        "error": failure.get("Error"),
        "reason": explanation(failure) if failure else None,
    }


def _kind(state: Mapping[str, Any], timeline: Timeline, *, recovered: bool) -> str:
    error = part(state, "failure").get("Error", "")
    if recovered:
        return "finished_by_recovery" if part(state, "summary") else "undone_by_recovery"
    if part(state, "unfinished"):
        return "unfinished"
    if part(state, "summary"):
        return "completed"
    if error == "Rehearsed" and part(state, "rehearsal", "report"):
        return "rehearsed"
    if error in _ENDED_BY_A_PERSON and any(span.name == error for span in timeline.spans):
        return _ENDED_BY_A_PERSON[error]
    if error:
        return "aborted" if any(span.name == "FreezeBlue" for span in timeline.spans) else "failed"
    if part(state, "plan", "mode") == "check" and part(state, "check"):
        return "fit" if part(state, "check").get("is_fit") else "unfit"
    return "running"
