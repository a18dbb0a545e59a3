"""Every table of every database, in parallel within a budget of connections, and stopping when it must."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ..errors import SqlError
from ..model import Relation
from ..postgres import Session
from .catalog import Catalog, read_catalog
from .chunks import CHUNK_ROWS, Chunk
from .comparing import NAMED, Comparison, TableRewritten, compare_chunk, nothing
from .planning import plan_chunks
from .tables import BLUE, GREEN, Side, Table, fix_output

Connect = Callable[[Side, str], Session]
"""Opens a session on a side's database; who asks for it closes it."""


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk to compare."""

    database: str
    table: Table
    chunk: Chunk


class Store(Protocol):
    """Keeps what is to do and what is done; called by many threads. One that outlives the run makes it restartable."""

    def claim(self) -> Task | None:
        """A task that nobody has claimed; None when there are no more."""

    def done(self, task: Task, comparison: Comparison) -> None:
        """Notes the result of a task."""


class MemoryStore:
    """Tasks from an iterator, which plans them only as they are claimed."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()

    def claim(self) -> Task | None:
        """The next one."""
        with self._lock:
            return next(self._tasks, None)

    def done(self, task: Task, comparison: Comparison) -> None:
        """Nothing is kept: the report has it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    rows: int
    row_estimate: int
    chunks: int
    elapsed_s: float

    @property
    def rows_per_s(self) -> float:
        """The rate so far."""
        return self.rows / max(self.elapsed_s, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Seconds that are left at this rate.

        >>> Progress(rows=100, row_estimate=300, chunks=1, elapsed_s=2.0).left_s
        4.0
        """
        return max(0.0, (self.row_estimate - self.rows) / self.rows_per_s) if self.rows else None


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that is not proven equal."""

    database: str
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
    stopped: str | None = None
    """Why the run ended before everything was compared."""

    @property
    def differing_rows(self) -> int:
        """How many rows differ, at least."""
        return sum(found.comparison.differing_rows for found in self.found)

    @property
    def unsettled_rows(self) -> int:
        """How many rows were changing at every look."""
        return sum(len(found.comparison.unsettled) for found in self.found)


def read_catalogs(connect: Connect, databases: Sequence[str]) -> dict[str, Catalog]:
    """The tables of each database."""
    catalogs = {}
    for database in databases:
        with sessions(connect, database) as (blue, green):
            catalogs[database] = read_catalog(blue, green)
    return catalogs


def plan(connect: Connect, catalogs: Mapping[str, Catalog], chunk_rows: int = CHUNK_ROWS) -> Iterator[Task]:
    """All chunks, each made only when it is asked for; one more session on each side is open meanwhile."""
    for database, catalog in catalogs.items():
        with sessions(connect, database) as (blue, green):
            for table in catalog.tables:
                for chunk in plan_chunks(blue, green, table, chunk_rows):
                    yield Task(database, table, chunk)


@contextmanager
def sessions(connect: Connect, database: str) -> Iterator[tuple[Session, Session]]:
    """A session on each side, fit for comparing."""
    with closing(connect(BLUE, database)) as blue, closing(connect(GREEN, database)) as green:
        fix_output(blue)
        fix_output(green)
        yield blue, green


@dataclass(slots=True)
class Run:
    """Compares what a store has to give. ``workers`` is the number of connections to each side.

    ``pressure`` is asked before each chunk; when it gives a reason, the run stops. ``settle`` takes a database's name.
    """

    connect: Connect
    store: Store
    workers: int = 2
    settle: Callable[[str], None] | None = None
    progress: Callable[[Progress], None] = lambda _: None
    pressure: Callable[[], str | None] = lambda: None
    max_rows_per_s: float | None = None
    row_estimate: int = 0
    with_values: bool = True
    report: Report = field(default_factory=Report)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began_at: float = 0.0
    _free_at: float = 0.0
    _differing: Counter[tuple[str, Relation]] = field(default_factory=Counter)

    def __call__(self) -> Report:
        """Returns when everything is compared, or the run was stopped. An unreachable database is an error."""
        self._began_at = self._free_at = time.monotonic()
        with ThreadPoolExecutor(self.workers) as pool:
            for worker in [pool.submit(self._work) for _ in range(self.workers)]:
                worker.result()
        self.report.elapsed_s = time.monotonic() - self._began_at
        return self.report

    def _work(self) -> None:
        try:
            task = self._next()
            while task:
                database = task.database
                with sessions(self.connect, database) as (blue, green):
                    while task and task.database == database:
                        self._compare(blue, green, task)
                        task = self._next()
        except BaseException as error:
            self._stop(str(error))
            raise

    def _next(self) -> Task | None:
        if self.report.stopped:
            return None
        if reason := self.pressure():
            self._stop(reason)
            return None
        while (task := self.store.claim()) and self._differing[task.database, task.table.relation] >= NAMED:
            pass  # enough is known about this table
        if task:
            self._pace(task.chunk.row_estimate)
        return task

    def _stop(self, reason: str) -> None:
        self.report.stopped = self.report.stopped or reason

    def _pace(self, rows: int) -> None:
        if not self.max_rows_per_s:
            return
        with self._lock:
            begins_at = max(self._free_at, time.monotonic())
            self._free_at = begins_at + rows / self.max_rows_per_s
        time.sleep(max(0.0, begins_at - time.monotonic()))

    def _compare(self, blue: Session, green: Session, task: Task) -> None:
        settle = partial(self.settle, task.database) if self.settle else nothing
        try:
            comparison = compare_chunk(blue, green, task.table, task.chunk, settle, with_values=self.with_values)
        except (SqlError, TableRewritten) as error:
            with self._lock:
                self.report.failures.append(f"{task.database}: {task.table.relation}: {error}")
            return
        self.store.done(task, comparison)
        with self._lock:
            self.report.rows += comparison.rows
            self.report.chunks += 1
            if not comparison.is_equal:
                self.report.found.append(Found(task.database, task.table.relation, comparison))
                self._differing[task.database, task.table.relation] += comparison.differing_rows
            elapsed_s = time.monotonic() - self._began_at
            self.progress(Progress(self.report.rows, self.row_estimate, self.report.chunks, elapsed_s))
