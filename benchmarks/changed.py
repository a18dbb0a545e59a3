"""A release in which a part of the rows changed after they were compared: what comparing them again takes.

The rows are scattered, so that each lies in another block. The release compares them for the approval and in its
recheck; the freeze compares what changed after that.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.switchover import ended
from benchmarks.timeline import function_times_ms, spans
from benchmarks.verify import FILL, TABLE, Progress
from local.release import Release
from local.world import world

AIM = 0.03
EVERY = 100
"""One row of so many changes while the approval is waited for."""

TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Results:
    """Of one release, in milliseconds."""

    rows: int
    changed_rows: int
    full_ms: float
    """`CompareTables`, which compares all rows by two workers."""
    recheck_ms: float
    """The function of `RecheckReadiness`, which compares those that changed and does all else of a recheck."""
    in_freeze_ms: float
    """The function of `VerifyCutover`."""

    @property
    def ratio(self) -> float:
        """Of the comparison in the freeze to the full one; at most `AIM` is the aim."""
        return self.in_freeze_ms / self.full_ms

    def to_report(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self) | {"ratio": self.ratio}


def measure(rows: int, progress: Progress) -> Results:
    """Releases a table of so many rows."""
    progress(f"making {rows:,} rows")
    with world(databases=["app"], latency_s=0.1, propagation_s=0.0, record_ttl_s=2) as running:
        running.blue.execute("app", FILL.format(rows=rows))
        running.blue.execute("app", f"VACUUM (FREEZE, ANALYZE) {TABLE}")
        progress("release")
        release = Release.start(
            running.emulator.client("stepfunctions"),
            running.stack.outputs["StateMachineArn"],
            {"requested_by": "the benchmark", "reason": "to measure"},
            running.mail_folder,
            f"changed-{time.time_ns()}",
        )
        release.wait_for_approval_request(TIMEOUT_S)
        progress(f"changing one row of {EVERY}")
        update = f"UPDATE {TABLE} SET abalance = abalance + 1 WHERE aid % {EVERY} = 7 RETURNING 1"  # noqa: S608
        changed = len(running.blue.execute("app", update))
        release.answer("approve")
        progress("switchover")
        described = ended(release, TIMEOUT_S)
        if described["status"] != "SUCCEEDED":
            raise RuntimeError(f"the release failed: {release.failure()}")
        release_id = json.loads(described["output"])["release_id"]
        functions_ms = function_times_ms(running.emulator.folder / "logs", release_id)
        states = {span.state: span for span in spans(release._history(), functions_ms, 0)}
        return Results(
            rows,
            changed,
            states["CompareTables"].lasted_ms,
            functions_ms["RecheckReadiness"],
            functions_ms["VerifyCutover"],
        )
