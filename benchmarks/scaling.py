"""Whether the switchover grows with what it switches over: one thing at a time, small and large, side by side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.application import Size
from benchmarks.switchover import Progress, Switchover, bench, release

AIM = 1.5


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that a database may have little or much of."""

    name: str
    small: Size
    large: Size


@dataclass(frozen=True, slots=True)
class Growth:
    """How the freeze (frozen to open, ms) of one thing grew."""

    axis: Axis
    small: list[Switchover]
    large: list[Switchover]

    @property
    def medians_ms(self) -> tuple[float, float]:
        """Of small and large."""
        small, large = (statistics.median(run.freeze_to_open_ms for run in runs) for runs in (self.small, self.large))
        return small, large

    @property
    def ratio(self) -> float:
        """Large to small; at most `AIM` is the aim.

        >>> runs = lambda ms: [Switchover(0, ms, 0, 0, 0, [])]
        >>> Growth(Axis("tables", Size(), Size()), runs(100.0), runs(120.0)).ratio
        1.2
        """
        small, large = self.medians_ms
        return large / small

    def to_report(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self) | {"ratio": self.ratio}


def axes(factor: float) -> list[Axis]:
    """What the aim names; `factor` makes the large sizes smaller where time or disk is short.

    >>> [(axis.name, axis.large.sequences) for axis in axes(0.1)][0]
    ('sequences', 1000)
    """
    base = Size(sequences=10)

    def scaled(count: int, least: int) -> int:
        return max(least, round(count * factor))

    return [
        Axis("sequences", base, replace(base, sequences=scaled(10_000, 10))),
        Axis("tables", base, replace(base, tables=scaled(2_000, 10))),
        Axis("databases", base, replace(base, databases=scaled(20, 1))),
        Axis("data", replace(base, data_gb=0.1), replace(base, data_gb=max(0.1, 10 * factor))),
    ]


def measure(names: list[str], factor: float, runs: int, progress: Progress) -> Iterator[Growth]:
    """Each axis that is named: releases of the small one, then of the large one."""
    for axis in axes(factor):
        if axis.name in names:
            yield Growth(axis, _runs(axis, axis.small, runs, progress), _runs(axis, axis.large, runs, progress))


def _runs(axis: Axis, size: Size, runs: int, progress: Progress) -> list[Switchover]:
    progress(f"{axis.name}: {size}")
    found = []
    with bench(size) as (running, built):
        blue = running.blue
        for number in range(runs):
            progress(f"{axis.name}: {size}, run {number + 1} of {runs}")
            run, blue, _ = release(running, built, blue, None)
            found.append(run)
    return found
