"""The parts of the record that are taken from state data, each under the name that its page has for it.

State data may end anywhere, so whatever is not there yet is left out; and only what is named here is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..completion import hook_failure
from .timeline import ASKING, Timeline

State = Mapping[str, Any]
Section = dict[str, Any]

_OF_AN_ANSWER = ("decision", "approver", "comment", "reason", "said")
_OF_ONE_OF_SEVERAL = ("decision", "name", "is_verified", "comment", "at", "way")


def part(state: State, *names: str) -> Any:
    """What lies at a path of state data; an empty mapping when something of the path is not there.

    >>> part({"a": {"b": 1}}, "a", "b"), part({"a": None}, "a", "b")
    (1, {})
    """
    found: Any = state
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return {} if found is None else found


def only(found: Any, *names: str) -> Section:
    """These fields of a mapping, as far as it has them."""
    return {name: found[name] for name in names if name in found} if isinstance(found, Mapping) else {}


def instant(moment: datetime | None) -> str | None:
    """As the documents have it: UTC, to the millisecond, with a Z."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def parsed(text: Any) -> datetime | None:
    """An instant as PostgreSQL or the documents write it."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def clusters(state: State) -> Section:
    """Blue, green, and where they are reached."""
    fields = ("identifier", "host", "port", "reader_host")
    green = only(part(state, "green"), *fields) or {"identifier": part(state, "plan", "green_identifier") or None}
    return {"blue": only(part(state, "plan", "blue"), *fields), "green": green}


def requests(timeline: Timeline, answers: Mapping[int, State], state: State) -> list[Section]:
    """Each time that a person was asked: when, what came back, from whom.

    The last request for approval of which no state data was found is taken to be the one that the newest data answers.
    """
    told = []
    asked = [span for span in timeline.spans if span.name in ASKING]
    for span in asked:
        key = "approval" if span.name == "RequestApproval" else "correction"
        answered = answers.get(span.exit_id, state if span is asked[-1] else {})
        timed_out = "States.Timeout" in span.errors
        waited_s = (span.left_at - span.entered_at).total_seconds() if span.left_at else None
        told.append(
            {
                "state": span.name,
                "asked_at": instant(span.entered_at),
                "answered_at": None if timed_out else instant(span.left_at),
                "waited_s": waited_s,
                "answer": {} if timed_out else _answer(part(answered, key)),
            }
        )
    return told


def _answer(given: Any) -> Section:
    """What a person said: whoever answers by the API may send anything."""
    several = given.get("answers") if isinstance(given, Mapping) else None
    each = [only(one, *_OF_ONE_OF_SEVERAL) for one in several] if isinstance(several, list) else []
    return only(given, *_OF_AN_ANSWER) | ({"answers": each} if each else {})


def switchover(state: State) -> Section | None:
    """Freeze and opening by the clocks of the databases; None when blue was not frozen in the end."""
    frozen_at, opened_at = parsed(part(state, "freeze", "frozen_at")), parsed(part(state, "opening", "decided_at"))
    summary = part(state, "summary")
    if not (opened_at or summary):
        return None
    refused_ms = (opened_at - frozen_at).total_seconds() * 1000 if frozen_at and opened_at else None
    return {
        "frozen_at": instant(frozen_at),
        "opened_at": instant(opened_at),
        "freeze_to_open_ms": summary.get("freeze_to_open_ms", refused_ms),
        "attempts": part(state, "plan", "attempt"),
        "freeze_budget_s": part(state, "plan", "freeze_budget_s"),
        "freeze_method": part(state, "plan", "freeze_method"),
        "hook_failure": hook_failure(state),
        "roles": part(state, "freeze", "roles") or summary.get("roles"),
        "sessions_ended": part(state, "freeze").get("sessions_ended", summary.get("sessions_ended")),
    }


def verification(state: State) -> list[Section]:
    """What was compared in each database, before the freeze and in it."""
    compared, inventory = part(state, "compared"), part(state, "check", "inventory")
    frozen = part(state, "switchover")
    return [
        {
            "database": database,
            "tables": part(inventory, database).get("tables"),
            "size_bytes": part(inventory, database).get("size_bytes"),
            "rows_compared": part(compared, "rows")[database],
            "rows_compared_in_freeze": part(frozen, "compared", database).get("rows"),
            "tables_counted_in_freeze": part(frozen, "compared", database).get("counted_tables"),
            "sequences_set": part(frozen, "sequences").get(database),
            "drain_s": part(frozen, "drain_s").get(database),
        }
        for database in part(compared, "rows")
    ]


def evidence(state: State) -> Section:
    """What the approver was told."""
    return only(part(state, "evidence"), "subject", "text", "lag", "expected_freeze_s")


def findings(state: State) -> Section:
    """What was found on blue before the release; a check tells all of it."""
    check = part(state, "check")
    return only(check, "is_fit", "accepted", "notes", "findings", "text")


def prepared(state: State) -> Section:
    """What was made different on green on purpose, and what was repaired there."""
    return {
        "changes": part(state, "applied_changes", "scripts") or [],
        "repaired_statements": dict(part(state, "drift")) if _are_numbers(part(state, "drift")) else {},
        "upgrade": {**only(part(state, "upgrade"), "was", "version", "is_major", "group", "left_behind")},
        "extensions": dict(part(state, "extensions")),
        "warmth": dict(part(state, "warmth")),
    }


def _are_numbers(found: Any) -> bool:
    return all(isinstance(value, int) for value in found.values())  # else it is an error that was caught


def elsewhere(state: State) -> Section:
    """Records, secondaries, and the end of blue."""
    records = part(state, "plan", "records") or []
    return {
        "records": [only(record, "name", "type", "endpoint", "region", "ttl_s", "values") for record in records],
        "secondaries": part(state, "secondaries") or [],
        "global_cluster": part(state, "global_cluster").get("identifier"),
        "blue_end": part(state, "plan", "blue_end") or None,
        "blue_ends_at": part(state, "summary").get("blue_ends_at"),
    }


_CLEANED = {
    "CleanUpReplication": "publication, slots, replication role, schema and secret were removed from blue",
    "DeleteGreen": "the clone was deleted, with its secondaries and parameter groups",
    "RestoreDns": "the records went back to blue, with their old TTLs",
    "RestartApplication": "the application was started again",
    "CallHookCalledOff": "the hook took back what it had done before the freeze",
    "DropSubscriptions": "green's subscriptions and blue's slots were dropped",
    "RestoreTtl": "the records got their old TTLs back",
    "UntagGreen": "green lost the tag by which releases may change and delete it",
    "CompleteRelease": "publications, replication role and secret were removed, and green's own schema",
}


def cleaned_up(timeline: Timeline) -> list[Section]:
    """What was taken away or given back, and when."""
    return [
        {"state": span.name, "what": _CLEANED[span.name], "at": instant(span.left_at)}
        for span in timeline.spans
        if span.name in _CLEANED and span.left_at and not (span.tries and span.tries[-1].error)
    ]


def clone(timeline: Timeline, state: State, now: datetime) -> Section:
    """How long green stood beside blue, and how much it is a clone of: what AWS bills with RDS, in no price."""
    made = next((s.entered_at for s in timeline.spans if s.name == "CloneBlue"), None)
    gone = next((s.left_at for s in reversed(timeline.spans) if s.name == "DeleteGreen"), None)
    sizes = [each.get("size_bytes", 0) for each in part(state, "check", "inventory").values()]
    return {
        "green_stood_h": round(((gone or now) - made).total_seconds() / 3600, 3) if made else 0,
        "green_is_gone": gone is not None or made is None,
        "cloned_bytes": sum(sizes),
    }
