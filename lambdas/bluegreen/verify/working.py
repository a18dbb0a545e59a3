"""The loop behind every comparison: pieces of work are taken from a queue and done, no faster than is good for blue."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ..errors import DataDiffers, ReplicationLagging, TableRewritten
from ..model import Relation
from ..session import Session
from .chunks import CHUNK_ROWS, Chunk
from .comparing import Comparison, Settle, compare_chunk, nothing
from .planning import plan_chunks
from .tables import Table

PAUSE_S = 1.0
"""How long a worker stands back before it looks again whether it may go on."""

POLL_S = 0.05
"""How often a worker that has nothing to do looks whether another has divided a table by now."""

TOLD_EVERY_S = 30.0

PACED_S = 10.0
"""A chunk is no larger than what may be read in this time, so that a worker's end cuts off little of a pause."""


@dataclass(frozen=True, slots=True)
class Work:
    """A table that is to be divided into chunks, or one of its chunks."""

    number: int
    relation: Relation
    chunk: Chunk | None


class Pieces(Protocol):
    """What is to do in one database, for any number of workers."""

    def take(self) -> AbstractContextManager[Work | None]:
        """The next piece, which is the caller's until the block ends; None when none is free."""

    def is_dividing(self) -> bool:
        """Whether another worker is about to put chunks in a table's place."""

    def divide(self, work: Work, chunks: Iterable[Chunk]) -> None:
        """Puts a table's chunks where the table was."""

    def again(self, work: Work) -> None:
        """The table was rewritten, so its chunks are void."""

    def note(self, work: Work, comparison: Comparison) -> None:
        """What came out for a chunk."""


@dataclass(slots=True)
class Brake:
    """Keeps one worker from hurting: asked between two chunks, it waits for as long as it has to.

    ``pressure`` gives the reason to stand back, if there is one; ``deadline`` is one of ``time.monotonic``.
    """

    rows_per_s: float = 0.0
    """No more than this on the average; 0 for no limit."""
    pressure: Callable[[], str | None] = lambda: None
    deadline: float = math.inf
    tell: Callable[[str], None] = lambda _: None
    stood_back_s: float = 0.0
    _told_at: float = -math.inf

    @property
    def chunk_rows(self) -> int:
        """How large a chunk should be.

        >>> Brake(rows_per_s=500).chunk_rows, Brake().chunk_rows
        (5000, 100000)
        """
        return min(CHUNK_ROWS, max(1, round(self.rows_per_s * PACED_S))) if self.rows_per_s else CHUNK_ROWS

    def may_go_on(self, rows: int, took_s: float) -> bool:
        """After so many rows: waits until the next may be read. False when the time is over."""
        if self.rows_per_s:
            self._sleep(rows / self.rows_per_s - took_s)
        while time.monotonic() < self.deadline and (reason := self.pressure()):
            self.stand_back(reason)
        return time.monotonic() < self.deadline

    def stand_back(self, reason: str) -> None:
        """Does nothing for a moment, and says why."""
        if time.monotonic() - self._told_at >= TOLD_EVERY_S:
            self._told_at = time.monotonic()
            self.tell(reason)
        began_at = time.monotonic()
        self._sleep(PAUSE_S)
        self.stood_back_s += time.monotonic() - began_at

    def _sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, min(seconds, self.deadline - time.monotonic())))


@dataclass(slots=True)
class Worker:
    """Takes pieces of work in one database and does them, until none is left or the time is over."""

    blue: Session
    green: Session
    queue: Pieces
    tables: Mapping[Relation, Table]
    brake: Brake
    settle: Settle = nothing
    reader: Callable[[], Session | None] = lambda: None
    """A session on a reader instance of blue, while there is one that is in step."""
    compared: Callable[[int], None] = lambda _: None
    """Told after each chunk how many rows it had."""
    with_values: bool = True
    chunk_rows: int = CHUNK_ROWS

    def __call__(self) -> None:
        """Raises ``DataDiffers`` when a table is gone; differences of rows are noted in the queue."""
        rows, took_s = 0, 0.0
        while self.brake.may_go_on(rows, took_s):
            began_at, rows = time.monotonic(), 0
            try:
                with self.queue.take() as work:
                    if work is not None:
                        rows = self.do(work)
            except ReplicationLagging as error:
                self.brake.stand_back(str(error))
            else:
                if work is None and not self.queue.is_dividing():
                    return
                if work is None:
                    time.sleep(POLL_S)
            took_s = time.monotonic() - began_at

    def do(self, work: Work) -> int:
        """Does one piece; how many rows were compared."""
        if (table := self.tables.get(work.relation)) is None:
            raise DataDiffers(f"{work.relation} was dropped while it was to be compared.")
        if work.chunk is None:
            chunk_rows = min(self.chunk_rows, self.brake.chunk_rows)
            self.queue.divide(work, plan_chunks(self.blue, self.green, table, chunk_rows))
            return 0
        try:
            comparison = compare_chunk(
                self.blue,
                self.green,
                table,
                work.chunk,
                self.settle,
                with_values=self.with_values,
                reader=self.reader(),
            )
        except TableRewritten:
            self.queue.again(work)
            return 0
        self.queue.note(work, comparison)
        self.compared(comparison.rows)
        return comparison.rows


@dataclass(frozen=True, slots=True)
class Headway:
    """How far a comparison is: rows that were compared, an estimate of those that are left, and its time so far."""

    rows: int
    rows_left: int
    elapsed_s: float

    @property
    def rows_per_s(self) -> float:
        """The rate so far."""
        return self.rows / max(self.elapsed_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds that are left at this rate; None when nothing is known yet.

        >>> Headway(rows=100, rows_left=200, elapsed_s=2.0).left_s
        4.0
        """
        if not self.rows_left:
            return 0.0
        return self.rows_left / self.rows_per_s if self.rows else None

    def figures(self) -> dict[str, float | None]:
        """For logs, metrics and the state machine.

        >>> Headway(rows=100, rows_left=200, elapsed_s=2.0).figures()
        {'rows_left': 200, 'rows_per_s': 50, 'left_s': 4}
        """
        left_s = self.left_s
        return {
            "rows_left": self.rows_left,
            "rows_per_s": round(self.rows_per_s),
            "left_s": None if left_s is None else round(left_s),
        }
