"""The report of a release that ran on this machine, with what its clients saw."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.clients.journal import Journal, Outcome
from local.host import LocalError
from local.world import World

BIN_MS = 100
MACHINE = "bluegreen-shop"


def seen_by_clients(journal: Journal, told: Mapping[str, Any]) -> dict[str, Any]:
    """How many writes were acknowledged in each tenth of a second, and what a check of every row has told since."""
    ended = [each.ended for each in journal.transactions if each.outcome is Outcome.ACKNOWLEDGED]
    began = min(ended, default=0.0)
    bins = Counter(int((at - began) * 1000 / BIN_MS) for at in ended)
    known = {"write_gap_ms": "client_write_gap_ms", "missing": "missing", "duplicated": "duplicated"}
    return {
        "began_at": datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "bin_ms": BIN_MS,
        "acknowledged": [bins[number] for number in range(max(bins, default=-1) + 1)],
        **{name: told[key] for name, key in known.items() if told.get(key) is not None},
    }


def write_report(running: World, execution_arn: str, clients: Mapping[str, Any], folder: Path) -> Path:
    """Has the function write the report again, with what clients saw, and fetches it; returns where the page is."""
    answer = running.emulator.client("lambda").invoke(
        FunctionName=f"{MACHINE}-WriteReport",
        Payload=json.dumps({"execution_arn": execution_arn, "clients": clients}).encode(),
    )
    told = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise LocalError(f"the report could not be written: {told}")
    s3, page = running.emulator.client("s3"), folder / "report.html"
    for path in (page, folder / "release.json"):
        key = f"{told['key'].rpartition('/')[0]}/{path.name}"
        path.write_bytes(s3.get_object(Bucket=told["bucket"], Key=key)["Body"].read())
    return page
