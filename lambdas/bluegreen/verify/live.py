"""Before the approval: every table of every database is compared while writes go on, by any number of workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import lag
from ..errors import DataDiffers, ReplicationLagging
from ..model import Cluster, Plan, Relation
from ..postgres import Databases, Session
from . import recorder
from .catalog import Catalog, read_catalog
from .comparing import TableRewritten, compare_chunk
from .planning import plan_chunks
from .queue import Progress, Queue
from .tables import Table, fix_output

CHUNK_TIMEOUT_S = 200
"""How long one statement about a chunk may take; a table without a key is one chunk, however large."""

PAUSE_S = 1.0
"""How long a worker stands back when green falls behind, before it looks again."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the comparison of all databases is."""

    databases: dict[str, Progress]

    @property
    def chunks_left(self) -> int:
        """Chunks and undivided tables."""
        return sum(progress.chunks_left for progress in self.databases.values())

    def to_state(self) -> dict[str, Any]:
        """In numbers, for the state machine."""
        return {
            "chunks_left": self.chunks_left,
            "rows_left": sum(progress.rows_left for progress in self.databases.values()),
            "rows": {database: progress.rows_done for database, progress in self.databases.items()},
        }


@contextmanager
def alone(databases: Databases, plan: Plan, green: Cluster) -> Iterator[None]:
    """One at a time: a second attempt that begins while the first goes on waits, or raises ``DatabaseUnavailable``."""
    locks = Databases(databases.credentials, databases.tls, f"{databases.application_name} lock")
    try:
        session = locks.on(green, plan.home)
        with session.transaction(lock=f"{plan.sql_name} verification"):
            session.run("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
    finally:
        locks.close()


def start(databases: Databases, plan: Plan, green: Cluster) -> None:
    """Makes recorders and queues, unless they stand: then what was compared before still holds.

    The queues come last, and go first: what was compared holds only for as long as the recorders have been there. Two
    attempts at once would make a recorder that is younger than the comparison.
    """
    with alone(databases, plan, green):
        _start(databases, plan, green)


def _start(databases: Databases, plan: Plan, green: Cluster) -> None:
    def is_ready(database: str) -> bool:
        return recorder.stands(databases, plan, green, database) and Queue(databases.on(green, database)).is_there()

    if all(databases.each(plan.databases, is_ready).values()):
        return
    databases.each(plan.databases, lambda database: Queue(databases.on(green, database)).drop())
    recorder.start(databases, plan, green)
    databases.each(plan.databases, lambda database: _queue_tables(databases, plan, green, database))


def _queue_tables(databases: Databases, plan: Plan, green: Cluster, database: str) -> None:
    catalog = look(databases, plan, green, database)
    if catalog.problems:
        raise DataDiffers(f"{database}: {'; '.join(catalog.problems[:20])}.")
    Queue(databases.on(green, database)).begin(table.relation for table in catalog.tables)


def look(
    databases: Databases, plan: Plan, green: Cluster, database: str, relations: Sequence[Relation] | None = None
) -> Catalog:
    """The tables of a database, or some of them, in sessions that are fit for comparing them."""
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    for session in (on_blue, on_green):
        fix_output(session)
    return read_catalog(on_blue, on_green, relations, by_partition=True)


def settle(databases: Databases, plan: Plan, green: Cluster, database: str) -> Callable[[], None]:
    """What waits until green has all that blue committed. Raises ``ReplicationLagging`` when that takes too long."""

    def wait() -> None:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        if lag.sentinel_round_trip_s(on_blue, on_green, plan.release_id) is None:
            raise ReplicationLagging(f"{database}: no row arrives on green, so nothing can be compared.")

    return wait


def compare(databases: Databases, plan: Plan, green: Cluster, worker: int, work_s: float) -> dict[str, int]:
    """Compares chunks until none is left or the time is over; returns what it did, in rows and chunks.

    Each worker begins with another database. ``work_s`` bounds when the last chunk is begun.
    """
    deadline = time.monotonic() + work_s
    done = {"rows": 0, "chunks": 0}
    queues = Databases(databases.credentials, databases.tls, f"{databases.application_name} queue")
    try:
        first = worker % len(plan.databases)
        for database in plan.databases[first:] + plan.databases[:first]:
            queue = Queue(queues.on(green, database))
            tables = {table.relation: table for table in look(databases, plan, green, database).tables}
            on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
            with on_blue.patience(CHUNK_TIMEOUT_S), on_green.patience(CHUNK_TIMEOUT_S):
                while (
                    time.monotonic() < deadline and (rows := _one(databases, plan, green, database, queue, tables)) >= 0
                ):
                    done["rows"] += rows
                    done["chunks"] += 1
                    _stand_back(on_blue, plan, plan.slot(database), deadline)
    finally:
        queues.close()
    return done


def _one(
    databases: Databases, plan: Plan, green: Cluster, database: str, queue: Queue, tables: dict[Relation, Table]
) -> int:
    """Does one piece of work; the rows that were compared, or -1 when there was none left."""
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    with queue.take() as work:
        if work is None:
            return -1
        table = tables.get(work.relation)
        if table is None:
            raise DataDiffers(f"{database}: {work.relation} was dropped while it was to be compared.")
        if work.chunk is None:
            queue.divide(work, plan_chunks(on_blue, on_green, table))
            return 0
        settled = settle(databases, plan, green, database)
        try:
            comparison = compare_chunk(on_blue, on_green, table, work.chunk, settled, with_values=False)
        except TableRewritten:
            queue.again(work)
            return 0
        queue.note(work, comparison)
        return comparison.rows


def _stand_back(on_blue: Session, plan: Plan, slot: str, deadline: float) -> None:
    """Lets green catch up: comparing must not be what makes it fall behind."""
    while time.monotonic() < deadline:
        slots = on_blue.query("slot_lag", slot=slot)
        if not slots or slots[0]["lag_bytes"] <= plan.max_lag_bytes:
            return
        time.sleep(PAUSE_S)


def progress(databases: Databases, plan: Plan, green: Cluster) -> Verification:
    """How far it is. Raises ``DataDiffers`` naming rows and columns, never values, once a difference is found."""
    found = databases.each(plan.databases, lambda database: Queue(databases.on(green, database)).progress())
    require_equal({database: (each.differing_rows, each.differences) for database, each in found.items()})
    return Verification(found)


def require_equal(found: dict[str, tuple[int, tuple[str, ...]]]) -> None:
    """Raises ``DataDiffers`` when a database has rows that differ."""
    texts = [
        f"{database}: {count} rows differ, such as {'; '.join(names)}"
        for database, (count, names) in found.items()
        if count
    ]
    if texts:
        raise DataDiffers(f"Green does not hold what blue holds. {'. '.join(texts)}.")
