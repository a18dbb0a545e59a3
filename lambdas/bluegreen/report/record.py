"""The record of a release: the document that its page shows, made of nothing but histories, state data and samples.

Its fields are those of ``statemachine/release-record.schema.json``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..model import release_id
from ..scrubbing import scrubbed
from . import sections
from .costs import estimate
from .outcome import outcome
from .sections import instant, part
from .timeline import Span, Timeline

SCHEMA_VERSION = 1
MOST_TRIES = 20
"""Of so many failed tries of a visit each is kept; of all the number is."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """What a record is made of. ``recovery`` is the timeline of the recovery, if there was one."""

    execution_arn: str
    timeline: Timeline
    state: Mapping[str, Any]
    now: datetime
    memory_mb: Mapping[str, int]
    cluster_name: str
    answers: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    recovery: Timeline | None = None
    recovery_arn: str = ""
    samples: Sequence[Mapping[str, Any]] = ()
    clients: Mapping[str, Any] | None = None

    @property
    def release_id(self) -> str:
        """As the plan has it; without one, as it would have been."""
        planned = part(self.state, "plan", "release_id")
        return str(planned or release_id(self.execution_arn, str(instant(self.timeline.started_at or self.now))))


def record(sources: Sources) -> Record:
    """The document."""
    state, timeline = sources.state, sources.timeline
    # Step Functions hands a release its own history as it is so far: what is open is the writing of this.
    ended_at = (sources.recovery or timeline).last_at or sources.now
    started_at = timeline.started_at or ended_at
    names = {
        "release_id": sources.release_id,
        "cluster": sources.cluster_name,
        "green": str(part(state, "plan", "green_identifier") or "green"),
    }
    document = {
        "schema_version": SCHEMA_VERSION,
        "written_at": instant(sources.now),
        "release_id": sources.release_id,
        "cluster": sources.cluster_name,
        "mode": part(state, "plan", "mode") or "release",
        "outcome": outcome(state, timeline, names, recovered=sources.recovery is not None),
        "requested_by": part(state, "plan", "requested_by") or None,
        "reason": part(state, "plan", "reason") or None,
        "execution_arn": sources.execution_arn,
        "recovery_execution_arn": sources.recovery_arn or None,
        "started_at": instant(started_at),
        "ended_at": instant(ended_at),
        "elapsed_s": round((ended_at - started_at).total_seconds(), 3),
        **sections.clusters(state),
        "switchover": sections.switchover(state),
        "requests": sections.requests(timeline, sources.answers, state),
        "evidence": sections.evidence(state),
        "findings": sections.findings(state),
        "verification": sections.verification(state),
        "rehearsal": sections.only(part(state, "rehearsal", "report"), "text", "figures"),
        "green_prepared": sections.prepared(state),
        "elsewhere": sections.elsewhere(state),
        "cleaned_up": [
            *sections.cleaned_up(timeline),
            *(sections.cleaned_up(sources.recovery) if sources.recovery else []),
        ],
        "clone": sections.clone(_joined(sources), state, ended_at),
        "costs": estimate(_joined(sources), sources.memory_mb),
        "timeline": [_span(span, "release") for span in timeline.spans]
        + [_span(span, "recovery") for span in (sources.recovery.spans if sources.recovery else [])],
        "lag_samples": list(sources.samples),
        "clients": sources.clients,
    }
    cleaned: Record = scrubbed(document)
    return cleaned


def _joined(sources: Sources) -> Timeline:
    if sources.recovery is None:
        return sources.timeline
    return Timeline([*sources.timeline.spans, *sources.recovery.spans])


def _span(span: Span, machine: str) -> Record:
    failed = [each for each in span.tries if each.error]
    return {
        "state": span.name,
        "kind": span.kind,
        "machine": machine,
        "within": span.within or None,
        "entered_at": instant(span.entered_at),
        "left_at": instant(span.left_at),
        "duration_s": round((span.left_at - span.entered_at).total_seconds(), 3) if span.left_at else None,
        "is_waiting": span.is_waiting,
        "tries": len(span.tries),
        "errors": span.errors,
        "failed_tries": [
            {"started_at": instant(each.started_at), "ended_at": instant(each.ended_at), "error": each.error}
            for each in failed[:MOST_TRIES]
        ],
    }
