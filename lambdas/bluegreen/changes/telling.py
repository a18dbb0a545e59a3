"""What the approver is told of the changes."""

from __future__ import annotations

from typing import Any

from ..model import State

SHOWN = 30
"""Of so many scripts each is told; of the rest only the number is."""


def change_lines(state: State) -> list[str]:
    """Each script that ran on green, for the request for approval.

    >>> ran = {"database": "app", "script": "s3://b/1.sql", "sha256": "ab12", "version": "v1", "statements": 2}
    >>> for line in change_lines({"applied_changes": {"scripts": [ran | {"rows": 0, "notices": 0, "seconds": 0.5}]}}):
    ...     print(line)
    Changes made on green:
      app: s3://b/1.sql (version v1, sha256 ab12…): 2 statements, 0 rows, 0 notices, 0.5 s
    """
    ran: list[dict[str, Any]] = state.get("applied_changes", {}).get("scripts", [])
    if not ran:
        return []
    lines = [
        f"  {each['database']}: {each['script']} (version {each['version']}, sha256 {each['sha256']}…):"
        f" {each['statements']} statements, {each['rows']} rows, {each['notices']} notices, {each['seconds']:.1f} s"
        for each in ran[:SHOWN]
    ]
    more = [f"  and {len(ran) - SHOWN} more"] if len(ran) > SHOWN else []
    return ["Changes made on green:", *lines, *more]
