"""A table as ranges of its key, found without reading all of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from ..quoting import identifier
from ..session import Session
from .row_hash import ALIAS, text_of
from .tables import BLUE, Column, Side, Table

CHUNK_ROWS = 100_000
CHUNK_BYTES = 256 * 2**20
"""Rows may be wide, and a chunk is one statement."""

SAMPLED_PAGES = 30
"""Of each chunk, when the table has to be sampled: the sizes of chunks then are within some 20 % of each other."""

SAMPLED_ROWS = 60

MIN_DENSITY = 0.2
"""From how many rows per value on the ranges of an integer key are computed instead of sampled: they hold at most as
many rows as values."""

Key = tuple[str, ...]
"""The text of a key's columns."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows of a table from one key, included, to another, excluded; None is the end of the table.

    Or the rows in some blocks on either side, from one to another: most are in the same place on a clone.
    """

    lower: Key | None = None
    upper: Key | None = None
    row_estimate: int = 0
    blocks: tuple[int, int | None] | None = None
    files: tuple[int, int] | None = None
    """Which file the blocks are of, on blue and on green: VACUUM FULL and the like begin a new one."""

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """A chunk as JSON has it.

        >>> Chunk.of({"lower": ["1"], "upper": None, "row_estimate": 5})
        Chunk(lower=('1',), upper=None, row_estimate=5, blocks=None, files=None)
        """
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state.items()}
        return cls(**fields)

    def to_state(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def condition(self, table: Table, side: Side) -> tuple[str, dict[str, str]]:
        """SQL that is true of the chunk's rows, and its parameters."""
        conditions = ["true"]
        parameters: dict[str, str] = {}
        if self.blocks:
            for end, block in zip((">=", "<"), self.blocks, strict=True):
                if block is not None:
                    conditions.append(f"{ALIAS}.ctid {end} :block{block}::tid")
                    parameters[f"block{block}"] = f"({block},0)"
        for end, operator in (("lower", ">="), ("upper", "<")):
            if (key := getattr(self, end)) is not None:
                conditions.append(_bound(table, side, end, operator))
                parameters |= {f"{end}{place}": value for place, value in enumerate(key)}
        return " AND ".join(conditions), parameters


def _bound(table: Table, side: Side, end: str, operator: str) -> str:
    columns = [f"{ALIAS}.{identifier(column.name)}" for column in table.key_columns]
    values = [f":{end}{place}::{column.types[side]}" for place, column in enumerate(table.key_columns)]
    if len(columns) > 1 and all(schema == "pg_catalog" for schema in table.operators):
        return f"({', '.join(columns)}) {operator} ({', '.join(values)})"
    # the same written out, since a row comparison finds operators by the search path only
    written = ""
    for column, value, schema in reversed(list(zip(columns, values, table.operators, strict=True))):
        outer, equal = operator[0], f"OPERATOR({identifier(schema)}.=)"
        if not written:
            written = f"{column} OPERATOR({identifier(schema)}.{operator}) {value}"
        else:
            written = (
                f"({column} OPERATOR({identifier(schema)}.{outer}=) {value}"
                f" AND ({column} OPERATOR({identifier(schema)}.{outer}) {value}"
                f" OR {column} {equal} {value} AND {written}))"
            )
    return written


def count_chunks(table: Table, chunk_rows: int = CHUNK_ROWS, chunk_bytes: int = CHUNK_BYTES) -> int:
    """How many chunks a table has."""
    return math.ceil(max(table.row_estimate / chunk_rows, table.bytes / chunk_bytes, 1)) if table.key else 1


def key_ranges(blue: Session, table: Table, count: int) -> Iterator[Chunk]:
    """The chunks of a table in the order of its key; together they hold every row, also those that are yet to come."""
    each = table.row_estimate // count
    lower: Key | None = None
    for boundary in _boundaries(blue, table, count) if count > 1 else ():
        yield Chunk(lower, boundary, each)
        lower = boundary
    yield Chunk(lower, None, each)


def _boundaries(session: Session, table: Table, count: int) -> Iterator[Key]:
    if len(table.key) == 1 and table.key_columns[0].native in ("int2", "int4", "int8"):
        name = identifier(table.key[0])
        (ends,) = session.run(f"SELECT min({name}) AS low, max({name}) AS high FROM {table.source(BLUE)}")  # noqa: S608
        low, high = ends["low"], ends["high"]
        if low is None:
            return
        values = high - low + 1
        if table.row_estimate >= MIN_DENSITY * values:
            for number in range(1, min(count, values)):
                yield (str(low + values * number // count),)
            return
    yield from _sampled(session, table, count)


def _sampled(session: Session, table: Table, count: int) -> Iterator[Key]:
    """Boundaries between rows of some pages, taken at random."""
    share = min(1.0, count * SAMPLED_PAGES / pages_of(session, table))
    kept = min(1.0, count * SAMPLED_ROWS / max(1.0, table.row_estimate * share))
    columns = table.key_columns
    order = ", ".join(
        f"{ALIAS}.{identifier(column.name)} USING OPERATOR({identifier(schema)}.<)"
        for column, schema in zip(columns, table.operators, strict=True)
    )
    rows = session.run(
        f"SELECT key FROM (SELECT {key_text(columns, BLUE)} AS key, row_number() OVER (ORDER BY {order}) AS place,"  # noqa: S608
        f" count(*) OVER () AS total FROM {_sampled_source(table)} WHERE random() <= :kept) sample"
        " WHERE place * :count / total <> (place - 1) * :count / total AND place > 1 ORDER BY place",
        percent=100 * share,
        kept=kept,
        count=count,
    )
    yield from (tuple(row["key"]) for row in rows)


def pages_of(session: Session, table: Table) -> int:
    """How many blocks a table has, its partitions together; one at least."""
    (size,) = session.run(
        "SELECT sum(pg_relation_size(relid)) / current_setting('block_size')::int AS pages FROM"
        " (SELECT :name::regclass AS relid UNION SELECT relid FROM pg_partition_tree(:name::regclass)) tree",
        name=table.sql_name,
    )
    return max(1, int(size["pages"]))


def _sampled_source(table: Table) -> str:
    return f"{table.source(BLUE)} TABLESAMPLE SYSTEM (:percent)"


def key_text(columns: tuple[Column, ...], side: Side) -> str:
    """SQL for an array of the texts of a key's columns."""
    return f"ARRAY[{', '.join(text_of(column, side) for column in columns)}]"
