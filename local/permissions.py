"""The matrix of permissions: what every function, state machine and rule has called, and what it may.

Read from the records that the emulators of a whole run of tests have left in build/permissions. `python -m
local.permissions` makes such a run of the end-to-end tests first if there is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from local.aws.permissions.excused import EXCUSES, Excuse
from local.aws.permissions.guard import Call, Unit

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "build" / "permissions"
PAYLOAD_LIMIT_BYTES = 256 * 1024
"""Of a state's input and output (Step Functions Developer Guide, "Quotas")."""


@dataclass
class Matrix:
    """What was allowed and what was asked for, in all runs that left a record; the same is there once."""

    units: set[Unit] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    payload_bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def read(cls, folder: Path) -> Matrix:
        """From the records in a folder."""
        found = cls()
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                found._add(line)
        return found

    def _add(self, line: str) -> None:
        read = json.loads(line)
        if "granted" in read:
            self.units.add(Unit.from_json(line))
        elif "caller" in read:
            self.calls.add(line)
        else:
            self.payload_bytes[read["function"]] = max(self.payload_bytes[read["function"]], read["bytes"])

    def missing(self) -> list[Call]:
        """Calls that the caller's role does not allow."""
        return [call for call in map(Call.from_json, sorted(self.calls)) if not call.allowed]

    def unused(self) -> list[Unit]:
        """Permissions that nobody needed, without those that are excused."""
        return [unit for unit in self._idle() if not any(excuse.fits(unit) for excuse in EXCUSES)]

    def idle_excuses(self) -> list[Excuse]:
        """Excuses for nothing."""
        idle = self._idle()
        return [excuse for excuse in EXCUSES if not any(excuse.fits(unit) for unit in idle)]

    def _idle(self) -> list[Unit]:
        by_caller = defaultdict(list)
        for call in map(Call.from_json, self.calls):
            by_caller[call.caller].append(call)
        found = [unit for unit in self.units if not any(map(unit.was_used, by_caller[unit.caller]))]
        return sorted(found, key=lambda unit: (unit.caller, unit.statement.actions, unit.statement.resources))

    def complaints(self) -> list[str]:
        """What is wrong, a line each."""
        largest = sorted(self.payload_bytes.items())
        return [
            *(f"{call.caller} may not {call.asked.action} on {call.asked.resource}" for call in self.missing()),
            *(f"{unit.caller} needs no {_words(unit)}" for unit in self.unused()),
            *(f"excused for nothing: {each.caller} {each.action} {each.resource}" for each in self.idle_excuses()),
            *(
                f"{name} had a payload of {size} bytes, more than half of what a state may carry"
                for name, size in largest
                if size > PAYLOAD_LIMIT_BYTES / 2
            ),
        ]

    def table(self) -> str:
        """For people: each caller with the actions that it called, those it may call, and what differs."""
        calls = [Call.from_json(line) for line in self.calls]
        called, allowed = _actions((each.caller, each.asked.action) for each in calls), self._allowed()
        unused = _actions((each.caller, each.statement.actions[0]) for each in self.unused())
        missing = _actions((each.caller, each.asked.action) for each in self.missing())
        lines = [f"{'':44}called  allowed  unused  missing"]
        for caller in sorted(called.keys() | allowed.keys()):
            counts = (len(which[caller]) for which in (called, allowed, unused, missing))
            lines.append("{:44}{:6}{:9}{:8}{:9}".format(caller, *counts))
            lines += [f"    {service}: {', '.join(names)}" for service, names in _by_service(called[caller])]
            lines += [f"    unused: {action}" for action in sorted(unused[caller])]
            lines += [f"    MISSING: {action}" for action in sorted(missing[caller])]
        reasons = [f"    {each.caller} {each.action} on {each.resource}: {each.reason}" for each in EXCUSES]
        largest = max(self.payload_bytes.items(), key=lambda pair: pair[1], default=("none", 0))
        largest_payload = f"largest payload of a state: {largest[1]} bytes, {largest[0]}"
        return "\n".join([*lines, "", "allowed without need, for a reason:", *reasons, "", largest_payload])

    def _allowed(self) -> dict[str, set[str]]:
        return _actions(
            (unit.caller, unit.statement.actions[0])
            for unit in self.units
            if not any(excuse.fits(unit) for excuse in EXCUSES)
        )


def _words(unit: Unit) -> str:
    condition = f" if {unit.statement.conditions}" if unit.statement.conditions else ""
    return f"{unit.statement.actions[0]} on {unit.statement.resources[0]}{condition}"


def _actions(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for caller, action in pairs:
        found[caller].add(action)
    return found


def _by_service(actions: Iterable[str]) -> list[tuple[str, list[str]]]:
    found = defaultdict(list)
    for action in sorted(actions):
        service, _, name = action.partition(":")
        found[service].append(name)
    return sorted(found.items())


def main() -> int:
    """Print the matrix; 1 when something is wrong in it."""
    if not any(RECORDS.glob("*.jsonl")):
        print("No records of a whole run in build/permissions: running the end-to-end tests", flush=True)
        if subprocess.run([sys.executable, "-m", "pytest", "tests/e2e"], cwd=ROOT, check=False).returncode:
            return 1
    matrix = Matrix.read(RECORDS)
    print(matrix.table())
    complaints = matrix.complaints()
    print("\n".join(complaints) or "nothing is missing, nothing is there without need")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
