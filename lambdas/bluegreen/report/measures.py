"""What a release took, as figures for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

_FREEZE, _TAKES_WRITES = "FreezeBlue", ("OpenGreen", "AbortSwitchover")


def measures(record: Mapping[str, Any]) -> dict[str, float]:
    """How long a release took, and the longest time in which one of its attempts may have refused writes.

    That is from the beginning of the freeze to the end of what let writers in again, on green or on blue, by the clock
    of Step Functions: a little more than clients see. Nothing for what was not asked to release.
    """
    if record["mode"] != "release":
        return {}
    found = {"release_s": float(record["elapsed_s"])}
    frozen = [_at(span["entered_at"]) for span in record["timeline"] if span["state"] == _FREEZE]
    ended = [_at(span["left_at"]) for span in record["timeline"] if span["state"] in _TAKES_WRITES and span["left_at"]]
    gaps_s = [(min(later) - began).total_seconds() for began in frozen if (later := [at for at in ended if at > began])]
    return found | ({"write_gap_ms": round(1000 * max(gaps_s), 1)} if gaps_s else {})


def _at(instant: str) -> datetime:
    return datetime.fromisoformat(instant)
