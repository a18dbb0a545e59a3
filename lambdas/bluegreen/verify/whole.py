"""All tables of two databases that need not belong to a release, in parallel within a budget of connections."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

from ..errors import SqlError, TableRewritten
from ..model import Relation
from ..session import Session
from .catalog import Catalog, read_catalog
from .chunks import CHUNK_ROWS, Chunk, Key
from .comparing import NAMED, Comparison, Settle, nothing
from .tables import BLUE, GREEN, Side, Table, fix_output
from .working import Brake, Headway, Work, Worker

Connect = Callable[[Side], Session]
"""Opens a session on a side; who asks for it closes it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that is not proven equal."""

    relation: Relation
    comparison: Comparison


@dataclass(slots=True)
class Report:
    """What a run found."""

    rows: int = 0
    chunks: int = 0
    elapsed_s: float = 0.0
    found: list[Found] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Chunks that could not be compared, in words."""

    @property
    def differing_rows(self) -> int:
        """How many rows differ, at least."""
        return sum(found.comparison.differing_rows for found in self.found)

    @property
    def unsettled_rows(self) -> int:
        """How many rows were changing at every look."""
        return sum(len(found.comparison.unsettled) for found in self.found)


class MemoryQueue:
    """The pieces of work of one run, for its threads; what comes out is in ``report``."""

    def __init__(self, tables: Iterable[Table], progress: Callable[[Headway], None]) -> None:
        self.report = Report()
        self._pieces = deque(Work(0, table.relation, None) for table in tables)
        self._estimates = {table.relation: table.row_estimate for table in tables}
        self._rows: Counter[Relation] = Counter()
        self._differing: Counter[Relation] = Counter()
        self._named: defaultdict[Relation, set[Key]] = defaultdict(set)
        self._dividing = 0
        self._progress = progress
        self._lock = threading.Lock()
        self._began_at = time.monotonic()

    @contextmanager
    def take(self) -> Iterator[Work | None]:
        """The next piece, but of tables of which enough is known. One that PostgreSQL refuses is noted as a failure."""
        work = self._next()
        try:
            yield work
        except SqlError as error:
            assert work
            self._fail(work, error)
        finally:
            with self._lock:
                self._dividing -= work is not None and work.chunk is None

    def _next(self) -> Work | None:
        with self._lock:
            while self._pieces:
                work = self._pieces.popleft()
                if self._differing[work.relation] < NAMED:
                    self._dividing += work.chunk is None
                    return work
        return None

    def is_dividing(self) -> bool:
        """Whether chunks are about to come."""
        with self._lock:
            return self._dividing > 0

    def finish(self) -> None:
        """Everything was compared."""
        self.report.elapsed_s = time.monotonic() - self._began_at

    def stop(self) -> None:
        """Nothing is handed out any more."""
        with self._lock:
            self._pieces.clear()

    def divide(self, work: Work, chunks: Iterable[Chunk]) -> None:
        """Its chunks are done before other tables."""
        pieces = [Work(0, work.relation, chunk) for chunk in chunks]
        with self._lock:
            self._pieces.extendleft(reversed(pieces))

    def again(self, work: Work) -> None:
        """Whoever rewrites a table now had better compare it later."""
        self._fail(work, TableRewritten("it was rewritten meanwhile, as by VACUUM FULL: compare it again"))

    def _fail(self, work: Work, error: Exception) -> None:
        with self._lock:
            self.report.failures.append(f"{work.relation}: {error}")

    def note(self, work: Work, comparison: Comparison) -> None:
        """Into the report."""
        with self._lock:
            self.report.rows += comparison.rows
            self.report.chunks += 1
            self._rows[work.relation] += comparison.rows
            comparison = self._news(work.relation, comparison)
            if not comparison.is_equal:
                self.report.found.append(Found(work.relation, comparison))
                self._differing[work.relation] += comparison.differing_rows
            left = sum(max(0, rows - self._rows[relation]) for relation, rows in self._estimates.items())
            self._progress(Headway(self.report.rows, left, time.monotonic() - self._began_at))

    def _news(self, relation: Relation, comparison: Comparison) -> Comparison:
        """Without what another chunk has told: a row that lies in other blocks on green is in two chunks."""
        keys = {difference.key for difference in comparison.differences}
        told = keys & self._named[relation]
        self._named[relation] |= keys
        new = tuple(difference for difference in comparison.differences if difference.key not in told)
        return replace(comparison, differences=new, differing_rows=comparison.differing_rows - len(told))


@dataclass(frozen=True, slots=True)
class Run:
    """Compares tables. ``workers`` is the number of connections to each side."""

    connect: Connect
    workers: int = 2
    settle: Settle = nothing
    progress: Callable[[Headway], None] = lambda _: None
    max_rows_per_s: float = 0.0
    """All workers together; 0 for no limit."""
    with_values: bool = True
    chunk_rows: int = CHUNK_ROWS

    def __call__(self, catalog: Catalog) -> Report:
        """Returns when everything is compared. An unreachable database is an error."""
        tables = {table.relation: table for table in catalog.tables}
        queue = MemoryQueue(catalog.tables, self.progress)
        with ThreadPoolExecutor(self.workers) as pool:
            for worker in [pool.submit(self._work, queue, tables) for _ in range(self.workers)]:
                worker.result()
        queue.finish()
        return queue.report

    def _work(self, queue: MemoryQueue, tables: Mapping[Relation, Table]) -> None:
        try:
            with sessions(self.connect) as (blue, green):
                Worker(
                    blue,
                    green,
                    queue,
                    tables,
                    Brake(self.max_rows_per_s / self.workers),
                    self.settle,
                    with_values=self.with_values,
                    chunk_rows=self.chunk_rows,
                )()
        except BaseException:
            queue.stop()
            raise


def catalog_of(connect: Connect) -> Catalog:
    """The tables of both sides; what else of blue holds rows is among the notes."""
    with sessions(connect) as (blue, green):
        catalog = read_catalog(blue, green)
        others = [f"{row['schema']}.{row['name']} is {row['reason']}" for row in blue.query("uncompared_relations")]
    return replace(catalog, notes=(*catalog.notes, *others))


@contextmanager
def sessions(connect: Connect) -> Iterator[tuple[Session, Session]]:
    """A session on each side, fit for comparing."""
    with closing(connect(BLUE)) as blue, closing(connect(GREEN)) as green:
        fix_output(blue)
        fix_output(green)
        yield blue, green
