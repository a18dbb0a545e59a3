"""What is read of a table for comparing it. All statements that touch the application's rows are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..postgres import Session
from ..quoting import identifier
from .chunks import Chunk, Key, key_text
from .row_hash import ALIAS, columns_hash, row_hash, text_of
from .tables import Side, Table

KEYS = 5000
"""How many keys one statement looks up."""

BUCKETS = 256
"""Into how many parts a chunk that differs is divided, to find where."""

SHOWN = 60
"""Characters of a value that are shown."""

Print = tuple[int, str]
"""A number of rows and the sum of their hashes: the fingerprint of a chunk, or of the rows of one key."""


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one key: how many rows it has, the hash and the shortened text of each column."""

    count: int
    hashes: tuple[int, ...]
    texts: tuple[str | None, ...]
    row: str = ""


ABSENT = Details(0, (), ())


def total(session: Session, table: Table, side: Side, chunk: Chunk) -> Print:
    """The fingerprint of a chunk."""
    (row,) = _select(session, f"count(*) AS count, sum({row_hash(table, side)})::text AS sum", table, side, chunk)
    return row["count"], row["sum"] or "0"


def buckets(session: Session, table: Table, side: Side, chunk: Chunk) -> dict[int, Print]:
    """The fingerprint of each part of a chunk; a row's part is decided by the hash of its key."""
    what = f"{_bucket(table, side)} AS bucket, count(*) AS count, sum({row_hash(table, side)})::text AS sum"
    rows = _select(session, what, table, side, chunk, rest="GROUP BY 1")
    return {row["bucket"]: (row["count"], row["sum"]) for row in rows}


def rows_of(session: Session, table: Table, side: Side, chunk: Chunk, parts: Sequence[int]) -> dict[Key, Print]:
    """The rows in some parts of a chunk by their keys; without a key, by their hashes."""
    chosen = f"{_bucket(table, side)} = ANY (:parts::int[])"
    return _by_key(session, table, side, chunk, f"AND {chosen}", parts=list(parts))


def rows_by_key(session: Session, table: Table, side: Side, chunk: Chunk, keys: Sequence[Key]) -> dict[Key, Print]:
    """The rows with some keys, by these; those without rows are left out."""
    if not table.key:
        hashes = [int(key[0]) for key in keys]
        return _by_key(
            session, table, side, chunk, f"AND {row_hash(table, side)} = ANY (:hashes::int8[])", hashes=hashes
        )
    what = f"q.n, count(*) AS count, sum({row_hash(table, side)})::text AS sum"
    rows = _lookup(session, what, table, side, keys, rest="GROUP BY q.n")
    return {keys[row["n"] - 1]: (row["count"], row["sum"]) for row in rows}


def details(session: Session, table: Table, side: Side, chunk: Chunk, keys: Sequence[Key]) -> dict[Key, Details]:
    """The columns of the rows with some keys."""
    if not keys:
        return {}
    if not table.key:
        return _details_by_hash(session, table, side, chunk, keys)
    hashes = ", ".join(columns_hash([column], side) for column in table.columns)
    texts = ", ".join(_shown(text_of(column, side)) for column in table.columns)
    what = f"q.n, count(*) OVER (PARTITION BY q.n) AS count, ARRAY[{hashes}] AS hashes, ARRAY[{texts}] AS texts"
    rows = _lookup(session, what, table, side, keys)
    return {keys[row["n"] - 1]: Details(row["count"], tuple(row["hashes"]), tuple(row["texts"])) for row in rows}


def _details_by_hash(
    session: Session, table: Table, side: Side, chunk: Chunk, keys: Sequence[Key]
) -> dict[Key, Details]:
    hashed = row_hash(table, side)
    texts = ", ".join(_shown(text_of(column, side)) for column in table.columns)
    rows = _select(
        session,
        f"{hashed} AS hash, count(*) AS count, min(array_to_string(ARRAY[{texts}]::text[], ', ', 'NULL')) AS row",
        table,
        side,
        chunk,
        rest=f"AND {hashed} = ANY (:hashes::int8[]) GROUP BY 1",
        hashes=[int(key[0]) for key in keys],
    )
    return {(str(row["hash"]),): Details(row["count"], (), (), row["row"]) for row in rows}


def _by_key(session: Session, table: Table, side: Side, chunk: Chunk, rest: str, **parameters: Any) -> dict[Key, Print]:
    hashed = row_hash(table, side)
    key = key_text(table.key_columns, side) if table.key else f"ARRAY[({hashed})::text]"
    what = f"{key} AS key, count(*) AS count, sum({hashed})::text AS sum"
    rows = _select(session, what, table, side, chunk, rest=f"{rest} GROUP BY 1", **parameters)
    return {tuple(row["key"]): (row["count"], row["sum"]) for row in rows}


def _bucket(table: Table, side: Side) -> str:
    hashed = columns_hash(table.key_columns, side, seed=1) if table.key else row_hash(table, side)
    return f"(({hashed}) & {BUCKETS - 1})::int"


def _shown(text: str) -> str:
    return (
        f"CASE WHEN length({text}) > {SHOWN}"
        f" THEN left({text}, {SHOWN}) || '… (' || length({text}) || ' characters)' ELSE {text} END"
    )


def _select(
    session: Session, what: str, table: Table, side: Side, chunk: Chunk, rest: str = "", **parameters: Any
) -> list[dict[str, Any]]:
    condition, bounds = chunk.condition(table, side)
    sql = f"SELECT {what} FROM {table.source(side)} WHERE {condition} {rest}"  # noqa: S608
    return session.run(sql, **bounds, **parameters)


def _lookup(
    session: Session, what: str, table: Table, side: Side, keys: Iterable[Key], rest: str = ""
) -> list[dict[str, Any]]:
    columns = table.key_columns
    arrays = {f"k{place}": list(values) for place, values in enumerate(zip(*keys, strict=True))}
    names = ", ".join(f"k{place}" for place in range(len(columns)))
    given = ", ".join(f":k{place}::text[]" for place in range(len(columns)))
    matches = " AND ".join(
        f"{ALIAS}.{identifier(column.name)} OPERATOR({identifier(schema)}.=) q.k{place}::{column.types[side]}"
        for place, (column, schema) in enumerate(zip(columns, table.operators, strict=True))
    )
    sql = (
        f"SELECT {what} FROM unnest({given}) WITH ORDINALITY AS q ({names}, n)"  # noqa: S608
        f" JOIN {table.source(side)} ON {matches} {rest}"
    )
    return session.run(sql, **arrays)
