"""Equal means equal: what two servers of any versions write the same way, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from bluegreen.quoting import identifier, literal
from bluegreen.verify.comparing import Difference, compare_chunk
from bluegreen.verify.planning import plan_chunks
from bluegreen.verify.row_hash import row_hash
from bluegreen.verify.tables import BLUE, GREEN
from local.host import reserve_address
from local.postgres.servers import Server
from tests.integration import pairs
from tests.integration.pairs import COLUMNS, NAMES, ZOO, compare, sides

VERSIONS = (15, 16, 18)
PAIRS = [(16, 18), (15, 18), (18, 16)]
RANDOM_ROWS = 20_000
WHOLE_RANDOM_ROWS = 1_000_000  # with --whole; takes minutes, and 2 GB for each server

PLANTED: list[tuple[str, str | None, str | None]] = [
    ("bool", "t", "f"),
    ("bool", "f", None),
    ("int2", "0", None),
    ("int4", "1", "3"),
    ("int8", "0", "4294967297"),  # PostgreSQL's hash of both is the same
    ("int8", "-1", "0"),
    ("oid", "1", "3000000000"),
    ("float4", "0", "-0"),
    ("float4", "1", "1.0000001"),
    ("float8", "0", "-0"),
    ("float8", "-0", None),
    ("float8", "NaN", "Infinity"),
    ("float8", "0.1", "0.10000000000000002"),
    ("numeric", "1.5", "1.50"),
    ("numeric", "5", "-5"),
    ("numeric", "0", "0.0"),
    ("numeric", "NaN", "Infinity"),
    ("numeric", "Infinity", "-Infinity"),
    ("numeric(12,3)", "1", "1.001"),
    ("money", "1", "1.01"),
    ("text", "a", "a "),
    ("text", "", None),
    ("text", "é", "e\u0301"),
    ("text", "a", "A"),
    ("varchar(30)", "a", "a "),
    ("char(12)", "a", "b"),
    ("char(12)", "", None),
    ("bpchar", "a", "a "),
    ('"char"', "a", ""),
    ("name", "a", ""),
    ("bytea", "\\x00", "\\x"),
    ("bytea", "\\x", None),
    ("uuid", "00000000-0000-0000-0000-000000000000", None),
    ("uuid", "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"),
    ("date", "infinity", "-infinity"),
    ("date", "2000-01-01", None),
    ("date", "5874897-12-31", "infinity"),
    ("time", "24:00", "00:00"),
    ("timetz", "12:00+01", "11:00+00"),
    ("timestamp", "2000-01-01", None),
    ("timestamp", "infinity", "-infinity"),
    ("timestamptz", "2026-11-23 00:00:00.000001+00", "2026-11-23+00"),
    ("timestamptz", "2025-10-26 00:30+00", "2025-10-26 01:30+00"),  # one hour of the clock in London
    ("interval", "1 day", "24 hours"),
    ("interval", "1 mon", "30 days"),
    ("json", '{"a":1}', '{"a": 1}'),
    ("json", '{"a":1,"a":1}', '{"a":1}'),
    ("jsonb", '{"a": 1.0}', '{"a": 1}'),
    ("jsonb", "null", None),
    ("bit(7)", "0000000", "0000001"),
    ("varbit", "0", "00"),
    ("inet", "10.0.0.1/24", "10.0.0.1"),
    ("cidr", "10.0.0.0/8", "10.0.0.0/9"),
    ("macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    ("point", "(0,1)", "(-0,1)"),
    ("box", "(2,2),(0,0)", "(2,2),(0,1)"),
    ("path", "[(0,0),(1,1)]", "((0,0),(1,1))"),
    ("polygon", "((0,0),(1,1),(2,0))", "((1,1),(2,0),(0,0))"),
    ("circle", "<(0,0),1>", "<(0,0),1.0000000000000002>"),
    ("tsvector", "a:1", "a:1A"),
    ("tsquery", "a & b", "a | b"),
    ("int4range", "empty", "[1,2)"),
    ("numrange", "[1.0,2)", "[1,2)"),
    ("nummultirange", "{[1.0,2)}", "{[1,2)}"),
    ("int4[]", "{1}", "[2:2]={1}"),
    ("text[]", "{NULL}", '{"NULL"}'),
    ("text[]", "{}", None),
    ("numbers", "{1.0}", "{1.00}"),
    ('"Mood; --"', "sad", "ok"),
    ('"Mood; --"', "", None),
    ('"Mood; --"[]', "{sad,ok}", "{ok,sad}"),
    ("outer_row", '("(1.5,)",)', '("(1.50,)",)'),
    ("outer_row", '(,"{""(1,)""}")', '(,"{""(1,\\\\""\\\\"")""}")'),
    ("inner_domain", "(,)", None),
    ("inner_domain", "(,)", '(,"")'),
    ("smaller", "6", "7"),
    ("padded", "a", "b"),
    ("regtype", "integer", "text"),
]
"""What is equal to PostgreSQL, or nearly, and is not the same: type, value on blue, value on green."""


@pytest.fixture(scope="module")
def servers(server_folder: Path) -> Iterator[dict[int, Server]]:
    with ExitStack() as stack:
        made = {}
        for version in VERSIONS:
            address, port = stack.enter_context(reserve_address()).getsockname()
            settings = {"log_statement": "none", "fsync": "off"}
            server = Server.create(server_folder / f"verify-{version}", version, address, port, settings)
            stack.callback(server.remove)
            made[version] = server
        yield made


@pytest.fixture(scope="module")
def random_rows(pytestconfig: pytest.Config) -> int:
    return WHOLE_RANDOM_ROWS if pytestconfig.getoption("--whole") else RANDOM_ROWS


@pytest.fixture(scope="module")
def zoo(servers: dict[int, Server], random_rows: int) -> dict[int, Server]:
    """The same random rows on all."""
    for server in servers.values():
        pairs.create_zoo(server, "zoo")
    pairs.fill_zoo(servers[16], "zoo", random_rows)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda version: pairs.copy(servers[16], servers[version], "zoo", ZOO), (15, 18)))
    return servers


@pytest.fixture(scope="module")
def planted(servers: dict[int, Server]) -> dict[int, Server]:
    """Two databases that differ in one value of each row."""
    for server in servers.values():
        for place, database in enumerate(("planted", "planted green")):
            pairs.create_zoo(server, database)
            rows = [
                f'INSERT INTO {ZOO} ("Id "":x", {identifier(NAMES[type_])})'
                f" VALUES ({number}, {'NULL' if (value := values[place]) is None else literal(value)})"
                for number, (type_, *values) in enumerate(PLANTED)
            ]
            server.execute(database, "; ".join(rows))
    return servers


@pytest.mark.parametrize(("blue", "green"), PAIRS)
def test_random_rows_of_every_type_are_equal(zoo: dict[int, Server], random_rows: int, blue: int, green: int) -> None:
    with sides(zoo[blue], zoo[green], "zoo") as (on_blue, on_green):
        table = pairs.table_of(on_blue, on_green, 'Every; -- "type"')
        chunks = plan_chunks(on_blue, on_green, table, pairs.AT_ONCE)
        comparisons = [compare_chunk(on_blue, on_green, table, chunk) for chunk in chunks]
    assert sum(comparison.rows for comparison in comparisons) == random_rows
    assert [comparison for comparison in comparisons if not comparison.is_equal] == []


@pytest.mark.parametrize(("blue", "green"), PAIRS)
def test_every_planted_difference_is_named(planted: dict[int, Server], blue: int, green: int) -> None:
    with sides(planted[blue], planted[green], "planted", "planted green") as (on_blue, on_green):
        comparison = compare(on_blue, on_green, 'Every; -- "type"')
    expected = {((str(number),), NAMES[type_]) for number, (type_, *_) in enumerate(PLANTED)}
    assert {(difference.key, difference.column) for difference in comparison.differences} == expected
    assert comparison.differing_rows == len(PLANTED)
    with sides(planted[blue], planted[green], "planted") as (on_blue, on_green):
        assert compare(on_blue, on_green, 'Every; -- "type"').is_equal


def test_collations_for_which_a_is_equal_to_capital_a_and_xml(servers: dict[int, Server]) -> None:
    """Only Debian's PostgreSQL is built with ICU and libxml."""
    for database, key, text, xml in (("folded", "k", "a", "<a/>"), ("folded green", "K", "A", "<a></a>")):
        servers[15].execute("postgres", f"CREATE DATABASE {identifier(database)}")
        servers[15].execute(
            database,
            "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
            "CREATE TABLE folded (id text COLLATE folding PRIMARY KEY, t text COLLATE folding, x xml);"
            f"INSERT INTO folded VALUES ('{key}', 't', NULL), ('2', '{text}', NULL), ('3', 't', '{xml}');"
            "INSERT INTO folded SELECT 'row ' || n, 'same' FROM generate_series(1, 5000) n; ANALYZE",
        )
    with sides(servers[15], servers[15], "folded", "folded green") as both:
        assert compare(*both, "folded").differences == (
            Difference(("2",), "t", "a", "A"),
            Difference(("3",), "x", "<a/>", "<a></a>"),
            Difference(("k",), "id", "k", "K"),
        )


def test_no_hash_is_null(planted: dict[int, Server]) -> None:
    with sides(planted[16], planted[18], "planted") as both:
        table = pairs.table_of(*both, 'Every; -- "type"')
        for session, side in zip(both, (BLUE, GREEN), strict=True):
            sql = f"SELECT 1 FROM {table.source(side)} WHERE ({row_hash(table, side)}) IS NULL"
            assert session.run(sql) == []  # a sum would pass over them


def test_every_type_is_planted() -> None:
    untested = {"line", "lseg", "jsonpath", "time(0)", "tstzrange", "macaddr8", "xid8", "pg_lsn"}
    assert set(COLUMNS) - {type_ for type_, *_ in PLANTED} == untested
