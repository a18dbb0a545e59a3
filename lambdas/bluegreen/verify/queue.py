"""What is still to be compared in one database: rows of a table on green.

Whoever works on one holds its lock. A worker that dies lets go of it, and the next one takes it up; what is done stays
done. Nothing of it travels through the state machine, so a table may have a million chunks.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..model import Relation
from ..session import Row, Session
from .chunks import Chunk, Key
from .comparing import Comparison
from .shapes import Shapes
from .tables import Table
from .working import Headway, Work

NAMED = 20
"""Of the rows that differ so many are kept by name, for each chunk."""

QUEUED_AT_ONCE = 10_000
"""Chunks that one statement puts into the queue: a large table has a million."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a database is."""

    rows_done: int
    rows_left: int
    chunks_left: int
    differing_rows: int
    differences: tuple[str, ...]
    unsettled: int
    elapsed_s: float
    """From when the queue was made until the last chunk was done, or until now."""

    @property
    def headway(self) -> Headway:
        """In rows and time."""
        return Headway(self.rows_done, self.rows_left, self.elapsed_s)


class Queue:
    """The queue of one database, by a session that nobody else uses."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._first = 0
        """Below this number was none that is free: what is done need not be passed over for each piece of work."""

    def is_there(self) -> bool:
        """Whether the queue was made."""
        return bool(self._session.one("verification_made")["is_made"])

    def drop(self) -> None:
        """Removes the queue, and with it what is known."""
        self._session.query("drop_verification")

    def begin(self, tables: Iterable[Table], shapes: Shapes) -> None:
        """Starts anew with these tables, which have these shapes: nothing that was compared before holds any more."""
        ordered = list(tables)
        with self._session.transaction(lock="bluegreen verification"):
            self._session.query("install_verification")
            self._session.query(
                "queue_tables",
                schemas=[table.relation.schema for table in ordered],
                names=[table.relation.name for table in ordered],
                row_estimates=[table.row_estimate for table in ordered],
            )
            self.keep_shapes(shapes)

    def keep_shapes(self, shapes: Shapes) -> None:
        """Notes what tables were like before they were compared."""
        texts = [[relation.schema, relation.name, *shape] for relation, shape in shapes.items()]
        self._session.query("keep_shapes", shapes=json.dumps(texts))

    def shapes(self) -> Shapes:
        """What tables were like before they were compared."""
        kept = self._session.one("kept_shapes")["shapes"]
        return {Relation(schema, name): (blue, green) for schema, name, blue, green in kept}

    @contextmanager
    def take(self) -> Iterator[Work | None]:
        """The next piece of work, which is this session's until the block ends; None when none is left that is free.

        When the block fails, nothing is noted.
        """
        with self._session.transaction():
            self._session.run("SET LOCAL idle_in_transaction_session_timeout = 0")
            rows = self._session.query("take_work", first=self._first)
            if not rows and self._first:  # one before it may be free again
                rows = self._session.query("take_work", first=0)
            self._first = rows[0]["number"] if rows else 0
            yield _work(rows[0]) if rows else None

    def is_dividing(self) -> bool:
        """Whether another worker is about to put chunks in a table's place."""
        return bool(self._session.one("undivided_tables")["any_left"])

    def divide(self, work: Work, chunks: Iterable[Chunk]) -> None:
        """Puts a table's chunks where the table was."""
        states = (chunk.to_state() for chunk in chunks)
        while batch := list(itertools.islice(states, QUEUED_AT_ONCE)):
            self._session.query("queue_chunks", number=work.number, chunks=json.dumps(batch))
        self._session.query("drop_work", number=work.number)

    def again(self, work: Work) -> None:
        """Puts the whole table in its place: its rows are in other blocks by now."""
        self._session.query("requeue_table", schema=work.relation.schema, name=work.relation.name)

    def note(self, work: Work, comparison: Comparison) -> None:
        """What came out for a chunk; rows that kept changing are left for the freeze."""
        differences = described(work.relation, comparison)
        self._session.query(
            "note_work",
            number=work.number,
            rows=comparison.rows,
            differing_rows=comparison.differing_rows,
            differences=differences,
        )
        self.leave(work.relation, comparison.unsettled)

    def leave(self, relation: Relation, keys: Iterable[Key]) -> None:
        """Notes rows of which nothing is known yet."""
        if not (texts := [list(key) for key in keys]):
            return
        self._session.query("leave_rows", schema=relation.schema, name=relation.name, keys=json.dumps(texts))

    def unsettled(self) -> dict[Relation, set[Key]]:
        """Rows of which nothing is known yet."""
        found: dict[Relation, set[Key]] = {}
        for row in self._session.query("unsettled_rows"):
            found.setdefault(Relation(row["schema"], row["name"]), set()).add(tuple(row["key"]))
        return found

    def forget_unsettled(self) -> None:
        """They were looked at again."""
        self._session.query("forget_unsettled")

    def progress(self) -> Progress:
        """How far it is."""
        row = self._session.one("verification_progress")
        return Progress(**{**row, "differences": tuple(row["differences"])})


def _work(row: Row) -> Work:
    chunk = None if row["chunk"] is None else Chunk.of(row["chunk"])
    return Work(row["number"], Relation(row["schema"], row["name"]), chunk)


def described(relation: Relation, comparison: Comparison) -> list[str]:
    """The first rows that differ, by table, key and column."""
    rows = [f"{relation} ({', '.join(each.key)}): {each.column}" for each in comparison.differences[:NAMED]]
    return rows or [f"{relation} is on one side only"] * bool(comparison.differing_rows)
