"""Two sides for the comparing library: servers of several versions, and tables with every type."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bluegreen.quoting import identifier
from bluegreen.session import Session
from bluegreen.verify.catalog import read_catalog
from bluegreen.verify.chunks import Chunk
from bluegreen.verify.comparing import Comparison, compare_chunk
from bluegreen.verify.tables import Table, fix_output
from local.postgres.servers import Server

TYPES = r"""
CREATE SCHEMA "Odd ""one"" :x";
SET search_path = "Odd ""one"" :x", public, pg_catalog;
CREATE TYPE "Mood; --" AS ENUM ('sad', 'ok', 'it''s "good" :x', '');
CREATE TYPE inner_row AS (a numeric, "B :b" text);
CREATE TYPE outer_row AS (i inner_row, many inner_row[]);
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE DOMAIN smaller AS small CHECK (VALUE IS NULL OR VALUE > 5);
CREATE DOMAIN padded AS char(5) CHECK (VALUE <> '');
CREATE DOMAIN inner_domain AS inner_row;
CREATE DOMAIN numbers AS numeric[];
"""

_TEXT = (
    "substr('aé''\"\\ \n\t漢😀Z:x%s', 1 + (random() * 14)::int, (random() * 9)::int)"
    " || repeat(' ', (random() * 2)::int)"
)
_NUMERIC = "round((random() * 10 ^ (random() * 12) - 500)::numeric, (random() * 9)::int)"
_TIME = "('2000-01-01'::timestamp + (random() - 0.3) * interval '60 years')"
_POINT = "point(random(), random() * 1e20)"

COLUMNS = {
    "bool": "random() < 0.5",
    "int2": "(random() * 60000 - 30000)::int2",
    "int4": "((random() - 0.5) * 4e9)::int4",
    "int8": "((random() - 0.5) * 1.8e19)::int8",
    "oid": "(random() * 4e9)::int8::oid",
    "float4": "(random() * 10 ^ (random() * 60 - 30))::float4",
    "float8": "(ARRAY['NaN', 'Infinity', '-Infinity', '-0', '0', '1e-300'])[1 + (random() * 30)::int]::float8",
    "numeric": f"CASE WHEN random() < 0.05 THEN 'NaN'::numeric ELSE {_NUMERIC} END",
    "numeric(12,3)": "round((random() * 1e8)::numeric, 3)",
    "money": "(random() * 1e6)::numeric::money",
    "text": _TEXT,
    "varchar(30)": _TEXT,
    "char(12)": _TEXT,
    "bpchar": _TEXT,
    '"char"': 'chr(33 + (random() * 90)::int)::"char"',
    "name": "left(md5(random()::text), (random() * 32)::int)::name",
    "bytea": "decode(left(md5(random()::text), 2 * (random() * 16)::int), 'hex')",
    "uuid": "gen_random_uuid()",
    "date": f"CASE WHEN random() < 0.05 THEN 'infinity'::date ELSE {_TIME}::date END",
    "time": f"{_TIME}::time",
    "time(0)": f"{_TIME}::time",
    "timetz": f"({_TIME}::time::text || (ARRAY['+00', '-03:30', '+14', '+01:02:03'])[1 + (random() * 3)::int])::timetz",
    "timestamp": f"CASE WHEN random() < 0.05 THEN '-infinity'::timestamp ELSE {_TIME} END",
    "timestamptz": _TIME,
    "interval": "make_interval((random() * 9)::int, 3, 1, (random() * 90)::int, 30, 0, random() * 90)",
    "json": "('{\"a\":  ' || random() || ', \"a\": [1.50, null]}')::json",
    "jsonb": f"jsonb_build_object('n', {_NUMERIC}, 't', {_TEXT}, 'l', '[1.0, null, true]'::jsonb)",
    "jsonpath": "'$.a[*] ? (@ > 1)'::jsonpath",
    "bit(7)": "(random() * 127)::int::bit(7)",
    "varbit": "left((random() * 1e9)::int::bit(30)::text, (random() * 30)::int)::varbit",
    "inet": "('10.1.2.3'::inet + (random() * 1e6)::int)",
    "cidr": "set_masklen('10.0.0.0'::cidr, 8 + (random() * 24)::int)",
    "macaddr": "left(md5(random()::text), 12)::macaddr",
    "macaddr8": "left(md5(random()::text), 16)::macaddr8",
    "point": _POINT,
    "line": f"line({_POINT}, {_POINT})",
    "lseg": f"lseg({_POINT}, {_POINT})",
    "box": f"box({_POINT}, {_POINT})",
    "path": f"path(polygon(5, circle({_POINT}, 3)))",
    "polygon": f"polygon(4, circle({_POINT}, 2))",
    "circle": f"circle({_POINT}, random())",
    "tsvector": "to_tsvector('simple', 'the ' || md5(random()::text) || ' fox')",
    "tsquery": "(left(md5(random()::text), 3) || ' & b')::tsquery",
    "int4range": "int4range((random() * 9)::int, 10 + (random() * 9)::int, '[]')",
    "numrange": f"numrange(1.50, 1000 + abs({_NUMERIC}), '(]')",
    "tstzrange": f"tstzrange({_TIME}, NULL)",
    "nummultirange": "nummultirange(numrange(1.0, 2.00), numrange(3, 3 + random()::numeric))",
    "int4[]": "ARRAY[(random() * 9)::int, NULL, 3]",
    "text[]": f"ARRAY[[{_TEXT}, NULL], ['NULL', '{{,}}']]",
    "numbers": f"ARRAY[{_NUMERIC}, 1.0]",
    '"Mood; --"': '(enum_range(NULL::"Mood; --"))[1 + (random() * 3)::int]',
    '"Mood; --"[]': 'enum_range(NULL::"Mood; --")',
    "outer_row": f"ROW(ROW({_NUMERIC}, {_TEXT}), ARRAY[ROW(1.0, NULL)::inner_row])::outer_row",
    "inner_domain": f"ROW({_NUMERIC}, {_TEXT})::inner_row",
    "smaller": "(6 + random() * 900)::int",
    "padded": "left(md5(random()::text), 1 + (random() * 4)::int)",
    "xid8": "(random() * 1e9)::int8::text::xid8",
    "pg_lsn": "('0/' || to_hex((random() * 1e9)::int))::pg_lsn",
    "regtype": "'integer'::regtype",
}
"""By type: SQL for a random value."""

AT_ONCE = 20_000
"""Rows that one statement makes."""

NAMES = {type_: f'c{number} "of" :x {type_[:20]}' for number, type_ in enumerate(COLUMNS)}

ZOO = '"Odd ""one"" :x"."Every; -- ""type"""'


def create_zoo(server: Server, database: str) -> None:
    """A database with an empty table that has a column of every type, under hostile names."""
    columns = ", ".join(f"{identifier(NAMES[type_])} {type_}" for type_ in COLUMNS)
    server.execute("postgres", f"CREATE DATABASE {identifier(database)}")
    server.execute(database, f'{TYPES}; CREATE TABLE {ZOO} ("Id "":x" int PRIMARY KEY, {columns})')


def fill_zoo(server: Server, database: str, rows: int) -> None:
    """Random rows; of each value one in twenty is NULL."""
    values = ", ".join(f"CASE WHEN random() > 0.05 THEN {value} END" for value in COLUMNS.values())
    for first in range(1, rows + 1, AT_ONCE):
        server.execute(
            database,
            'SET search_path = "Odd ""one"" :x", public;'
            f" INSERT INTO {ZOO} SELECT n, {values} FROM generate_series({first}, {min(rows, first + AT_ONCE - 1)}) n",
        )
    server.execute(database, f"ANALYZE {ZOO}")


def copy(source: Server, target: Server, database: str, table: str) -> None:
    """Carries rows over as text, as replication does; all of them pass through memory."""
    stream = io.BytesIO()
    for server, sql in ((source, f"COPY {table} TO STDOUT"), (target, f"COPY {table} FROM STDIN")):
        stream.seek(0)
        connection = server.connect(database)
        try:
            connection.run(sql, stream=stream)
        finally:
            connection.close()


@contextmanager
def sides(blue: Server, green: Server, database: str, other: str | None = None) -> Iterator[tuple[Session, Session]]:
    """Sessions that are fit for comparing."""
    opened = [Session(blue.connect(database), "blue"), Session(green.connect(other or database), "green")]
    try:
        for session in opened:
            fix_output(session)
        yield opened[0], opened[1]
    finally:
        for session in opened:
            session.close()


def table_of(blue: Session, green: Session, name: str) -> Table:
    """A table by its name."""
    (table,) = (table for table in read_catalog(blue, green).tables if table.relation.name == name)
    return table


def compare(blue: Session, green: Session, name: str, settle: Callable[[], None] = lambda: None) -> Comparison:
    """A whole table as one chunk."""
    return compare_chunk(blue, green, table_of(blue, green, name), Chunk(), settle)
