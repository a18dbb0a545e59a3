"""One number for a row, the same on every server exactly if the row's output text is the same.

That text is what logical replication carries, and what the application reads. Hash functions of PostgreSQL follow
equality instead, which is coarser for some types (1.5 = 1.50, -0 = 0), so only types for which both are the same use
theirs, with what is lost mixed into the seed; all others are hashed as the text that their output function gives.

The hash of each column is the seed of the next one's. A sum of independent column hashes, which is what
``hash_record_extended`` amounts to once it is summed over rows, cannot tell two rows from the same two rows with
values swapped between them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..quoting import identifier
from .tables import Column, Side, Table

ALIAS = "t"

COLUMNS_PER_CHAIN = 100
"""Of a wider table several chains are made, each from the key on: calls nested in calls need stack."""

_NATIVE = {
    "bool": ("'f'", "hashint4extended({x}::int4, {seed})"),
    "int2": ("'0'", "hashint2extended({x}, {seed})"),
    "int4": ("'0'", "hashint4extended({x}, {seed})"),
    # hashint8 folds the value to 32 bits first: 1 and 2^32 would be the same
    "int8": ("'0'", "hashint8extended({x}, {x} # {seed})"),
    "oid": ("'0'", "hashoidextended({x}, {seed})"),
    "float4": ("'0'", "hashfloat4extended({x}, {seed} # CASE WHEN {x} = '0' THEN {text} ELSE 0 END)"),
    "float8": ("'0'", "hashfloat8extended({x}, {seed} # CASE WHEN {x} = '0' THEN {text} ELSE 0 END)"),
    "text": ("''", 'hashtextextended({x} COLLATE "C", {seed})'),
    "varchar": ("''", 'hashtextextended({x} COLLATE "C", {seed})'),
    "bpchar": ("''", 'hashbpcharextended({x} COLLATE "C", {seed})'),
    "name": ("''", 'hashnameextended({x} COLLATE "C", {seed})'),
    "bytea": ("''", "hash_record_extended(ROW({x}), {seed})"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'", "uuid_hash_extended({x}, {seed})"),
    "date": (
        "'2000-01-01'",
        "hashint4extended(CASE WHEN isfinite({x}) THEN {x} - '2000-01-01'::date"
        " WHEN {x} > '2000-01-01' THEN 2147483647 ELSE -2147483647 END, {seed})",
    ),
    "time": ("'00:00'", "hashfloat8extended(date_part('epoch', {x}), {seed})"),
    # folds microseconds to 32 bits; seconds as float8 tell those apart which come out the same
    "timestamp": (
        "'2000-01-01'",
        "timestamp_hash_extended({x}, hashfloat8extended(date_part('epoch', {x}), {seed}))",
    ),
    # one and the same number, as long as the session's time zone is UTC
    "timestamptz": (
        "'2000-01-01'",
        "timestamp_hash_extended({x}::timestamp, hashfloat8extended(date_part('epoch', {x}), {seed}))",
    ),
}
"""By type: what stands for NULL, which the seed tells from the value itself; and the hash."""

NATIVE_TYPES = frozenset(_NATIVE)

_AS_TEXT = 'hashtextextended({x} COLLATE "C", {seed})'


def row_hash(table: Table, side: Side) -> str:
    """SQL for the hash of a row of ``t``."""
    key = [column for column in table.columns if column.name in table.key_names]
    others = [column for column in table.columns if column.name not in table.key_names]
    starts = range(0, len(others), COLUMNS_PER_CHAIN) or [0]
    chains = [
        columns_hash([*key, *others[start : start + COLUMNS_PER_CHAIN]], side, seed=number)
        for number, start in enumerate(starts)
    ]
    return " # ".join(chains)


def columns_hash(columns: Sequence[Column], side: Side, seed: int = 0) -> str:
    """SQL for the hash of some columns of ``t``, each one's the seed of the next."""
    chain = f"{seed}::int8"
    for column in columns:
        chain = _column_hash(column, side, chain)
    return chain


def text_of(column: Column, side: Side) -> str:
    """SQL for a column's output text; a cast would do something else for some types, such as bpchar."""
    return f"textin({column.outputs[side]}({_value(column, side)}))"


def _column_hash(column: Column, side: Side, seed: str) -> str:
    """The hash of a column; never NULL, which a sum would pass over."""
    raw, null, template = _value(column, side), "''", _AS_TEXT
    value = text = text_of(column, side)
    if column.native:
        null, template = _NATIVE[column.native]
        value = raw
    if column.is_nullable:
        seed = f"({seed} # CASE WHEN {raw} IS NULL THEN 1::int8 ELSE 0 END)"
        value, text = f"coalesce({value}, {null})", f"coalesce({text}, '')"
    return template.format(x=value, seed=seed, text=_AS_TEXT.format(x=text, seed="0"))


def _value(column: Column, side: Side) -> str:
    name = f"{ALIAS}.{identifier(column.name)}"
    return f"{name}::{column.types[side]}" if column.is_domain[side] else name
