"""The matrix: which faults were tried where, and which of them the releases survived."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPORT = Path("build/faults/matrix.txt")
Cells = dict[str, dict[str, list[bool]]]


class Recorder:
    """Notes what a test tries, for the matrix; goes with the test's report, so that it works in several processes."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self._record = record_property

    def tries(self, fault: str, *places: str) -> None:
        """The test tries a fault in each of these places, and has survived it when it passes."""
        for place in places:
            self._record("fault", [place, fault])

    def frozen(self, seconds: float) -> None:
        """How long writes were refused."""
        self._record("frozen_s", seconds)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the matrix, and writes it to build/faults/matrix.txt, when any fault was tried."""
    cells: Cells = defaultdict(lambda: defaultdict(list))
    longest_s = 0.0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties if report.when == "call" else []:
                if name == "fault":
                    cells[value[0]][value[1]].append(outcome == "passed")
                elif name == "frozen_s":
                    longest_s = max(longest_s, value)
    if cells:
        text = draw(cells, longest_s)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text + "\n", encoding="utf-8")
        terminalreporter.section("faults")
        terminalreporter.write_line(text)


def draw(cells: Cells, longest_s: float) -> str:
    """The matrix as text: a row for each place, a column for each fault.

    >>> print(draw({"OpenGreen": {"raises": [True], "hangs": [True, False]}}, 0.25))
                raises  hangs
    OpenGreen     ✓       ✗
    cases 3, survived 2; writes refused for 0.2 s at most
    """
    faults = list(dict.fromkeys(fault for row in cells.values() for fault in row))
    width = max(map(len, cells))
    lines = [" " * width + "".join(f"  {fault}" for fault in faults)]
    for place, row in cells.items():
        marks = ["·" if fault not in row else "✓" if all(row[fault]) else "✗" for fault in faults]
        columns = (f"  {mark.center(len(fault))}" for mark, fault in zip(marks, faults, strict=True))
        lines.append(f"{place:{width}}{''.join(columns)}".rstrip())
    results = [survived for row in cells.values() for tries in row.values() for survived in tries]
    summary = f"cases {len(results)}, survived {sum(results)}; writes refused for {longest_s:.1f} s at most"
    return "\n".join([*lines, summary])


@pytest.fixture
def matrix(record_property: Callable[[str, object], None]) -> Recorder:
    """Where a test notes what it tries."""
    return Recorder(record_property)
