"""Tables of all kinds: without a key, partitioned, wide, with columns of one side only; and how they are cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

import local.verify
from bluegreen.errors import DatabaseUnavailable, TableRewritten
from bluegreen.model import Relation
from bluegreen.session import Session
from bluegreen.verify import whole
from bluegreen.verify.catalog import read_catalog
from bluegreen.verify.chunks import Chunk, count_chunks, key_ranges
from bluegreen.verify.comparing import Comparison, Difference, compare_chunk, compare_keys
from bluegreen.verify.planning import plan_chunks
from bluegreen.verify.tables import BLUE, Side
from bluegreen.verify.working import Headway, Work
from local.cli import main
from local.host import reserve_address
from local.postgres.servers import Server
from tests.integration.pairs import compare, sides, table_of

HUGE = 50_000_000

BOTH = f"""
CREATE TABLE keyless (a numeric, b text);
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, NULL), (NULL, NULL);
CREATE TABLE swapped (id int PRIMARY KEY, place int);
INSERT INTO swapped VALUES (1, 10), (2, 20), (3, 30);
CREATE TABLE keyed ("a "":x" text, b numeric, "value; --" int, UNIQUE (b, "a "":x") INCLUDE ("value; --"));
ALTER TABLE keyed ALTER "a "":x" SET NOT NULL, ALTER b SET NOT NULL;
INSERT INTO keyed SELECT 'k''"\\ :x' || n % 7, n / 7, n FROM generate_series(1, 5000) n;
CREATE TABLE uuids (id uuid PRIMARY KEY, n int);
INSERT INTO uuids SELECT md5(n::text)::uuid, n FROM generate_series(1, 20000) n;
CREATE TABLE sparse (id bigint PRIMARY KEY);
INSERT INTO sparse SELECT n::bigint * n * n * n FROM generate_series(-3000, 3000) n WHERE n > 0 OR n % 2 = 0
ON CONFLICT DO NOTHING;
CREATE TABLE dense (id int PRIMARY KEY);
INSERT INTO dense SELECT n FROM generate_series(-5000, 5000) n;
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE empty_one (id int PRIMARY KEY);
CREATE TABLE parent (id int PRIMARY KEY, note text);
CREATE TABLE child (more jsonb) INHERITS (parent);
INSERT INTO parent VALUES (1, 'in parent');
INSERT INTO child VALUES (1, 'in child', '{{"a": 1.00}}');
CREATE TABLE wide ({", ".join(f"c{n} int" for n in range(500))});
INSERT INTO wide (c0, c499) VALUES (1, 1);
CREATE TABLE huge (id int PRIMARY KEY, t text, b bytea);
INSERT INTO huge SELECT 1, repeat('x', {HUGE}), convert_to(repeat('y', {HUGE // 10}), 'UTF8');
CREATE UNLOGGED TABLE passing (id int);
CREATE TABLE computed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO computed VALUES (1);
CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
"""

ON_BLUE = """
CREATE TABLE parts_2025 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parts_2026 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE only_here (id int);
ALTER TABLE parent ADD lost int;
"""

ON_GREEN = """
CREATE SCHEMA archive;
CREATE TABLE archive.everything PARTITION OF parts DEFAULT;
CREATE TABLE only_there (id int);
ALTER TABLE uuids ADD added text DEFAULT 'new';
ALTER TABLE swapped ALTER place TYPE bigint;
"""

FILL_PARTS = "INSERT INTO parts SELECT n, '2025-06-01'::date + n FROM generate_series(1, 500) n"


@pytest.fixture(scope="module")
def servers(server_folder: Path) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        made = []
        for version, own in ((16, ON_BLUE), (18, ON_GREEN)):
            address, port = stack.enter_context(reserve_address()).getsockname()
            settings = {"log_statement": "none", "fsync": "off", "max_wal_size": "2GB"}
            server = Server.create(server_folder / f"tables-{version}", version, address, port, settings)
            stack.callback(server.remove)
            server.execute("postgres", "CREATE DATABASE tables")
            server.execute("tables", BOTH + own + FILL_PARTS)
            server.execute("tables", "ANALYZE")
            made.append(server)
        yield made[0], made[1]


@pytest.fixture
def both(servers: tuple[Server, Server]) -> Iterator[tuple[Session, Session]]:
    """Sessions in transactions of which nothing remains."""
    with sides(*servers, "tables") as sessions:
        for session in sessions:
            session.run("BEGIN; SET LOCAL search_path = pg_catalog")
        yield sessions


def test_what_is_compared_and_what_is_on_one_side_only(both: tuple[Session, Session]) -> None:
    catalog = read_catalog(*both)
    names = {table.relation.name for table in catalog.tables}
    assert {"keyless", "parts", "child", "nothing", "huge"} < names
    assert not {"passing", "only_here", "parts_2025", "everything"} & names
    assert catalog.problems == (
        "public.child: column lost is on blue only",
        "public.only_here is on blue only",
        "public.parent: column lost is on blue only",
    )
    assert set(catalog.notes) == {
        "public.only_there is on green only",
        "public.uuids: column added is on green only",
    }
    keys = {table.relation.name: table.key for table in catalog.tables}
    assert (keys["keyed"], keys["parts"], keys["keyless"]) == (("b", 'a ":x'), ("id", "at"), ())


def test_equal_tables_are_equal(both: tuple[Session, Session]) -> None:
    for table in read_catalog(*both).tables:
        for chunk in plan_chunks(*both, table, 700):
            assert compare_chunk(*both, table, chunk).is_equal, (table, chunk)


@pytest.mark.parametrize("name", ["dense", "sparse", "uuids", "keyed", "parts"])
def test_chunks_hold_every_row_once_and_are_of_like_size(both: tuple[Session, Session], name: str) -> None:
    blue, green = both
    table = table_of(blue, green, name)
    chunks = list(key_ranges(blue, table, count_chunks(table, 1000 if name != "parts" else 100)))
    assert [Chunk.of(json.loads(json.dumps(chunk.to_state()))) for chunk in chunks] == chunks
    assert [chunk.upper for chunk in chunks[:-1]] == [chunk.lower for chunk in chunks[1:]]
    assert chunks[0].lower is None
    assert chunks[-1].upper is None
    rows = [compare_chunk(blue, green, table, chunk).rows for chunk in chunks]
    (whole_table,) = blue.run(f"SELECT count(*) AS rows FROM {table.source(BLUE)}")
    assert sum(rows) == whole_table["rows"]
    assert len(chunks) >= 5
    assert max(rows) < 3 * sum(rows) / len(chunks)


def test_rows_that_were_never_touched_are_compared_in_their_places(both: tuple[Session, Session]) -> None:
    blue, green = both
    table = table_of(*both, "uuids")

    def cut() -> list[Chunk]:
        return list(plan_chunks(*both, table, 2000))

    assert [chunk.blocks is not None for chunk in cut()] == [True] * len(cut())
    assert Chunk.of(json.loads(json.dumps(cut()[-1].to_state()))) == cut()[-1]
    green.run("UPDATE public.uuids SET n = n WHERE n % 5000 = 705")  # moves to the end
    blue.run("DELETE FROM public.uuids WHERE n = 10000; UPDATE public.uuids SET n = -1 WHERE n = 19999")
    green.run("UPDATE public.uuids SET n = -2 WHERE n = 19997")
    chunks = cut()
    assert chunks[0].blocks
    found = [compare_chunk(*both, table, chunk) for chunk in chunks]
    assert sum(comparison.rows for comparison in found) == 19999
    assert {difference.blue for comparison in found for difference in comparison.differences} == {
        "-1",
        "19997",
        "no row",
    }
    green.run("UPDATE public.uuids SET n = n")
    assert not any(chunk.blocks for chunk in cut())
    blue.run("CLUSTER public.uuids USING uuids_pkey")
    with pytest.raises(TableRewritten):
        compare_chunk(*both, table, chunks[0])


def test_rows_that_are_missing_doubled_or_changed(both: tuple[Session, Session]) -> None:
    green = both[1]
    green.run("DELETE FROM public.dense WHERE id = 7; INSERT INTO public.dense VALUES (99999)")
    assert compare(*both, "dense").differences == (
        Difference(("7",), "*", "one row", "no row"),
        Difference(("99999",), "*", "no row", "one row"),
    )
    green.run("""UPDATE public.keyed SET b = 3.0 WHERE b = 3 AND "a "":x" LIKE '%5'""")
    assert compare(*both, "keyed").differences == (Difference(("3", "k'\"\\ :x5"), "b", "3", "3.0"),)


def test_values_swapped_between_rows(both: tuple[Session, Session]) -> None:
    both[1].run("UPDATE public.swapped SET place = 30 - place WHERE id < 3")
    (one, other) = compare(*both, "swapped").differences
    assert (one, other) == (Difference(("1",), "place", "10", "20"), Difference(("2",), "place", "20", "10"))


def test_a_table_without_a_key_is_a_multiset(both: tuple[Session, Session]) -> None:
    both[1].run("DELETE FROM public.keyless WHERE ctid = (SELECT min(ctid) FROM public.keyless)")
    both[1].run("INSERT INTO public.keyless VALUES (2.0, NULL)")
    comparison = compare(*both, "keyless")
    assert {*comparison.differences} == {
        Difference(("1, x",), "*", "2 rows", "one row"),
        Difference(("2.0, NULL",), "*", "no row", "one row"),
    }


def test_partitions_may_be_others_but_rows_may_not(both: tuple[Session, Session]) -> None:
    both[0].run("UPDATE public.parts SET at = '2026-12-31' WHERE id = 5")  # moves to another partition
    assert compare(*both, "parts").differences == (
        Difference(("5", "2025-06-06"), "*", "no row", "one row"),
        Difference(("5", "2026-12-31"), "*", "one row", "no row"),
    )
    both[1].run("UPDATE public.parts SET at = '2026-12-31' WHERE id = 5")
    assert compare(*both, "parts").is_equal


def test_the_last_of_many_columns(both: tuple[Session, Session]) -> None:
    both[1].run("UPDATE public.wide SET c499 = 2")
    assert compare(*both, "wide").differing_rows == 2  # the old one and the new one, since there is no key


def test_one_character_of_a_huge_value(both: tuple[Session, Session]) -> None:
    both[1].run(f"UPDATE public.huge SET t = overlay(t placing 'z' from {HUGE - 5})")
    (difference,) = compare(*both, "huge").differences
    assert (difference.key, difference.column) == (("1",), "t")
    assert difference.blue == f"{'x' * 60}... ({HUGE} bytes)"


def test_given_keys(both: tuple[Session, Session]) -> None:
    table = table_of(*both, "keyed")
    both[1].run("""DELETE FROM public.keyed WHERE b = 3 AND "a "":x" LIKE '%5'""")
    keys = [(str(b), f"k'\"\\ :x{a}") for a in range(8) for b in range(5)]
    comparison = compare_keys(*both, [(table, keys)])[table.relation]
    assert comparison.differences == (Difference(("3", "k'\"\\ :x5"), "*", "one row", "no row"),)
    assert comparison.rows == 34
    assert compare_keys(*both, [(table, keys + keys)])[table.relation].differing_rows == 1
    assert compare_keys(*both, [(table, keys[:10])])[table.relation].is_equal


@pytest.mark.parametrize("type_name", ["time", "timestamp", "timestamptz"])
def test_times_whose_microseconds_fold_to_the_same_32_bits(both: tuple[Session, Session], type_name: str) -> None:
    for session, time in zip(both, ("00:00:00.000001", "01:11:34.967296"), strict=True):
        session.run(
            f"DROP TABLE IF EXISTS public.folded; CREATE TABLE public.folded (id int PRIMARY KEY, at {type_name})"
        )
        values = f"(1, timestamp '2000-01-01 {time}'), (2, '2000-01-01'), (3, NULL)"
        session.run(f"INSERT INTO public.folded SELECT id, at::{type_name} FROM (VALUES {values}) AS given (id, at)")
    comparison = compare_chunk(*both, table_of(*both, "folded"), Chunk())
    assert [(each.key, each.column) for each in comparison.differences] == [(("1",), "at")]


def test_values_can_be_left_out(both: tuple[Session, Session]) -> None:
    both[1].run("UPDATE public.swapped SET place = 11 WHERE id = 1")
    comparison = compare_chunk(*both, table_of(*both, "swapped"), Chunk(), with_values=False)
    assert comparison.differences == (Difference(("1",), "place", None, None),)


def connecting(servers: tuple[Server, Server]) -> whole.Connect:
    return lambda side: Session(servers[side].connect("tables"), f"side {side}")


def test_a_whole_run(servers: tuple[Server, Server]) -> None:
    connect, seen = connecting(servers), list[Headway]()
    report = whole.Run(connect, 3, progress=seen.append, chunk_rows=1000)(whole.catalog_of(connect))
    assert (report.found, report.failures) == ([], [])
    assert report.chunks == len(seen) > 40
    assert report.rows == seen[-1].rows > 38_000
    assert seen[0].rows_left > seen[-1].rows_left
    assert all(headway.rows_per_s > 0 for headway in seen)


def test_a_row_that_lies_in_other_blocks_on_green_is_told_once() -> None:
    dense = Relation("public", "dense")
    queue = whole.MemoryQueue([], lambda _: None)
    row, other = (Difference((key,), "id", "1", "2") for key in ("7", "8"))
    queue.note(Work(0, dense, Chunk()), Comparison(10, (row,), 1))
    queue.note(Work(0, dense, Chunk()), Comparison(10, (row, other), 2))
    assert queue.report.differing_rows == 2
    assert [found.comparison.differences for found in queue.report.found] == [(row,), (other,)]


def test_a_table_that_cannot_be_read_is_a_failure_and_a_lost_server_ends_the_run(
    servers: tuple[Server, Server],
) -> None:
    connect = connecting(servers)
    catalog = whole.catalog_of(connect)
    lost = [
        replace(table, relation=Relation("public", "no :x")) for table in catalog.tables if table.key == ("b", 'a ":x')
    ]
    report = whole.Run(connect, 2)(replace(catalog, tables=(*lost, *catalog.tables)))
    assert [failure.partition(":")[0] for failure in report.failures] == ["public.no "]
    assert report.rows > 38_000

    def broken(side: Side) -> Session:
        session = connect(side)
        session._connection._usock.shutdown(2)
        return session

    with pytest.raises(DatabaseUnavailable):
        whole.Run(broken, 2)(catalog)


def dsn(server: Server) -> str:
    return f"postgresql://rdsadmin@/tables?host={quote(str(server.sockets), safe='')}&port={server.port}"


def test_the_command_line(
    servers: tuple[Server, Server], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local.verify, "TOLD_EVERY_S", 0)
    blue, green = map(dsn, servers)
    assert main(["verify", blue, green, "--tables", "public.dense,public.keyless"]) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "10,006 rows compared" in output.err
    assert re.search(r"rows compared, [0-9,]+ rows/s, about [0-9,]+ rows and [0-9,]+ s left\n", output.err)
    assert main(["verify", blue, green, "--json", "--max-rows-per-s", "1e6"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["equal"], result["differing_rows"], len(result["problems"])) == (False, 0, 3)
    assert "public.passing is unlogged" in result["notes"]
    assert main(["verify", blue, "postgresql://nobody:hush@127.0.0.1:1/tables", "--json"]) == 2
    output = capsys.readouterr()
    assert json.loads(output.out)["equal"] is None
    assert "hush" not in output.out + output.err
    assert main(["verify", blue, green, "--tables", "public.no_such"]) == 2
