"""Reports of histories, held against what is documented of them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastjsonschema import compile as compiled

from bluegreen.report import writing
from bluegreen.report.record import Record, record
from bluegreen.report.sections import instant
from tests.unit.histories import ARN, BEGAN, History, StepFunctions, release

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


def failing(error: str, state: dict[str, Any], until: str = "RequestApproval", by: str = "") -> History:
    """One that failed; ``by`` is the state that says so, where there is one."""
    history = release(until)
    if by:
        history.enter(by, state, "Pass")
        history.leave(by, state, "Pass")
    failed = state | {"failure": {"Error": error, "Cause": json.dumps({"errorMessage": f"{error}: as it was"})}}
    history.task("ReleaseLock", state=failed | {"lock": {"explanation": "as it was"}})
    return history


def ending(history: History, state: dict[str, Any]) -> History:
    """The history that is told to the state which writes the report, and was given this."""
    history.enter("WriteReport", state)
    return history


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
