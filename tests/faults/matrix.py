"""The matrix: which faults were tried where, and which of them the releases survived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.definition import STATES

REPORT = Path("build/faults/matrix.txt")
Cells = dict[str, dict[str, list[bool]]]


class Recorder:
    """Notes what a test tries, for the matrix; goes with the test's report, so that it works in several processes."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self._record = record_property

    def tries(self, fault: str, *states: str) -> None:
        """The test tries a fault of the functions of these states, and has survived it when it passes."""
        for state in states:
            self._record("fault", ["the function of", state, fault])

    def happens(self, situation: str, moment: str) -> None:
        """The test lets something happen before a state."""
        self._record("fault", ["before", situation, moment])

    def frozen(self, seconds: float) -> None:
        """How long writes were refused."""
        self._record("frozen_s", seconds)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the matrix, and writes it to build/faults/matrix.txt, when any fault was tried."""
    tables: dict[str, Cells] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    longest_s = 0.0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties if report.when == "call" else []:
                if name == "fault":
                    tables[value[0]][value[1]][value[2]].append(outcome == "passed")
                elif name == "frozen_s":
                    longest_s = max(longest_s, value)
    if tables:
        results = [s for rows in tables.values() for row in rows.values() for tries in row.values() for s in tries]
        summary = f"cases {len(results)}, survived {sum(results)}; writes refused for {longest_s:.1f} s at most"
        text = "\n\n".join([*(draw(title, cells) for title, cells in tables.items()), summary])
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text + "\n", encoding="utf-8")
        terminalreporter.section("faults")
        terminalreporter.write_line(text)


def draw(title: str, cells: Cells) -> str:
    """A table as text: a row for each state or situation, a column for each fault or moment.

    >>> print(draw("before", {"green restarts": {"FlipDns": [True], "OpenGreen": [True, False]}}))
    before          FlipDns  OpenGreen
    green restarts     ✓         ✗
    """
    columns = sorted({name for row in cells.values() for name in row}, key=_place)
    width = max(map(len, [title, *cells]))
    lines = [f"{title:{width}}" + "".join(f"  {name}" for name in columns)]
    for name in sorted(cells, key=_place):
        marks = ["·" if c not in cells[name] else "✓" if all(cells[name][c]) else "✗" for c in columns]
        drawn = (f"  {mark.center(len(column))}" for mark, column in zip(marks, columns, strict=True))
        lines.append(f"{name:{width}}{''.join(drawn)}".rstrip())
    return "\n".join(lines)


def _place(name: str) -> tuple[int, str]:
    """States in the order in which a release meets them; whatever else by name."""
    names = list(STATES)
    return (names.index(name), "") if name in names else (len(names), name)


@pytest.fixture
def matrix(record_property: Callable[[str, object], None]) -> Recorder:
    """Where a test notes what it tries."""
    return Recorder(record_property)
