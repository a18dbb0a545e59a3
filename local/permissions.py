"""The matrix of permissions: what every function, state machine and rule has called, and what it may.

Read from the record that the emulators of a whole run of tests have left in build/permissions. `python -m
local.permissions` makes such a run first if there is none of the sources as they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from local.aws.permissions.excused import EXCUSES, Excuse
from local.aws.permissions.guard import Call, Unit
from local.sources import ROOT, fingerprint

RECORDS = ROOT / "build" / "permissions"
OF_SOURCES = "sources"
"""The file in a record that says of which sources it is."""
WHOLE_RUN = ("tests/e2e", "tests/faults", "tests/local/test_approval.py")
"""All tests before which the application is deployed, and its functions run: what they did not need, nobody does."""
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

    def called(self) -> list[Call]:
        """What was asked for."""
        return [Call.from_json(line) for line in sorted(self.calls)]

    def missing(self) -> list[Call]:
        """Calls that the caller's role does not allow."""
        return [call for call in self.called() if not call.allowed]

    def idle(self) -> list[Unit]:
        """Permissions that nobody needed."""
        by_caller = defaultdict(list)
        for call in self.called():
            by_caller[call.caller].append(call)
        found = [unit for unit in self.units if not any(map(unit.was_used, by_caller[unit.caller]))]
        return sorted(found, key=lambda unit: (unit.caller, unit.statement.actions, unit.statement.resources))

    def unused(self) -> list[Unit]:
        """Those of them that are not excused."""
        return [unit for unit in self.idle() if not any(excuse.fits(unit) for excuse in EXCUSES)]

    def idle_excuses(self) -> list[Excuse]:
        """Excuses for nothing."""
        idle = self.idle()
        return [each for each in EXCUSES if not each.by_chance and not any(map(each.fits, idle))]

    def complaints(self) -> list[str]:
        """What is wrong, a line each."""
        largest = sorted(self.payload_bytes.items())
        return [
            *(f"{call.caller} may not {call.asked.action} on {call.asked.resource}" for call in self.missing()),
            *(f"{unit.caller} needs no {unit.in_words()}" for unit in self.unused()),
            *(f"excused for nothing: {each.caller} {each.action} {each.resource}" for each in self.idle_excuses()),
            *(
                f"{name} had a payload of {size} bytes, more than half of what a state may carry"
                for name, size in largest
                if size > PAYLOAD_LIMIT_BYTES / 2
            ),
        ]


def is_current(folder: Path) -> bool:
    """Whether there is a record in a folder, and of the sources as they are now."""
    said = folder / OF_SOURCES
    return said.is_file() and said.read_text() == fingerprint()


def main() -> int:
    """Print the matrix; 1 when something is wrong in it."""
    from local.permissions_table import table  # which reads it

    if not is_current(RECORDS):
        said = "is of other sources" if any(RECORDS.glob("*.jsonl")) else "is not there"
        print(f"The record of a whole run in build/permissions {said}: making such a run", flush=True)
        subprocess.run([sys.executable, "-m", "pytest", *WHOLE_RUN], cwd=ROOT, check=False)
        if not is_current(RECORDS):
            print("That was no whole run that passed: there is no matrix.")
            return 1
    matrix = Matrix.read(RECORDS)
    print(table(matrix))
    complaints = matrix.complaints()
    print("\n".join(complaints) or "Nothing is missing, nothing is there without need.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
