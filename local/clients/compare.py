"""Reads every row and every sequence of a database, whatever its schema, and says where two databases differ.

Rows are compared by the text of the whole row, which shows each value exactly (floats with all digits, NaN, infinite
timestamps), under settings that are the same on both sides. Large rows stay on the server: it sends their md5.
The release's own schema is left out, and so are materialized views: no replication carries what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

from pg8000.native import Connection, identifier, literal

from local.clients.workload import SETTINGS
from local.postgres.servers import Server

_DETAILED = 20  # rows of a table whose differing columns are looked up; the others are named only


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is no partition. `key` are the columns of its replica identity, empty if no index serves as one."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    partitioned: bool

    @property
    def alias(self) -> str:
        """A name for the whole row which no column has."""
        return "_" * (1 + max(map(len, self.columns), default=0))

    @property
    def source(self) -> str:
        """What to select from: a table with others that inherit from it is not asked for theirs."""
        return f"{'' if self.partitioned else 'ONLY '}{self.name} AS {self.alias}"

    @property
    def key_text(self) -> str:
        """SQL for the text that names a row; rows without a key are named by their digest, equal ones are numbered."""
        if self.key:
            return f"ROW({', '.join(map(quoted, self.key))})::text"
        return f"{self.digest} || ' #' || row_number() OVER (PARTITION BY {self.digest})"

    @property
    def digest(self) -> str:
        """SQL for the md5 of the row."""
        return f"md5({self.alias}::text)"


class Row(NamedTuple):
    """A row as read; `revision` and `tx` are those columns of the sample's tables, None where there are none."""

    digest: str
    revision: int | None
    tx: str | None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence as it stands."""

    last_value: int
    is_called: bool
    increment: int
    minimum: int
    maximum: int
    cycles: bool
    cache: int
    type: str

    @property
    def direction(self) -> int:
        """1 if values grow, -1 if they fall."""
        return 1 if self.increment > 0 else -1

    def successor(self) -> int | None:
        """What nextval gives (to a session that holds no cached values), None if that is an error."""
        if not self.is_called:
            return self.last_value
        value = self.last_value + self.increment
        if self.minimum <= value <= self.maximum:
            return value
        return (self.minimum if self.direction > 0 else self.maximum) if self.cycles else None


@dataclass(frozen=True, slots=True)
class Difference:
    """A table, row or sequence that is not the same in both databases."""

    name: str
    problem: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.key and ' '}{self.key}: {self.problem}"


def quoted(name: str) -> str:
    """An identifier, quoted always: pg8000's function leaves some reserved words bare."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def connected(server: Server, database: str) -> Iterator[Connection]:
    """A superuser's connection under which the text of a row is what it was to the writers."""
    connection = server.connect(database)
    try:
        connection.run("; ".join(f"SET {identifier(name)} = {literal(value)}" for name, value in SETTINGS.items()))
        yield connection
    finally:
        connection.close()


_RELATIONS = """
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'bluegreen') AND n.nspname !~ '^pg_(toast|temp)'
"""

_TABLES = f"""
SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'p',
    ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
    ),
    ARRAY(
        SELECT a.attname::text
        FROM (
            SELECT * FROM pg_index WHERE indrelid = c.oid AND (indisreplident OR indisprimary)
            ORDER BY indisreplident DESC LIMIT 1
        ) AS i, unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute AS a ON a.attnum = k.number
        WHERE a.attrelid = c.oid AND k.place <= i.indnkeyatts ORDER BY k.place
    )
{_RELATIONS} AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""  # noqa: S608


def read_tables(connection: Connection) -> dict[str, Table]:
    """The tables of a database by their quoted names with schema."""
    return {
        name: Table(name, tuple(columns), tuple(key), partitioned)
        for name, partitioned, columns, key in connection.run(_TABLES)
    }


def read_rows(connection: Connection, table: Table) -> dict[str, Row]:
    """All rows of a table by the text of their keys."""
    revision = '"revision"' if "revision" in table.columns else "NULL"
    tx = '"tx"::text' if "tx" in table.columns else "NULL"
    found = connection.run(f"SELECT {table.key_text}, {table.digest}, {revision}, {tx} FROM {table.source}")  # noqa: S608
    return {key: Row(*rest) for key, *rest in found}


def read_sequences(connection: Connection) -> dict[str, Sequence]:
    """The sequences of a database by their quoted names with schema; no value is drawn."""
    names = f"SELECT format('%I.%I', n.nspname, c.relname) {_RELATIONS} AND c.relkind = 'S'"
    columns = "last_value, is_called, seqincrement, seqmin, seqmax, seqcycle, seqcache, seqtypid::regtype::text"
    states = " UNION ALL ".join(
        f"SELECT {literal(name)}, {columns} FROM {name}, pg_sequence WHERE seqrelid = {literal(name)}::regclass"  # noqa: S608
        for [name] in connection.run(names)
    )
    return {name: Sequence(*state) for name, *state in connection.run(states)} if states else {}


def compare_databases(blue: Server, green: Server, database: str) -> list[Difference]:
    """Every difference between a database on two servers that both stand still; empty if they hold the same."""
    with connected(blue, database) as on_blue, connected(green, database) as on_green:
        tables, others = read_tables(on_blue), read_tables(on_green)
        found = _one_sided("table", set(tables), set(others))
        for name in tables.keys() & others.keys():
            if tables[name].columns != others[name].columns:
                found.append(Difference(name, "the columns differ"))
            elif _summary(on_blue, tables[name]) != _summary(on_green, tables[name]):
                found += _row_differences(on_blue, on_green, tables[name])
        sequences, other_sequences = read_sequences(on_blue), read_sequences(on_green)
        found += _one_sided("sequence", set(sequences), set(other_sequences))
        for name in sequences.keys() & other_sequences.keys():
            if sequences[name] != other_sequences[name]:
                found.append(Difference(name, f"blue has {sequences[name]}, green {other_sequences[name]}"))
    return sorted(found, key=str)


def _one_sided(kind: str, blue: set[str], green: set[str]) -> list[Difference]:
    return [
        *(Difference(name, f"{kind} is on blue only") for name in blue - green),
        *(Difference(name, f"{kind} is on green only") for name in green - blue),
    ]


def _summary(connection: Connection, table: Table) -> list[object]:
    """Count and sums of digests: equal for equal rows in whatever order, and small however large the table."""
    halves = ", ".join(f"sum(('x' || {side}({table.digest}, 16))::bit(64)::bigint)" for side in ("left", "right"))
    [summary] = connection.run(f"SELECT count(*), {halves} FROM {table.source}")  # noqa: S608
    return list(summary)


def _row_differences(on_blue: Connection, on_green: Connection, table: Table) -> list[Difference]:
    blue, green = read_rows(on_blue, table), read_rows(on_green, table)
    found = [replace(d, name=table.name, key=d.name) for d in _one_sided("row", set(blue), set(green))]
    differing = sorted(key for key in blue.keys() & green.keys() if blue[key].digest != green[key].digest)
    for number, key in enumerate(differing):
        columns = _differing_columns(on_blue, on_green, table, key) if number < _DETAILED else ""
        found.append(Difference(table.name, f"row differs{columns}", key))
    return found


def _differing_columns(on_blue: Connection, on_green: Connection, table: Table, key: str) -> str:
    values = ", ".join(f"md5({quoted(column)}::text)" for column in table.columns)
    query = f"SELECT {values} FROM {table.source} WHERE {table.key_text} = :key"  # noqa: S608
    [blue], [green] = on_blue.run(query, key=key), on_green.run(query, key=key)
    return " in " + ", ".join(
        column for column, left, right in zip(table.columns, blue, green, strict=True) if left != right
    )
