"""What is read of a table for comparing it. All statements that touch the application's rows are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TableRewritten
from ..quoting import identifier
from ..session import Session
from .chunks import Chunk, Key, key_text
from .row_hash import ALIAS, columns_hash, row_hash, text_of
from .tables import Side, Table

KEYS = 5000
"""How many keys one statement looks up, to find what differs."""

SUMMED_KEYS = 50_000
SUMMED_TABLES = 100
"""How many keys one statement looks up for their rows' sum, and in how many tables."""

BUCKETS = 256
"""Into how many parts a chunk that differs is divided, to find where."""

FEW_ROWS = 2000
"""So few are read one by one at once."""

SHOWN = 60
"""Characters of a value that are shown."""

Print = tuple[int, str]
"""A number of rows and the sum of their hashes: the fingerprint of a chunk, or of the rows of one key."""

Keyed = tuple[Table, Sequence[Key]]
"""A table that has a key, and keys of rows that it may have."""


@dataclass(frozen=True, slots=True)
class Details:
    """Everything about one key: what names its rows, how many these are, the hash and shortened text of each column."""

    name: Key
    count: int
    hashes: tuple[int, ...] = ()
    texts: tuple[str | None, ...] = ()


ABSENT = Details((), 0)


def total(session: Session, table: Table, side: Side, chunk: Chunk) -> Print:
    """The fingerprint of a chunk. Raises ``TableRewritten`` when its blocks are of another file by now.

    The statement's own lock on the table keeps the file from being replaced between reading it and asking for it.
    """
    condition, bounds = chunk.condition(table, side)
    what = f"count(*) AS count, sum({row_hash(table, side)})::text AS sum"
    if chunk.files:
        what += f", {_FILE} AS file"
        bounds["name"] = table.sql_name
    (row,) = session.run(f"SELECT {what} FROM {table.source(side)} WHERE {condition}", **bounds)  # noqa: S608
    if chunk.files and row["file"] != chunk.files[side]:
        raise rewritten(table)
    return row["count"], row["sum"] or "0"


_FILE = "pg_relation_filenode(:name::regclass)::bigint"


def file_of(session: Session, table: Table) -> int:
    """The number of the file that a table's rows are in."""
    (row,) = session.run(f"SELECT {_FILE} AS file", name=table.sql_name)
    file: int = row["file"]
    return file


def rewritten(table: Table) -> TableRewritten:
    """The error of a table whose chunks are void."""
    return TableRewritten(f"{table.relation} was rewritten meanwhile, as by VACUUM FULL: compare it again.")


def buckets(session: Session, table: Table, side: Side, chunk: Chunk) -> dict[int, Print]:
    """The fingerprint of each part of a chunk; a row's part is decided by the hash of its key."""
    hashed, bounds = _hashed(table, side, chunk)
    sql = f"SELECT (part & {BUCKETS - 1})::int AS bucket, {_PRINT} FROM ({hashed}) q GROUP BY 1"  # noqa: S608
    return {row["bucket"]: (row["count"], row["sum"]) for row in session.run(sql, **bounds)}


def rows_of(session: Session, table: Table, side: Side, chunk: Chunk, parts: Sequence[int] | None) -> dict[Key, Print]:
    """The rows of a chunk, or of some parts of it, by their keys; without a key, by their hashes."""
    key = key_text(table.key_columns, side) if table.key else "NULL"
    hashed, bounds = _hashed(table, side, chunk, f"{key} AS key")
    chosen, parameters = "", {}
    if parts is not None:
        chosen, parameters = f"WHERE part & {BUCKETS - 1} = ANY (:parts::int8[])", {"parts": list(parts)}
    return _by_key(session, table, f"FROM ({hashed}) q {chosen}", **bounds, **parameters)


def totals_by_key(session: Session, side: Side, wanted: Sequence[Keyed]) -> list[Print]:
    """For each of some tables the fingerprint of its rows with some keys together: all in one statement."""
    statements: list[str] = []
    parameters: dict[str, str] = {}
    for place, (table, keys) in enumerate(wanted):
        what = f"{place} AS place, count(*) AS count, sum({row_hash(table, side)})::text AS sum"
        sql, arrays = _lookup(what, table, side, keys, prefix=f"t{place}_")
        statements.append(sql)
        parameters |= arrays
    rows = {row["place"]: row for row in session.run(" UNION ALL ".join(statements), **parameters)}
    return [(rows[place]["count"], rows[place]["sum"] or "0") for place in range(len(wanted))]


def rows_by_key(session: Session, table: Table, side: Side, chunk: Chunk, keys: Sequence[Key]) -> dict[Key, Print]:
    """The rows with some keys, by these; those without rows are left out."""
    if not table.key:
        hashed, bounds = _hashed(table, side, chunk)
        chosen = f"FROM ({hashed}) q WHERE hash = ANY (:hashes::int8[])"
        return _by_key(session, table, chosen, hashes=[int(key[0]) for key in keys], **bounds)
    what = f"q.n, count(*) AS count, sum({row_hash(table, side)})::text AS sum"
    sql, arrays = _lookup(what, table, side, keys)
    rows = session.run(f"{sql} GROUP BY q.n", **arrays)
    return {keys[row["n"] - 1]: (row["count"], row["sum"]) for row in rows}


def details(session: Session, table: Table, side: Side, chunk: Chunk, keys: Sequence[Key]) -> dict[Key, Details]:
    """The columns of the rows with some keys."""
    if not keys:
        return {}
    texts = f"ARRAY[{', '.join(_shown(text_of(column, side)) for column in table.columns)}]::text[]"
    if not table.key:
        hashed, bounds = _hashed(table, side, chunk, f"array_to_string({texts}, ', ', 'NULL') AS row")
        sql = f"SELECT hash, min(row) AS row, count(*) FROM ({hashed}) q WHERE hash = ANY (:hashes::int8[]) GROUP BY 1"  # noqa: S608
        rows = session.run(sql, hashes=[int(key[0]) for key in keys], **bounds)
        return {(str(row["hash"]),): Details((row["row"],), row["count"]) for row in rows}
    hashes = ", ".join(columns_hash([column], side) for column in table.columns)
    what = (
        f"q.n, {key_text(table.key_columns, side)} AS name, count(*) OVER (PARTITION BY q.n) AS count,"
        f" ARRAY[{hashes}] AS hashes, {texts} AS texts"
    )
    sql, arrays = _lookup(what, table, side, keys)
    return {
        keys[row["n"] - 1]: Details(tuple(row["name"]), row["count"], tuple(row["hashes"]), tuple(row["texts"]))
        for row in session.run(sql, **arrays)
    }


_PRINT = "count(*) AS count, sum(hash)::text AS sum"


def _hashed(table: Table, side: Side, chunk: Chunk, *more: str) -> tuple[str, dict[str, str]]:
    """SQL for the rows of a chunk with their hashes, and its parameters."""
    condition, bounds = chunk.condition(table, side)
    part = columns_hash(table.key_columns, side, seed=1) if table.key else row_hash(table, side)
    what = ", ".join((f"{row_hash(table, side)} AS hash", f"{part} AS part", *more))
    return f"SELECT {what} FROM {table.source(side)} WHERE {condition}", bounds  # noqa: S608


def _by_key(session: Session, table: Table, found: str, **parameters: Any) -> dict[Key, Print]:
    key = "key" if table.key else "ARRAY[hash::text]"
    rows = session.run(f"SELECT {key} AS key, {_PRINT} {found} GROUP BY 1", **parameters)
    return {tuple(row["key"]): (row["count"], row["sum"]) for row in rows}


def _shown(text: str) -> str:
    short = f"left(v, {SHOWN}) || '... (' || octet_length(v) || ' bytes)'"
    return (
        f"(SELECT CASE WHEN octet_length(v) > {4 * SHOWN} THEN {short} ELSE v END FROM (SELECT {text} AS v OFFSET 0) s)"  # noqa: S608
    )


def _lookup(what: str, table: Table, side: Side, keys: Sequence[Key], prefix: str = "") -> tuple[str, dict[str, str]]:
    """SQL for the rows with some keys, and its parameters."""
    columns = table.key_columns
    values = zip(*keys, strict=True) if keys else ((),) * len(columns)
    arrays = {f"{prefix}k{place}": _array(column_values) for place, column_values in enumerate(values)}
    names = ", ".join(f"k{place}" for place in range(len(columns)))
    given = ", ".join(f":{name}::text[]" for name in arrays)
    matches = " AND ".join(
        f"{ALIAS}.{identifier(column.name)} OPERATOR({identifier(schema)}.=) q.k{place}::{column.types[side]}"
        for place, (column, schema) in enumerate(zip(columns, table.operators, strict=True))
    )
    sql = (
        f"SELECT {what} FROM unnest({given}) WITH ORDINALITY AS q ({names}, n)"  # noqa: S608
        f" JOIN {table.source(side)} ON {matches}"
    )
    return sql, arrays


def _array(values: Sequence[str]) -> str:
    r"""The text of an array, for one parameter: many times as fast as a list.

    >>> print(_array(["1", 'a"b', "\\"]))
    {"1","a\"b","\\"}
    """
    if any(special in "".join(values) for special in '"\\'):
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}' if values else "{}"
