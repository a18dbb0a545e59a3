"""Before the approval: every table of every database is compared while writes go on, by any number of workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from .. import lag
from ..errors import DataDiffers, ReplicationLagging
from ..model import Cluster, Plan, Relation
from ..postgres import Databases
from ..session import Session
from . import recorder, shapes
from .catalog import Catalog, read_catalog
from .queue import Progress, Queue
from .reader import Reader
from .tables import fix_output
from .working import TOLD_EVERY_S, Brake, Headway, Worker

CHUNK_TIMEOUT_S = 200
"""How long one statement about a chunk may take; a table without a key is one chunk, however large."""


class Tell(Protocol):
    """Takes what a worker has to say while it works: words, and figures by name."""

    def __call__(self, what: str, **figures: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the comparison of all databases is."""

    databases: dict[str, Progress]

    @property
    def chunks_left(self) -> int:
        """Chunks and undivided tables."""
        return sum(progress.chunks_left for progress in self.databases.values())

    @property
    def headway(self) -> Headway:
        """All databases together; they were queued at the same time."""
        each = self.databases.values()
        return Headway(
            sum(progress.rows_done for progress in each),
            sum(progress.rows_left for progress in each),
            max(progress.elapsed_s for progress in each),
        )

    def to_state(self) -> dict[str, Any]:
        """In numbers, for the state machine."""
        return {
            "chunks_left": self.chunks_left,
            **self.headway.figures(),
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
    before = shapes.read(databases.on(plan.blue, database), databases.on(green, database))
    catalog = look(databases, plan, green, database)
    if catalog.problems:
        raise DataDiffers(f"{database}: {'; '.join(catalog.problems[:20])}.")
    Queue(databases.on(green, database)).begin(catalog.tables, before)


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


def compare(
    databases: Databases, plan: Plan, green: Cluster, worker: int, work_s: float, tell: Tell = lambda what, **_: None
) -> dict[str, float]:
    """Compares chunks until none is left or the time is over; returns what it did, in rows, chunks and seconds.

    Each worker begins with another database. ``work_s`` bounds when the last chunk is begun.
    """
    began_at = time.monotonic()
    done = {"rows": 0, "chunks": 0, "stood_back_s": 0.0}
    queues = Databases(databases.credentials, databases.tls, f"{databases.application_name} queue")
    try:
        first = worker % len(plan.databases)
        for database in plan.databases[first:] + plan.databases[:first]:
            queue = Queue(queues.on(green, database))
            compared = _counting(done, database, queue, tell)
            done["stood_back_s"] += _compare(
                databases, plan, green, database, queue, began_at + work_s, compared, partial(tell, database=database)
            )
    finally:
        queues.close()
    return done | {"rows_per_s": round(done["rows"] / max(time.monotonic() - began_at, 1e-9))}


def _compare(
    databases: Databases,
    plan: Plan,
    green: Cluster,
    database: str,
    queue: Queue,
    deadline: float,
    compared: Callable[[int], None],
    tell: Tell,
) -> float:
    """Works in one database; the seconds that it stood back."""
    tables = {table.relation: table for table in look(databases, plan, green, database).tables}
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    reader = Reader(databases, plan, database, on_blue)
    brake = Brake(
        plan.verify_rows_per_s / plan.verify_workers,
        lambda: pressure(plan, database, on_blue, reader.session()),
        deadline,
        lambda reason: tell("stands back", reason=reason),
    )
    settled = settle(databases, plan, green, database)
    tell("begins", on_reader=reader.session() is not None)
    with on_blue.patience(CHUNK_TIMEOUT_S), on_green.patience(CHUNK_TIMEOUT_S):
        Worker(on_blue, on_green, queue, tables, brake, settled, reader.session, compared, with_values=False)()
    return brake.stood_back_s


def _counting(done: dict[str, float], database: str, queue: Queue, tell: Tell) -> Callable[[int], None]:
    """What counts the rows of each chunk, and tells now and then how far the database is."""
    told_at = time.monotonic()

    def count(rows: int) -> None:
        nonlocal told_at
        done["rows"] += rows
        done["chunks"] += 1
        if time.monotonic() - told_at >= TOLD_EVERY_S:
            told_at = time.monotonic()
            tell("compares", database=database, **queue.progress().headway.figures())

    return count


def pressure(plan: Plan, database: str, on_blue: Session, on_reader: Session | None = None) -> str | None:
    """Why comparing has to wait: green falls behind, or blue, or the reader that is read from, is busy.

    Busy is a server on which more sessions of others are at work, or wait for something, than
    ``verify_max_active_sessions``; 0 stands for its max_worker_processes.
    """
    slots = on_blue.query("slot_lag", slot=plan.slot(database))
    if slots and slots[0]["lag_bytes"] > plan.max_lag_bytes:
        return f"{database}: green is {slots[0]['lag_bytes']} bytes behind, {plan.max_lag_bytes} are allowed"
    for name, session in (("blue", on_blue), ("blue's reader", on_reader)):
        if session is None:
            continue
        sessions = session.one("active_sessions")
        limit = plan.verify_max_active_sessions or sessions["usual"]
        if sessions["active"] > limit:
            return f"{name} has {sessions['active']} active sessions, {limit} are allowed"
    return None


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
