"""Scripts on green, on real servers: run once, refused, corrected, left alone and found again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native
import pytest

from bluegreen import drift, lag, replication, switchover
from bluegreen.changes.applying import apply_changes
from bluegreen.changes.checking import check_changes
from bluegreen.changes.rules import Replicated
from bluegreen.errors import ChangeFailed, ChangeRunning, ChangesRefused, ReplicationLagging
from bluegreen.model import Change, Relation
from bluegreen.quoting import identifier
from bluegreen.verify.catalog import read_catalog
from tests.integration.conftest import APP, CRM, WRITER, Lab, make_lab, with_plan
from tests.integration.scripting import Bucket
from tests.integration.writing import writing
from tests.waiting import eventually

INSERT = "INSERT INTO orders (note) VALUES ('meanwhile')"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def green(server_folder: Path) -> Iterator[Lab]:
    """Green in step with blue, for all tests here: each makes objects of its own."""
    with make_lab(server_folder) as made:
        made.blue_server.execute(
            APP,
            "CREATE DOMAIN level AS int; "
            "CREATE DOMAIN positive AS int; CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE goods (moods mood[],"
            " id int PRIMARY KEY, kind varchar(9),"
            " price numeric(8, 2), amount int DEFAULT 1, size positive,"
            " twice int GENERATED ALWAYS AS (amount * 2) STORED);"
            " CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            " CREATE TRIGGER stamp BEFORE INSERT ON goods FOR EACH ROW EXECUTE FUNCTION stamp();"
            " INSERT INTO goods (id, kind, price) VALUES (1, 'a', 1.5), (2, 'b', 2);"
            " CREATE TABLE found_by (id int NOT NULL);"
            " CREATE UNIQUE INDEX found_by_id ON found_by (id);"
            " ALTER TABLE found_by REPLICA IDENTITY USING INDEX found_by_id;"
            " CREATE TABLE keyed (id int PRIMARY KEY CHECK (id > 0), code int UNIQUE, at level)",
        )
        made.follow()
        yield made


def run(lab: Lab, scripts: str | Bucket, database: str = APP, **listening: float) -> list[dict[str, Any]]:
    """Runs all scripts of a bucket; a text is a script of its own."""
    bucket = scripts if isinstance(scripts, Bucket) else Bucket(**{f"script {next(NUMBERS)}": scripts})
    plan = with_plan(lab, changes=tuple(Change(database, "scripts", name) for name in sorted(bucket.scripts)))
    return apply_changes(lab.databases, bucket, plan, lab.green, **listening)


def on_green(lab: Lab, sql: str, database: str = APP) -> Any:
    assert lab.green_server
    return lab.green_server.execute(database, sql)


def is_valid(lab: Lab, index: str) -> bool:
    return bool(on_green(lab, f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass")[0][0])


@contextmanager
def held(lab: Lab, number: int) -> Iterator[pg8000.native.Connection]:
    """A lock on green that a script can wait for."""
    assert lab.green_server
    connection = lab.green_server.connect(APP)
    connection.run(f"SELECT pg_advisory_lock({number})")
    try:
        yield connection
    finally:
        connection.close()


def test_a_script_runs_once_and_what_it_did_is_told(green: Lab) -> None:
    bucket = Bucket(
        once="CREATE TABLE added (id int);\nINSERT INTO added VALUES (1), (2);\nDROP TABLE IF EXISTS nothing"
    )
    (first,) = run(green, bucket)
    assert (first["database"], first["statements"], first["rows"], first["notices"]) == (APP, 3, 2, 1)
    assert run(green, bucket) == [first]
    assert on_green(green, "SELECT count(*) FROM added") == [[2]]
    bucket.put("once", "SELECT 1")
    with pytest.raises(ChangesRefused, match="s3://scripts/once: it has run, and says something else now"):
        run(green, bucket)


def test_what_scripts_make_is_neither_drift_nor_a_difference_and_rows_go_on_coming(green: Lab) -> None:
    script = """
        ALTER TABLE orders ADD COLUMN source text NOT NULL DEFAULT 'web' CHECK (source <> '');
        ALTER TABLE goods ALTER kind TYPE text, ALTER price TYPE numeric;
        CREATE INDEX CONCURRENTLY orders_by_source ON orders (source);
        CREATE TABLE tallies (day date PRIMARY KEY, orders bigint GENERATED ALWAYS AS IDENTITY);
        CREATE SEQUENCE tickets;
    """
    with writing(green, INSERT):
        run(green, script)
    assert is_valid(green, "orders_by_source")
    eventually(lambda: _is_in_step(green))
    drift.require_none(drift.find(green.databases, green.plan, green.green))
    sides = green.databases.on(green.plan.blue, APP), green.databases.on(green.green, APP)
    catalog = read_catalog(*sides)
    assert catalog.problems == ()
    assert {"public.tallies is on green only", "public.orders: column source is on green only"} <= set(catalog.notes)
    sequences = {state.sequence for state in switchover.sequence_states(sides[1])}
    assert Relation("public", "tickets") in sequences


def test_a_column_that_keys_and_checks_count_on_can_be_made_wider(green: Lab) -> None:
    run(green, "ALTER TABLE keyed ALTER id TYPE bigint, ALTER code TYPE bigint")
    with pytest.raises(ChangeFailed, match=r"constraint public[.]keyed keyed_id_check is new"):
        run(green, "DO $$BEGIN ALTER TABLE keyed DROP CONSTRAINT keyed_id_check, ADD CHECK (id > 1); END$$")


def _is_in_step(lab: Lab) -> bool:
    try:
        lag.require_small(lag.measure(lab.databases, lab.plan, lab.green), lab.plan.max_lag_bytes, 60)
    except ReplicationLagging:
        return False
    count = "SELECT count(*) FROM orders"
    return bool(lab.blue_server.execute(APP, count) == on_green(lab, count))


UNSEEN = {
    "DROP TABLE goods": "table public.goods is gone",
    "ALTER TABLE goods RENAME TO wares": "table public.goods is not what it was",
    'ALTER TABLE goods SET SCHEMA "Sales Data"': "table public.goods is not what it was",
    'ALTER SCHEMA "Sales Data" RENAME TO s': 'table Sales Data.select "all" of is not what it was',
    "ALTER TABLE goods DROP kind CASCADE": "column public.goods.kind is gone",
    "ALTER TABLE goods RENAME kind TO sort": "column public.goods.kind is not what it was",
    "ALTER TABLE goods ALTER kind TYPE varchar(5)": "type of column public.goods.kind is not what it was",
    "ALTER TABLE goods ALTER price TYPE numeric(8, 1)": "type of column public.goods.price is not what it was",
    "ALTER TABLE goods ALTER price TYPE float8": "type of column public.goods.price is not what it was",
    'ALTER TABLE orders ALTER note TYPE text COLLATE "C"': "type of column public.orders.note is not what it was",
    "ALTER TABLE goods ALTER amount SET NOT NULL": "NOT NULL public.goods.amount is new",
    "ALTER TABLE measured_2026 ADD UNIQUE (at)": "constraint public.measured_2026 measured_2026_at_key is new",
    "ALTER TABLE goods ADD CHECK (price > 0) NOT VALID": "constraint public.goods goods_price_check is new",
    "CREATE TABLE bad (good int REFERENCES goods)": "constraint public.goods bad_good_fkey is new",
    "ALTER DOMAIN level SET NOT NULL": "NOT NULL domain public.level is new",
    "ALTER DOMAIN positive ADD CHECK (VALUE > 0)": "constraint positive_check is new",
    "CREATE UNIQUE INDEX ON goods (kind)": "unique index public.goods public.goods_kind_idx is new",
    "ALTER TABLE goods DROP CONSTRAINT goods_pkey": "replica identity public.goods is not what it was",
    "ALTER TABLE goods REPLICA IDENTITY FULL": "replica identity public.goods is not what it was",
    "ALTER TABLE goods ALTER twice DROP EXPRESSION": "GENERATED of column public.goods.twice is not what it was",
    "ALTER TABLE goods ENABLE ALWAYS TRIGGER stamp": "trigger that fires for blue's rows public.goods stamp is new",
    "ALTER TABLE goods ENABLE ROW LEVEL SECURITY": "row security public.goods ENABLE is new",
    "ALTER TABLE goods SET UNLOGGED": "kind of storage public.goods is not what it was",
    "ALTER TABLE measured DETACH PARTITION measured_2026": "kind of storage public.measured_2026 is not what it was",
    "DELETE FROM goods WHERE id = 2": "written row public.goods is new",
    "INSERT INTO goods (id) VALUES (9)": "written row public.goods is new",
    "TRUNCATE goods": "rows public.goods is gone",
    "ALTER TYPE mood RENAME VALUE 'good' TO 'fine'": "value of type public.mood good is not what it was",
    "ALTER TABLE orders ALTER id DROP IDENTITY": "sequence of column public.orders.id is gone",
    "ALTER SEQUENCE orders_id_seq RENAME TO numbers": "sequence of column public.orders.id is not what it was",
    "DROP ROLE was_nologin": "role was_nologin is gone",
    "ALTER ROLE was_nologin RENAME TO nobody": "role was_nologin is not what it was",
    "CREATE ROLE visitor LOGIN": "LOGIN visitor is new",
    "ALTER SUBSCRIPTION {subscription} DISABLE": "subscription {subscription} is not what it was",
    "DROP TABLE bluegreen.sentinel": "object of the release bluegreen.sentinel is gone",
}
"""What a parser cannot see when a function does it, and the word of the catalog."""


def test_what_no_parser_sees_is_found_in_the_catalog_and_rolled_back(green: Lab) -> None:
    run(green, "SELECT 1")
    session = green.databases.on(green.green, APP)
    name = green.plan.sql_name
    session.run("SET search_path = public")
    for number, (sql, reason) in enumerate(UNSEEN.items()):
        hidden = "DO $hidden$ BEGIN EXECUTE $$" + sql.format(subscription=name) + "$$; END $hidden$"
        key = {"key": "unseen", "number": number}
        session.query("begin_change", **key, sha256="", script_sha256="", version="")
        session.query("run_change", **key, roles="[]", statements=json.dumps(["SELECT 1", hidden]), subscription=name)
        row = session.query("change_parts", key="unseen")[number]
        assert reason.format(subscription=name) in str(row["failure"]), sql
        assert row["failed_statement"] == -1
    session.run("RESET search_path")
    drift.require_none(drift.find(green.databases, green.plan, green.green))


def test_a_script_that_a_function_makes_harmful_is_refused_with_the_reason_and_leaves_nothing(green: Lab) -> None:
    script = "CREATE TABLE half (id int);\n\nDO $$ BEGIN EXECUTE 'DELETE FROM goods'; END $$"
    with pytest.raises(ChangeFailed, match=r"line 1: .* rolled back: rows? .*public\.goods|written row public\.goods"):
        run(green, script)
    assert on_green(green, "SELECT to_regclass('half')") == [[None]]
    eventually(lambda: _is_in_step(green))


def test_a_failed_script_names_its_line_and_the_corrected_one_goes_on(green: Lab) -> None:
    bucket = Bucket(b="CREATE TABLE corrected (id int);\n\n  -- now\nINSERT INTO corrected\nVALUES ('x');")
    with pytest.raises(ChangeFailed, match='s3://scripts/b line 4: invalid input syntax for type integer: "x"'):
        run(green, bucket)
    bucket.put("b", "CREATE TABLE corrected (id int); INSERT INTO corrected VALUES (7)")
    run(green, bucket)
    assert on_green(green, "SELECT id FROM corrected") == [[7]]


@pytest.mark.parametrize("first", ["", "VACUUM orders; "], ids=["together", "one by one"])
def test_a_failed_script_tells_the_hint_of_the_server_but_no_value_of_a_row(green: Lab, first: str) -> None:
    raising = "DO $$ BEGIN RAISE 'too bad' USING DETAIL = 'Failing row contains (s3cret)', HINT = 'Mend it.'; END $$"
    bucket = Bucket(**{f"raising {next(NUMBERS)}": first + raising})
    with pytest.raises(ChangeFailed, match=r"line 1: too bad: Mend it\.") as failed:
        run(green, bucket)
    assert "s3cret" not in str(failed.value)
    assert on_green(green, "SELECT count(*) FROM bluegreen.change WHERE failure LIKE '%s3cret%'") == [[0]]


def test_a_failed_concurrent_index_tells_no_value_of_a_row(green: Lab) -> None:
    on_green(green, "CREATE TABLE doubled AS SELECT 's3cret' AS word FROM generate_series(1, 2)")
    with pytest.raises(ChangeFailed, match=r"line 1: .*could not create unique index") as failed:
        run(green, "CREATE UNIQUE INDEX CONCURRENTLY doubled_word ON doubled (word)")
    assert "s3cret" not in str(failed.value)


def test_what_ran_outside_of_a_transaction_stays_and_an_invalid_index_is_made_anew(green: Lab) -> None:
    first = 'SET search_path = "Sales Data", public;\nCREATE TABLE steps (id int);\nINSERT INTO steps VALUES (1);\n'
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS goods_inverse ON goods ((1 / (id - {})));\n"
    last = "BEGIN; INSERT INTO steps VALUES (2); INSERT INTO steps VALUES (3); COMMIT; VACUUM steps"
    bucket = Bucket(steps=first + index.format(1) + last)
    with pytest.raises(ChangeFailed, match=r"steps line 4: .*division by zero"):
        run(green, bucket)
    assert not is_valid(green, "goods_inverse")
    bucket.put("steps", first.replace("(1)", "(5)") + index.format(0) + last)
    with pytest.raises(ChangesRefused, match=r"line 3: the first 2 parts of this script have run for good"):
        run(green, bucket)
    bucket.put("steps", first + index.format(0) + last)
    run(green, bucket)
    assert is_valid(green, "goods_inverse")
    assert on_green(green, 'SELECT id FROM "Sales Data".steps ORDER BY id') == [[1], [2], [3]]


def test_what_ran_alone_and_broke_something_is_told_though_it_cannot_be_rolled_back(
    green: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "SELECT 1;\nDROP INDEX CONCURRENTLY found_by_id"
    with pytest.raises(ChangesRefused, match=r"line 2: DROP INDEX found_by_id: rows are found and compared by"):
        run(green, script)
    monkeypatch.setattr(Replicated, "has_index", lambda *_: False)  # as when a new kind of harm is not foreseen
    bucket = Bucket(alone=script)
    broken = r"alone line 2: .*cannot be rolled back.*: replica identity public\.found_by is not what it was"
    with pytest.raises(ChangeFailed, match=broken):
        run(green, bucket)
    bucket.put("alone", "SELECT 1;\nVACUUM found_by")
    with pytest.raises(ChangeFailed, match=broken):
        run(green, bucket)
    on_green(green, "CREATE UNIQUE INDEX found_by_id ON found_by (id)")
    on_green(green, "ALTER TABLE found_by REPLICA IDENTITY USING INDEX found_by_id")
    run(green, bucket)


@pytest.mark.parametrize("last", ["INSERT INTO {} VALUES (1)", "SELECT 1 / 0"], ids=["done", "failed"])
def test_a_script_goes_on_in_the_server_when_nobody_listens_and_is_found_running_then_ended(
    green: Lab, last: str
) -> None:
    number = next(NUMBERS)
    table = f"alone_{number}"
    script = f"CREATE TABLE {table} (id int); SELECT pg_advisory_lock({number}); {last.format(table)}"
    bucket = Bucket(**{f"alone {number}": script})
    with held(green, number):
        with pytest.raises(ChangeRunning, match="goes on"):
            run(green, bucket, listen_s=1)
        with pytest.raises(ChangeRunning, match="a script runs in session"):
            run(green, bucket, listen_s=0.2)
    if "1 / 0" in last:
        with pytest.raises(ChangeFailed, match="division by zero"):
            run(green, bucket)
        assert on_green(green, f"SELECT to_regclass('{table}')") == [[None]]
    else:
        run(green, bucket)
        assert on_green(green, f"SELECT count(*) FROM {table}") == [[1]]
        assert on_green(green, f"SELECT attempts FROM bluegreen.change WHERE key = 'alone {number}'") == [[1]]
    eventually(lambda: _is_in_step(green))


def test_an_index_that_was_finished_while_nobody_listened_is_not_made_twice(green: Lab) -> None:
    number = next(NUMBERS)
    function = f"CREATE FUNCTION slow_{number}(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
    function += f" PERFORM pg_advisory_xact_lock_shared({number}); RETURN $1; END $$;\n"
    bucket = Bucket(
        **{f"slow {number}": f"{function}CREATE INDEX CONCURRENTLY slow_{number} ON goods (slow_{number}(id))"}
    )
    with held(green, number), pytest.raises(ChangeRunning):
        run(green, bucket, listen_s=3)
    (told,) = run(green, bucket)
    assert told["statements"] == 2
    assert is_valid(green, f"slow_{number}")


def test_scripts_that_are_asked_for_twice_at_once_run_once(green: Lab) -> None:
    bucket = Bucket(twice="CREATE TABLE run_twice (id int); INSERT INTO run_twice VALUES (1)")
    plan = with_plan(green, changes=(Change(APP, "scripts", "twice"),))
    other = type(green.databases)(green.databases.credentials, "disable")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda databases: apply_changes(databases, bucket, plan, green.green), (green.databases, other)))
    other.close()
    assert on_green(green, "SELECT count(*) FROM run_twice") == [[1]]


def test_scripts_run_on_their_databases_in_order_and_as_the_role_that_they_set(green: Lab) -> None:
    role = identifier(WRITER)
    bucket = Bucket(
        **{"a/2": f"SET ROLE {role}; CREATE TABLE o''dd.\"it's\" ()".replace("o''dd.", ""), "a/10": "SELECT 1"}
    )
    on_green(green, f"GRANT CREATE ON SCHEMA public TO {role}", CRM)
    plan = with_plan(green, changes=(Change(CRM, "scripts", "a/"),))
    told = apply_changes(green.databases, bucket, plan, green.green)
    assert [each["script"] for each in told] == ["s3://scripts/a/10", "s3://scripts/a/2"]
    owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'it''s'"
    assert on_green(green, owner, CRM) == [[role]]
    assert green.databases.on(green.green, CRM).run("SELECT current_user AS me") == [{"me": "bluegreen_release"}]


def test_a_role_that_is_no_superuser_changes_as_the_owner_that_it_is_a_member_of(green: Lab) -> None:
    me = "bluegreen_release"
    on_green(green, f"CREATE ROLE owners; GRANT owners TO {me}; GRANT CREATE ON SCHEMA public TO owners")
    on_green(green, "CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO owners")
    on_green(green, f"GRANT EXECUTE ON FUNCTION pg_replication_origin_progress TO {me}")  # rds_superuser has it
    on_green(green, f"ALTER ROLE {me} NOSUPERUSER")
    try:
        run(green, "SET ROLE owners; CREATE TABLE by_owners (id int); INSERT INTO by_owners VALUES (1)")
        script = (
            "SET ROLE owners;\nCREATE INDEX CONCURRENTLY owned_id ON owned (id);\nCREATE TABLE also_by_owners ();\n"
        )
        bucket = Bucket(owned=f"{script}SELECT 1 / 0")
        with pytest.raises(ChangeFailed, match="owned line 4: division by zero"):
            run(green, bucket)
        bucket.put("owned", f"{script}RESET ROLE; CREATE TABLE by_release ()")
        run(green, bucket)
    finally:
        on_green(green, f"ALTER ROLE {me} SUPERUSER")
    owner = "SELECT relname FROM pg_class WHERE relowner = 'owners'::regrole AND relnamespace = 'public'::regnamespace"
    made = {"owned", "owned_id", "by_owners", "also_by_owners"}
    assert {name for (name,) in on_green(green, owner)} == made
    assert on_green(green, "SELECT tableowner FROM pg_tables WHERE tablename = 'by_release'") == [[me]]
    eventually(lambda: _is_in_step(green))


def test_before_anything_is_touched_every_problem_of_every_script_is_told(green: Lab) -> None:
    bucket = Bucket(
        a="DROP TABLE goods;\n\nALTER TABLE public.orders DROP note",
        b="SELECT frm x y",
        c=b"\xff\xfe",
        d="\ufeffCREATE TABLE fine (id int);\r\nSELECT 'DROP TABLE goods; \\i x' AS \"goods\" -- DROP TABLE goods\r\n;",
        e="DELETE FROM measured",
    )
    plan = with_plan(green, changes=tuple(Change(APP, "scripts", name) for name in "abcde"))
    with pytest.raises(ChangesRefused) as refused:
        check_changes(green.databases, bucket, plan)
    lines = str(refused.value).splitlines()[1:]
    assert [line.split(": ")[0] for line in lines] == [
        *("s3://scripts/a line 1", "s3://scripts/a line 3", "s3://scripts/b line 1"),
        *("s3://scripts/c line 1", "s3://scripts/e line 1"),
    ]
    with_plan(green, changes=(Change(APP, "scripts", "d"),))
    assert check_changes(green.databases, bucket, green.plan) == {"scripts": 1, "statements": 2}
    with pytest.raises(ChangesRefused, match="there is no such object"):
        check_changes(green.databases, Bucket(), green.plan)


def test_a_lost_connection_between_two_parts_leaves_green_following(green: Lab) -> None:
    replication.pause(green.databases.on(green.green, APP), green.plan)
    run(green, "SELECT 1")
    eventually(lambda: _is_in_step(green))
