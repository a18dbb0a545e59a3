"""How a table is cut: by blocks where both sides keep their rows in the same places, else by its key."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..session import Session
from . import reading
from .chunks import CHUNK_BYTES, CHUNK_ROWS, Chunk, count_chunks, key_ranges, pages_of
from .comparing import at_once
from .tables import Side, Table

PROBES = 8
PROBED_BLOCKS = 16
MOVED_PROBES = 1
"""So many of the probes may differ: the newest rows of a table are often the busy ones."""


def plan_chunks(
    blue: Session, green: Session, table: Table, chunk_rows: int = CHUNK_ROWS, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """The chunks of a table; together they hold every row of either side, also those that are yet to come.

    Green begins as a clone, so a row that nobody has changed since is in the same block on both sides. Blocks are read
    one after another, which takes a quarter less time than going by an index, and does not read a block for each row
    when the key is random. A row that has moved makes its chunks differ, and is found by its key then.
    """
    count = count_chunks(table, chunk_rows, chunk_bytes)
    if count > 1 and not any(table.is_partitioned):
        pages = pages_of(blue, table)
        files = at_once(blue, green, lambda session, _: reading.file_of(session, table))
        if _are_in_the_same_places(blue, green, table, pages):
            yield from _block_ranges(table, pages, count, files)
            return
    yield from key_ranges(blue, table, count)


def _are_in_the_same_places(blue: Session, green: Session, table: Table, pages: int) -> bool:
    moved = 0
    length = max(1, min(PROBED_BLOCKS, pages // PROBES // 8))
    for first in range(0, pages, math.ceil(pages / PROBES)):
        probe = Chunk(blocks=(first, first + length))

        def total(session: Session, side: Side, probe: Chunk = probe) -> reading.Print:
            return reading.total(session, table, side, probe)

        on_blue, on_green = at_once(blue, green, total)
        moved += on_blue != on_green
        if moved > MOVED_PROBES:
            return False
    return True


def _block_ranges(table: Table, pages: int, count: int, files: tuple[int, int]) -> Iterator[Chunk]:
    """The last one is open: green may have more blocks, and either side may grow.

    >>> from ..model import Relation
    >>> table = Table(Relation("public", "t"), (), ("id",), ("pg_catalog",), (False, False), 100, 80000)
    >>> [chunk.blocks for chunk in _block_ranges(table, 10, 3, (1, 1))]
    [(0, 4), (4, 8), (8, None)]
    """
    size = math.ceil(pages / count)
    for first in range(0, pages, size):
        end = first + size if first + size < pages else None
        yield Chunk(row_estimate=table.row_estimate * size // pages, blocks=(first, end), files=files)
