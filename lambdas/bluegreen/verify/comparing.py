"""One chunk, or given keys, on both sides, while both may change."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import BlueGreenError
from ..model import Relation
from ..session import Session
from . import reading
from .chunks import Chunk, Key
from .reading import Keyed, Print
from .tables import BLUE, GREEN, Side, Table

T = TypeVar("T")

Settle = Callable[[], None]
"""Returns when green has replayed all that blue had committed when it was called."""

LOOKS = 5
"""How often a key is read on both sides before it counts as unsettled."""

NAMED = 100
"""How many rows of a chunk are named with what differs in them. When more than these differ, nobody reads on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column in which a row differs; ``*`` when one side has no such row, or has it another number of times.

    The values are shortened; None is NULL, or a value that was asked to be left out.
    """

    key: Key
    column: str
    blue: str | None
    green: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out for a chunk or for given keys."""

    rows: int
    """Rows that were compared, as blue has them."""
    differences: tuple[Difference, ...] = ()
    differing_rows: int = 0
    """At least so many: when ``NAMED`` are found, the rest is not looked at any more."""
    unsettled: tuple[Key, ...] = ()
    """Keys of rows that were changing at every look, so nothing is known about them."""

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.rows + other.rows,
            self.differences + other.differences,
            self.differing_rows + other.differing_rows,
            self.unsettled + other.unsettled,
        )

    @property
    def is_equal(self) -> bool:
        """Whether all rows are proven equal."""
        return not self.differing_rows and not self.unsettled


def at_once(blue: Session, green: Session, work: Callable[[Session, Side], T]) -> tuple[T, T]:
    """Does the same on both sides, side by side."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(work, green, GREEN)
        return work(blue, BLUE), other.result()


def nothing() -> None:
    """Settles databases that stand still."""


def compare_chunk(
    blue: Session,
    green: Session,
    table: Table,
    chunk: Chunk,
    settle: Settle = nothing,
    *,
    with_values: bool = True,
    reader: Session | None = None,
) -> Comparison:
    """Compares the rows of a chunk. Raises ``TableRewritten`` when its blocks are no more what they were.

    Its sums are compared first, and once more after settling. Then the rows whose hashes differ are found, and looked
    at again by their keys: sides that are read at different moments, or sort text in different ways, differ in a chunk
    without differing in a row. A row that blue changes meanwhile may be passed over: what has changed since the
    comparison began has to be compared once more, by its keys.

    ``reader`` is a session on a reader instance of blue, which may be behind. It is good for finding a chunk equal, as
    a look that was taken earlier; whatever is not equal there is looked at on blue itself.
    """

    def total(session: Session, side: Side) -> Print:
        return reading.total(session, table, side, chunk)

    if reader:
        with suppress(BlueGreenError):  # a reader ends what is in the way of its replay; blue does not
            on_blue, on_green = at_once(reader, green, total)
            if on_blue == on_green:
                return Comparison(on_blue[0])
    on_blue, on_green = at_once(blue, green, total)
    if on_blue != on_green and settle is not nothing:
        settle()
        on_blue, on_green = at_once(blue, green, total)
    if on_blue == on_green:
        return Comparison(on_blue[0])
    rows = on_blue[0]
    parts = None
    if rows > reading.FEW_ROWS:
        sums = at_once(blue, green, lambda session, side: reading.buckets(session, table, side, chunk))
        parts = sorted(_different(*sums))
    found = at_once(blue, green, lambda session, side: reading.rows_of(session, table, side, chunk, parts))
    if chunk.files and chunk.files != at_once(blue, green, lambda session, _: reading.file_of(session, table)):
        raise reading.rewritten(table)  # between the sums and the rows
    return _judge(blue, green, table, chunk, sorted(_different(*found)), rows, settle, with_values)


def compare_keys(
    blue: Session,
    green: Session,
    wanted: Iterable[Keyed],
    settle: Settle = nothing,
    *,
    with_values: bool = True,
) -> dict[Relation, Comparison]:
    """Compares rows of some tables by their keys, which may be absent."""
    found: dict[Relation, Comparison] = {}
    for batch in _batches(wanted):

        def totals(session: Session, side: Side, batch: Sequence[Keyed] = batch) -> list[Print]:
            return reading.totals_by_key(session, side, batch)

        if settle is nothing:
            on_blue, on_green = at_once(blue, green, totals)
        else:
            on_blue = totals(blue, BLUE)
            settle()
            on_green = totals(green, GREEN)
        for (table, keys), left, right in zip(batch, on_blue, on_green, strict=True):
            compared = Comparison(left[0])
            if left != right:
                compared = _judge(blue, green, table, Chunk(), keys, left[0], settle, with_values)
            found[table.relation] = found.get(table.relation, Comparison(0)) + compared
    return found


def _batches(wanted: Iterable[Keyed]) -> Iterator[list[Keyed]]:
    """The same, in parts that one statement each can do."""
    batch: list[Keyed] = []
    room = reading.SUMMED_KEYS
    for table, all_keys in wanted:
        keys = list(dict.fromkeys(all_keys))
        for start in range(0, max(1, len(keys)), reading.SUMMED_KEYS):
            part = keys[start : start + reading.SUMMED_KEYS]
            if batch and (len(part) > room or len(batch) == reading.SUMMED_TABLES):
                yield batch
                batch, room = [], reading.SUMMED_KEYS
            batch.append((table, part))
            room -= len(part)
    if batch:
        yield batch


def _judge(
    blue: Session,
    green: Session,
    table: Table,
    chunk: Chunk,
    keys: Sequence[Key],
    rows: int,
    settle: Settle,
    with_values: bool,
) -> Comparison:
    """Looks at keys again and again until each is in step, or differs while neither side changes it.

    A key is in step when a look at green finds what an earlier look at blue found.
    """
    differing: list[Key] = []
    unsettled: list[Key] = []
    for start in range(0, len(keys), reading.KEYS):
        batch = keys[start : start + reading.KEYS]
        different, unsettled_here = _look(blue, green, table, chunk, batch, settle)
        differing += different
        unsettled += unsettled_here
        if len(differing) >= NAMED:
            break
    named = differing[:NAMED]
    on_blue, on_green = at_once(blue, green, lambda session, side: reading.details(session, table, side, chunk, named))
    differences: dict[Key, list[Difference]] = {}
    for key in named:
        left, right = on_blue.get(key, reading.ABSENT), on_green.get(key, reading.ABSENT)
        if found_here := _differences(table, key, left, right, with_values=with_values):
            differences[found_here[0].key] = found_here  # 1.5 and 1.50 are keys of one row
        else:
            unsettled.append(key)  # it changed just now
    return Comparison(
        rows,
        tuple(itertools.chain.from_iterable(differences.values())),
        len(differing) - len(named) + len(differences),
        tuple(unsettled),
    )


def _look(
    blue: Session, green: Session, table: Table, chunk: Chunk, keys: Sequence[Key], settle: Settle
) -> tuple[list[Key], list[Key]]:
    """The keys that differ, and those that stayed unsettled."""
    seen: dict[Key, set[Print | None]] = {key: set() for key in keys}
    before: dict[Key, tuple[Print | None, Print | None]] = {}
    differing: list[Key] = []
    left = list(keys)
    for _ in range(LOOKS):
        on_blue = reading.rows_by_key(blue, table, BLUE, chunk, left)
        settle()
        on_green = reading.rows_by_key(green, table, GREEN, chunk, left)
        still: list[Key] = []
        for key in left:
            pair = on_blue.get(key), on_green.get(key)
            seen[key].add(pair[0])
            if pair[1] in seen[key]:
                continue
            (differing if before.get(key) == pair else still).append(key)
            before[key] = pair
        if not (left := still):
            break
    return differing, left


def _different(blue: Mapping[Any, T], green: Mapping[Any, T]) -> set[Any]:
    return {key for key in blue.keys() | green.keys() if blue.get(key) != green.get(key)}


def _differences(
    table: Table, key: Key, blue: reading.Details, green: reading.Details, *, with_values: bool
) -> list[Difference]:
    name = blue.name or green.name if table.key or with_values else key
    if blue.count != green.count:
        return [Difference(name, "*", _rows(blue.count), _rows(green.count))]
    return [
        Difference(name, column.name, *((left, right) if with_values else (None, None)))
        for column, hash_on_blue, hash_on_green, left, right in zip(
            table.columns, blue.hashes, green.hashes, blue.texts, green.texts, strict=True
        )
        if hash_on_blue != hash_on_green
    ]


def _rows(count: int) -> str:
    return {0: "no row", 1: "one row"}.get(count, f"{count} rows")
