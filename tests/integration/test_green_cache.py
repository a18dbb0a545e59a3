"""Statistics and a warm cache on green, on real servers with hostile names, with and without pg_prewarm."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError

from bluegreen import green_cache, lag, replication
from bluegreen.errors import DatabaseUnavailable, SqlError
from bluegreen.green_cache import warm_green
from bluegreen.postgres import Credentials, Databases
from local.postgres.servers import Server, ServerError, find_binaries
from tests.integration.conftest import APP, CRM, DATABASES, Lab, with_plan

SETTINGS = {"autovacuum": "off", "shared_buffers": "16MB"}
"""Nobody else analyses, and a table of 6 MB is one of more than a quarter of the buffers."""

HOT = '"Sales Data"."Hot ""table"" %s :x"'
COLD = '"Sales Data".cold'

# Of these the planner knows already, so no ANALYZE reads them; VACUUM leaves nothing for a reader to write.
TABLES = f"""
CREATE TABLE {HOT} (id bigint PRIMARY KEY, filler text, document text);
ALTER TABLE {HOT} ALTER document SET STORAGE EXTERNAL;
INSERT INTO {HOT} SELECT i, repeat('x', 500), CASE WHEN i % 100 = 0 THEN repeat('y', 4000) END
FROM generate_series(1, 11000) i;
CREATE TABLE {COLD} AS TABLE {HOT};
ALTER TABLE {COLD} ADD PRIMARY KEY (id);
"""
READ_TABLE = f"SELECT count(filler) FROM {HOT}"
READ_COLD_TABLE = f"SELECT count(filler) FROM {COLD}"
READ_TOAST = f"SELECT count(md5(document)) FROM {HOT}"
BY_INDEX = f"SELECT count(filler) FROM {HOT} WHERE id > 0"

FRAGILE = """
CREATE FUNCTION fragile(id bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN id; END';
CREATE TABLE indexed (id bigint PRIMARY KEY);
INSERT INTO indexed SELECT generate_series(1, 10);
CREATE INDEX ON indexed (fragile(id));
"""

NEVER_ANALYSED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND c.reltuples < 0 AND n.nspname NOT IN ('bluegreen', 'pg_catalog')
"""


def _version_is_installed(version: int) -> bool:
    try:
        find_binaries(version)
    except ServerError:
        return False
    return True


VERSIONS = [15, 16, 18] if _version_is_installed(15) else [16, 18]
"""Debian's 15 has pg_prewarm, the wheel's 16 and 18 have not."""


def heat_up(blue: Server) -> None:
    """Tables on blue of which one is hot, by the only session that has counted since the counters began."""
    with closing(blue.connect(APP)) as connection:
        connection.run(TABLES)
        for table in (HOT, COLD):
            connection.run(f"VACUUM (ANALYZE) {table}")
        connection.run("SELECT pg_stat_force_next_flush()")
        connection.run("SELECT pg_stat_reset()")
        for _ in range(3):
            connection.run(READ_TOAST)
            connection.run("SET enable_seqscan = off")
            connection.run(BY_INDEX)
        connection.run("SELECT pg_stat_force_next_flush()")


def blocks_read(server: Server, sql: str, *settings: str) -> int:
    """How many blocks a query of green has to fetch from outside its buffers."""
    with closing(server.connect(APP)) as connection:
        for setting in settings:
            connection.run(f"SET {setting} = off")
        [[plan]] = connection.run(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}")
        parsed: Any = json.loads(plan) if isinstance(plan, str) else plan
        return int(parsed[0]["Plan"]["Shared Read Blocks"])


@pytest.fixture
def limited(lab: Lab) -> Iterator[Databases]:
    """The way of a role that owns nothing and may read what everybody may."""
    databases = Databases(lambda _: [Credentials("limited", "limited")], "disable")
    yield databases
    databases.close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lab", [SETTINGS], indirect=True)
def test_green_has_statistics_and_what_is_hot_on_blue_in_its_buffers(
    lab: Lab, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(green_cache, "PORTION_BLOCKS", 100)
    heat_up(lab.blue_server)
    lab.follow()
    green = lab.green_server
    assert green
    green.restart()
    warmths = warm_green(lab.databases, lab.plan, lab.green)

    has_pg_prewarm = version == 15
    assert blocks_read(green, READ_TABLE) == 0
    assert blocks_read(green, READ_COLD_TABLE) > 600
    if has_pg_prewarm:
        assert blocks_read(green, READ_TOAST) == 0
        assert blocks_read(green, BY_INDEX, "enable_seqscan", "enable_bitmapscan", "enable_indexonlyscan") == 0
        assert warmths[APP].skipped == {}
    else:
        assert blocks_read(green, READ_TOAST) < 10, "the index of the toast, at most"
        assert warmths[APP].skipped.keys() == {"needs_pg_prewarm"}
    assert warmths[APP].bytes_loaded > 6_000_000
    assert (warmths[APP].tables_analysed, warmths[APP].tables_without_statistics) == (4, 0)
    assert green.execute(APP, NEVER_ANALYSED) == []
    assert green.execute(CRM, "SELECT inherited FROM pg_stats WHERE tablename = 'measured' LIMIT 1") == [[True]]

    again = warm_green(lab.databases, lab.plan, lab.green)
    assert {database: warmth.tables_analysed for database, warmth in again.items()} == dict.fromkeys(DATABASES, 0)
    assert again[APP].relations_loaded >= warmths[APP].relations_loaded
    assert [measured.problems for measured in lag.measure(lab.databases, lab.plan, lab.green)] == [(), ()]

    installed = "SELECT count(*)::int FROM pg_extension WHERE extname = 'pg_prewarm'"
    assert lab.blue_server.execute(APP, installed) == [[0]]
    assert green.execute(APP, installed) == [[int(has_pg_prewarm)]]
    replication.drop_schema(lab.databases, lab.plan, lab.green)
    assert green.execute(APP, installed) == [[0]]


@pytest.mark.parametrize("lab", [SETTINGS], indirect=True)
def test_what_is_not_permitted_or_beyond_a_limit_is_left_out_and_counted(
    lab: Lab, limited: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat_up(lab.blue_server)
    lab.follow()
    assert lab.green_server
    for server in (lab.blue_server, lab.green_server):
        server.execute("postgres", "CREATE ROLE limited LOGIN PASSWORD 'limited'")
    lacking = 4
    both_of_heat_up = 2  # the role cannot see their statistics either

    refused = warm_green(limited, lab.plan, lab.green)[APP]
    assert (refused.tables_analysed, refused.tables_without_statistics) == (0, lacking + both_of_heat_up)
    assert (refused.relations_loaded, refused.bytes_loaded) == (0, 0)
    assert refused.skipped["sqlstate_42501"] > 0

    late = warm_green(lab.databases, lab.plan, lab.green, time_limit_s=0)[APP]
    assert (late.tables_analysed, late.tables_without_statistics, late.relations_loaded) == (0, lacking, 0)
    assert late.skipped.keys() == {"needs_pg_prewarm", "over_time_limit"}

    without_room = warm_green(lab.databases, lab.plan, lab.green, buffer_share=0)[APP]
    assert (without_room.tables_analysed, without_room.relations_loaded) == (lacking, 0)
    assert without_room.skipped.keys() == {"needs_pg_prewarm", "over_size_limit"}

    # Each look at the clock takes a second: one to begin with, then one for each portion.
    monkeypatch.setattr(green_cache, "PORTION_BLOCKS", 10)
    with_plan(lab, databases=(APP,))
    seconds = itertools.count()
    halfway = warm_green(lab.databases, lab.plan, lab.green, time_limit_s=4, clock=lambda: next(seconds))[APP]
    assert halfway.bytes_loaded == 3 * 10 * 8192
    assert halfway.skipped["over_time_limit"] == 2, "toast and table"


@pytest.mark.parametrize("lab", [SETTINGS], indirect=True)
def test_a_table_that_fails_costs_the_others_nothing_but_a_broken_server_is_an_error(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(green_cache, "STATEMENT_LIMIT_S", 4)
    heat_up(lab.blue_server)
    lab.blue_server.execute(APP, FRAGILE)
    lab.follow()
    green = lab.green_server
    assert green
    raising = "CREATE OR REPLACE FUNCTION fragile(id bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS"
    green.execute(APP, f"{raising} $$ BEGIN RAISE SQLSTATE '22012'; END $$")
    with closing(green.connect(APP)) as locker:
        locker.run("BEGIN")
        locker.run(f"LOCK TABLE orders, {HOT} IN ACCESS EXCLUSIVE MODE")
        warmth = warm_green(lab.databases, lab.plan, lab.green)[APP]
        locker.run("ROLLBACK")
    assert (warmth.tables_analysed, warmth.tables_without_statistics) == (3, 2), "all but orders and indexed"
    assert warmth.skipped["sqlstate_57014"] == 1, "the hot table; nobody locked its toast"
    assert warmth.relations_loaded > 0
    assert "tables have none still" in green_cache.sentence({APP: warmth.to_state()})

    green.execute(APP, f"{raising} $$ BEGIN RAISE SQLSTATE 'XX001'; END $$")
    with pytest.raises(SqlError) as raised:
        warm_green(lab.databases, lab.plan, lab.green)
    assert raised.value.sqlstate == "XX001"
    green.stop()
    with pytest.raises(DatabaseUnavailable):
        warm_green(lab.databases, lab.plan, lab.green)


VIEWS = """
CREATE FUNCTION divide(n bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 7 / (n - 1001); END';
CREATE MATERIALIZED VIEW "z: first" AS SELECT count(*) AS rows FROM orders;
CREATE VIEW between_them AS SELECT rows FROM "z: first";
CREATE MATERIALIZED VIEW "a ""second"" of" AS SELECT rows FROM between_them;
CREATE MATERIALIZED VIEW fails AS SELECT public.divide(rows) FROM "z: first";
CREATE MATERIALIZED VIEW "never filled" AS SELECT 1 AS one WITH NO DATA;
"""


def test_materialized_views_are_refreshed_each_after_those_that_it_reads(lab: Lab) -> None:
    lab.blue_server.execute(APP, VIEWS)
    lab.clone()
    assert lab.green_server
    lab.green_server.execute(APP, "INSERT INTO orders (note) VALUES ('replicated')")
    warmth = warm_green(lab.databases, lab.plan, lab.green)[APP]
    assert lab.green_server.execute(APP, 'SELECT rows FROM "a ""second"" of"') == [[1001]]
    assert (warmth.views_refreshed, warmth.views_left) == (2, 1)
    said = green_cache.sentence({APP: warmth.to_state()})
    assert "2 materialized views were refreshed; 1 could not be, and is as of the clone" in said
    with pytest.raises(DatabaseError, match="has not been populated"):
        lab.green_server.execute(APP, 'SELECT * FROM "never filled"')
