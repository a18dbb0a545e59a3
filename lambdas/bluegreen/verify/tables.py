"""A table that is compared: its columns, what names a row of it, and the sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..model import Relation
from ..quoting import identifier
from ..session import Session

Side = Literal[0, 1]
BLUE: Side = 0
GREEN: Side = 1

OUTPUT_SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "lc_monetary": "C",
    "quote_all_identifiers": "off",
    "search_path": "pg_catalog",
    "row_security": "off",
    "jit": "off",  # compiling takes longer than a chunk
    "max_parallel_workers_per_gather": "0",  # the connections are the budget
}
"""What decides how a value is written, and so what its hash is; the same for both sides."""


def fix_output(session: Session) -> None:
    """Makes a session fit for comparing; every session that is given to this package has to be."""
    session.run("; ".join(f"SET {name} = '{value}'" for name, value in OUTPUT_SETTINGS.items()))


@dataclass(frozen=True, slots=True)
class Column:
    """A column that both sides have; what may be different on the two is a pair, blue's first."""

    name: str
    native: str | None
    """The type whose own hash function is used; None when the value is hashed as its output text."""
    is_nullable: bool
    types: tuple[str, str]
    is_domain: tuple[bool, bool]
    outputs: tuple[str, str]
    """The type's output function, quoted and with its schema."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is on both sides."""

    relation: Relation
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Names of the columns that name a row; empty when no index does, then rows are compared as a multiset."""
    operators: tuple[str, ...]
    """The schema of each key column's operators."""
    is_partitioned: tuple[bool, bool]
    row_estimate: int
    bytes: int

    @property
    def key_names(self) -> frozenset[str]:
        """The key's columns, to look up."""
        return frozenset(self.key)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        """The key's columns in its order."""
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    @property
    def sql_name(self) -> str:
        """Its name, quoted and with its schema."""
        return f"{identifier(self.relation.schema)}.{identifier(self.relation.name)}"

    def source(self, side: Side) -> str:
        """SQL for FROM, with the alias ``t``: a table that others inherit from is asked for its own rows only."""
        return f"{self.sql_name} AS t" if self.is_partitioned[side] else f"ONLY {self.sql_name} AS t"
