"""From seconds to places in a picture of 1,000 units; what nobody needs to see at length is broken.

An approval may take days, in which nothing happens. To scale, it would leave no room for anything else.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH = 1000.0
_BROKEN_SHARE = 0.07
"""How much of all the rest a broken wait takes."""

_BELOW_A_MINUTE_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080)
_STEPS_S = (*_BELOW_A_MINUTE_S, *(60.0 * minutes for minutes in _MINUTES))


@dataclass(frozen=True, slots=True)
class Break:
    """A wait that is drawn shorter than it was."""

    begin_s: float
    end_s: float


class Scale:
    """Places on an axis from ``begin_s`` to ``end_s``; ``waits`` are broken where they would take too much of it,
    and round numbers are counted from ``origin_s``.

    >>> scale = Scale(0, 10_100, waits=[(50, 10_050)])
    >>> [round(scale.place(at)) for at in (0, 50, 10_050, 10_100)]
    [0, 467, 533, 1000]
    """

    def __init__(
        self, begin_s: float, end_s: float, waits: Iterable[tuple[float, float]] = (), origin_s: float = 0.0
    ) -> None:
        self.begin_s, self.end_s, self.origin_s = begin_s, max(end_s, begin_s + 0.001), origin_s
        length = self.end_s - begin_s
        within = sorted((max(a, begin_s), min(b, self.end_s)) for a, b in waits if b > begin_s and a < self.end_s)
        rest = max(length - sum(b - a for a, b in within), 0.001)
        self.breaks = [Break(a, b) for a, b in within if b - a > 2 * _BROKEN_SHARE * rest]
        drawn, self._from_s, self._from = 0.0, [begin_s], [0.0]
        for broken in self.breaks:
            drawn += broken.begin_s - self._from_s[-1]
            self._add(broken.begin_s, drawn)
            drawn += _BROKEN_SHARE * rest
            self._add(broken.end_s, drawn)
        drawn += self.end_s - self._from_s[-1]
        self._add(self.end_s, drawn)
        self._factor = WIDTH / drawn

    def _add(self, at_s: float, drawn: float) -> None:
        self._from_s.append(at_s)
        self._from.append(drawn)

    def place(self, at_s: float) -> float:
        """Where an instant is; one outside is at the end that it is beyond."""
        at_s = min(max(at_s, self.begin_s), self.end_s)
        index = min(max(bisect.bisect_right(self._from_s, at_s) - 1, 0), len(self._from_s) - 2)
        a, b = self._from_s[index], self._from_s[index + 1]
        share = (at_s - a) / (b - a) if b > a else 0.0
        return (self._from[index] + share * (self._from[index + 1] - self._from[index])) * self._factor

    def is_broken(self, begin_s: float, end_s: float) -> bool:
        """Whether a stretch holds a whole break."""
        return any(begin_s <= each.begin_s and each.end_s <= end_s for each in self.breaks)

    def ticks(self, most: int = 5) -> list[float]:
        """Round instants that are far enough apart for a label each.

        >>> Scale(0.0, 0.74).ticks()
        [0.0, 0.2, 0.4, 0.6]
        """
        shown = (self.end_s - self.begin_s) - sum(each.end_s - each.begin_s for each in self.breaks)
        step = next((step for step in _STEPS_S if shown / step <= most), _STEPS_S[-1])
        found: list[float] = []
        begins = [self.begin_s, *(each.end_s for each in self.breaks)]
        ends = [*(each.begin_s for each in self.breaks), self.end_s]
        for begin, end in zip(begins, ends, strict=True):
            number = -(-round(begin - self.origin_s, 6) // step)
            while (at := self.origin_s + round(number * step, 6)) <= end and len(found) < 4 * most:
                if not found or self.place(at) - self.place(found[-1]) > WIDTH / (most + 2):
                    found.append(at)
                number += 1
        return found
