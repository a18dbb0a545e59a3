"""What a look at blue finds: each finding with its objects, why it matters, and what puts it right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..lines import in_lines
from ..quoting import fill
from ..session import Row

Severity = Literal["blocker", "warning", "note"]
"""A blocker stops a release, a warning does unless the input accepts it, a note is only told."""

SEVERITIES: tuple[Severity, ...] = ("blocker", "warning", "note")

SHOWN_OBJECTS = 20
"""Of each finding this many objects are named in mails, errors and outputs; all of them are in the function's log."""


NOTHING_TO_DO = "nothing to do"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked for. ``name`` and ``fix`` are templates (``quoting.fill``) for a row that was found.

    A fix that ends in a semicolon is a statement, to be run as it is in the place that is named with it.
    """

    id: str
    severity: Severity
    why: str
    fix: str
    name: str = "{schema}.{name}"
    is_rechecked: bool = False
    """Whether it is looked for again right before the freeze: what would be lost on green, or write there."""

    def found(self, place: str, row: Row) -> Found:
        """The object that a row of the check's query speaks of; columns ``database`` and ``fix`` say it better."""
        fix = row.get("fix") or fill(self.fix, row)
        return Found(self.id, str(row.get("database", place)), fill(self.name, row), fix)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """One object of a finding: where it is (a database, a cluster, an instance), its name, and what puts it right."""

    id: str
    place: str
    name: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """All objects of which the same is to be said, sorted."""

    id: str
    severity: Severity
    why: str
    objects: tuple[Found, ...]

    def lines(self) -> list[str]:
        """The finding as people read it; a fix that is the same for all objects is said once."""
        lines = [f"{self.severity.upper()} {self.id}: {self.why}"]
        fixes = {each.fix for each in self.objects}
        for each in self.objects[:SHOWN_OBJECTS]:
            lines += [f"  {each}"] + ([f"    {each.fix}"] if len(fixes) > 1 else [])
        if left := len(self.objects) - SHOWN_OBJECTS:
            lines += [f"  and {left} more; the log of CheckBlue names them all"] if left > 0 else []
        return lines + ([f"  Fix: {fixes.pop()}"] if len(fixes) == 1 else [])

    def to_state(self) -> dict[str, Any]:
        """The finding as JSON for an execution's output, which has a limit."""
        shown = [{"in": each.place, "name": each.name, "fix": each.fix} for each in self.objects[:SHOWN_OBJECTS]]
        return {
            "id": self.id,
            "severity": self.severity,
            "why": self.why,
            "count": len(self.objects),
            "objects": shown,
        }


def gathered(checks: Sequence[Check], found: Iterable[Found]) -> list[Finding]:
    """Objects as findings, the most severe first, then in the catalogue's order."""
    objects: dict[str, list[Found]] = {}
    for each in found:
        objects.setdefault(each.id, []).append(each)
    return [
        Finding(check.id, check.severity, check.why, tuple(sorted(objects[check.id])))
        for severity in SEVERITIES
        for check in checks
        if check.id in objects and check.severity == severity
    ]


def text_of(findings: Iterable[Finding]) -> str:
    """Findings as people read them.

    >>> found = Found("pg-cron", "app", "pg_cron", "DROP EXTENSION pg_cron;")
    >>> print(text_of([Finding("pg-cron", "blocker", "Its jobs would run twice.", (found,))]))
    BLOCKER pg-cron: Its jobs would run twice.
      app: pg_cron
      Fix: DROP EXTENSION pg_cron;
    """
    return in_lines(line for finding in findings for line in finding.lines())


def tally(findings: Sequence[Finding]) -> str:
    """How many there are of each severity.

    >>> tally([Finding("a", "note", "", ()), Finding("b", "note", "", ()), Finding("c", "blocker", "", ())])
    '1 blocker, 2 notes'
    >>> tally([])
    'nothing found'
    """
    counts = Counter(finding.severity for finding in findings)
    said = [f"{counts[each]} {each}{'s' if counts[each] > 1 else ''}" for each in SEVERITIES if counts[each]]
    return ", ".join(said) or "nothing found"
