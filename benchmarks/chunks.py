"""As many chunks as a database of 10 TB has: whether the queue that workers share stays as quick as it begins."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.verify import TABLE, dsn, pair
from bluegreen.postgres import SETTINGS
from bluegreen.session import Session
from bluegreen.verify import whole
from bluegreen.verify.comparing import Comparison
from bluegreen.verify.queue import Queue
from bluegreen.verify.tables import GREEN, Side
from bluegreen.verify.working import Brake, Work, Worker
from local.dsn import Dsn

ROWS_OF_A_CHUNK = 5

Ends = tuple[Dsn, Dsn]
Sample = tuple[float, float, float]
"""When a chunk was taken, and the milliseconds that taking it and noting its result took."""

# not in blue's order: a table that has to be cut by its key
_MOVE = f"""
CREATE TABLE moved (LIKE {TABLE});
INSERT INTO moved SELECT * FROM {TABLE} ORDER BY aid DESC;
DROP TABLE {TABLE};
ALTER TABLE moved RENAME TO {TABLE};
ALTER TABLE {TABLE} ADD PRIMARY KEY (aid);
CREATE SCHEMA bluegreen AUTHORIZATION bench;
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Results:
    """What a run took."""

    chunks: int
    rows: int
    workers: int
    divide_s: float
    work_s: float
    progress_ms: float
    """Of one look at how far it is, when half was done."""
    take_ms: tuple[float, ...]
    """The median in each tenth of the time."""
    note_ms: tuple[float, ...]

    def to_report(self) -> dict[str, Any]:
        """All of it, for a file."""
        return asdict(self)


class TimedQueue(Queue):
    """Notes how long it takes."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.samples: list[Sample] = []
        self._took_ms = 0.0

    @contextmanager
    def take(self) -> Iterator[Work | None]:
        """Times the way in."""
        began_at = time.perf_counter()
        with super().take() as work:
            self._took_ms = 1000 * (time.perf_counter() - began_at)
            yield work

    def note(self, work: Work, comparison: Comparison) -> None:
        """Times it, without the commit."""
        began_at = time.perf_counter()
        super().note(work, comparison)
        now = time.perf_counter()
        self.samples.append((now, self._took_ms, 1000 * (now - began_at)))


def measure(chunks: int, workers: int, progress: Callable[[str], None]) -> Results:
    """Makes a table, divides it into so many chunks, and has processes work them off as functions do."""
    rows = chunks * ROWS_OF_A_CHUNK
    progress(f"making {rows:,} rows on two servers")
    with pair(rows) as (blue, green, password):
        green.execute("app", _MOVE)
        green.execute("app", f"VACUUM (FREEZE, ANALYZE) {TABLE}")
        ends = (dsn(blue, password), dsn(green, password))
        progress(f"dividing it into {chunks:,} chunks")
        divide_s = _divide(ends)
        progress(f"{workers} workers compare {chunks:,} chunks")
        began_at = time.perf_counter()
        with ProcessPoolExecutor(workers) as pool:
            working = [pool.submit(_work, ends) for _ in range(workers)]
            progress_ms = _watch(ends, chunks, progress)
            samples = sorted(sample for worker in working for sample in worker.result())
        work_s = time.perf_counter() - began_at
        with closing(_session(ends[GREEN])) as session:
            end = Queue(session).progress()
    if (end.rows_done, end.chunks_left, end.differing_rows) != (rows, 0, 0):
        raise RuntimeError(f"not all was compared, or not as equal: {end}")
    takes, notes = tenths(samples, 1), tenths(samples, 2)
    return Results(len(samples), rows, workers, divide_s, work_s, progress_ms, takes, notes)


def _session(end: Dsn) -> Session:
    return Session(end.connect(SETTINGS), str(end))


def _sides(ends: Ends) -> Callable[[Side], Session]:
    return lambda side: _session(ends[side])


def _divide(ends: Ends) -> float:
    with whole.sessions(_sides(ends)) as (blue, green), closing(_session(ends[GREEN])) as session:
        queue, catalog = Queue(session), whole.catalog_of(_sides(ends))
        queue.begin(catalog.tables, {})
        began_at = time.perf_counter()
        tables = {table.relation: table for table in catalog.tables}
        worker = Worker(blue, green, queue, tables, Brake(), chunk_rows=ROWS_OF_A_CHUNK)
        with queue.take() as work:
            assert work
            worker.do(work)
        return time.perf_counter() - began_at


def _work(ends: Ends) -> list[Sample]:
    with whole.sessions(_sides(ends)) as (blue, green), closing(_session(ends[GREEN])) as session:
        queue = TimedQueue(session)
        tables = {table.relation: table for table in whole.catalog_of(_sides(ends)).tables}
        Worker(blue, green, queue, tables, Brake(), chunk_rows=ROWS_OF_A_CHUNK)()
        return queue.samples


def _watch(ends: Ends, chunks: int, progress: Callable[[str], None]) -> float:
    """Tells how far it is until half is done; the milliseconds that the last look took."""
    with closing(_session(ends[GREEN])) as session:
        while True:
            began_at = time.perf_counter()
            found = Queue(session).progress()
            took_ms = 1000 * (time.perf_counter() - began_at)
            progress(f"{found.chunks_left:,} chunks and {found.headway.left_s or 0:,.0f} s left")
            if found.chunks_left <= chunks / 2:
                return took_ms
            time.sleep(1)


def tenths(samples: list[Sample], place: int) -> tuple[float, ...]:
    """The median in each tenth of the samples, which are ordered by time.

    >>> tenths([(n, n * 2.0, 0.0) for n in range(20)], 1)
    (1.0, 5.0, 9.0, 13.0, 17.0, 21.0, 25.0, 29.0, 33.0, 37.0)
    """
    tenth = max(1, len(samples) // 10)
    return tuple(round(statistics.median(s[place] for s in samples[n * tenth :][:tenth]), 2) for n in range(10))
