"""Scripts: taken apart, held against the rules, divided into transactions, found in S3."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bluegreen import drift
from bluegreen.changes import parsing, scripts, units
from bluegreen.changes.checking import take_apart
from bluegreen.changes.rules import Problem, Replicated, problems
from bluegreen.changes.scripts import Script
from bluegreen.errors import ChangeFailed, ChangesRefused
from bluegreen.fingerprint import Key
from bluegreen.model import Change, Plan, Relation

TABLES = Replicated(
    [Relation("public", "orders"), Relation("Sales Data", 'it\'s "odd"'), Relation("shop", "orders")],
    [Relation("shop", "key")],
)

REFUSED = {
    "DROP TABLE orders": "DROP TABLE orders: blue's rows have nowhere to go",
    "DROP TABLE other, shop.orders": "DROP TABLE shop.orders",
    "DROP SCHEMA shop CASCADE": "DROP SCHEMA shop: it holds replicated tables",
    "DROP SCHEMA bluegreen CASCADE": "the schema bluegreen is the release's",
    "DROP TABLE bluegreen.change": "the schema bluegreen is the release's",
    "DROP PUBLICATION bluegreen_1": "the publication bluegreen_1 is the release's",
    "DROP INDEX other, shop.key": "DROP INDEX shop.key: rows are found and compared by unique indexes",
    "DROP INDEX CONCURRENTLY key": "DROP INDEX key: rows are found and compared by unique indexes",
    "DROP INDEX CONCURRENTLY a, b": "one index at a time",
    "DROP OWNED BY app": "whatever a role owns",
    "ALTER TABLE orders RENAME TO sales": "RENAME of orders",
    "ALTER TABLE orders RENAME COLUMN a TO b": "RENAME of orders",
    "ALTER SCHEMA shop RENAME TO store": "RENAME of the schema shop",
    "ALTER DATABASE app RENAME TO other": "keep their names",
    "ALTER TABLE public.orders SET SCHEMA shop": "SET SCHEMA of public.orders",
    "ALTER TABLE orders DROP COLUMN a": "DROP COLUMN a: a column of a replicated table is dropped",
    'ALTER TABLE "Sales Data"."it\'s ""odd""" DROP a': "DROP COLUMN a",
    "ALTER TABLE orders ALTER a TYPE int2": "ALTER COLUMN a TYPE: a value of blue may not be the same as int2",
    "ALTER TABLE orders ALTER a TYPE bigint USING a + 1": "USING computes other values",
    "ALTER TABLE orders ALTER a SET NOT NULL": "SET NOT NULL a: a row of blue may hold NULL",
    "ALTER TABLE orders ADD COLUMN a int NOT NULL": "NOT NULL without a default",
    "ALTER TABLE orders ADD COLUMN a int UNIQUE": "ADD COLUMN a: a row of blue may break it",
    "ALTER TABLE orders ADD COLUMN a int REFERENCES other": "ADD COLUMN a: replication does not check it",
    "ALTER TABLE orders ADD CHECK (a > 0)": "ADD CONSTRAINT: a row of blue may break it",
    "ALTER TABLE orders ADD EXCLUDE USING gist (a WITH &&)": "ADD CONSTRAINT: a row of blue may break it",
    "ALTER TABLE orders ADD FOREIGN KEY (a) REFERENCES other NOT VALID": "a TRUNCATE on blue would stop",
    "CREATE TABLE more (o int REFERENCES orders)": "FOREIGN KEY to orders",
    "CREATE UNIQUE INDEX i ON orders (a)": "UNIQUE INDEX: a row of blue may break it",
    "CREATE INDEX CONCURRENTLY ON other (a)": "needs a name",
    "ALTER TABLE orders ENABLE ALWAYS TRIGGER t": "the trigger would fire for blue's rows",
    "ALTER TABLE orders ENABLE REPLICA TRIGGER t": "the trigger would fire for blue's rows",
    "ALTER TABLE orders REPLICA IDENTITY FULL": "replication finds rows by the replica identity",
    "ALTER TABLE orders SET UNLOGGED": "an unlogged table is empty after a failover",
    "ALTER TABLE orders ENABLE ROW LEVEL SECURITY": "replication is refused where policies apply",
    "ALTER TABLE orders DETACH PARTITION p": "stay as they are on blue",
    "INSERT INTO orders VALUES (1)": "INSERT on orders, whose rows come from blue",
    "WITH gone AS (DELETE FROM shop.orders RETURNING *) SELECT * FROM gone": "DELETE on shop.orders",
    "UPDATE orders SET a = 1": "UPDATE on orders",
    "MERGE INTO orders o USING n ON n.id = o.id WHEN MATCHED THEN DELETE": "MERGE on orders",
    "TRUNCATE other, orders": "TRUNCATE of orders",
    "COPY orders FROM '/tmp/x'": "COPY into orders",
    "COPY other FROM STDIN": "there is nobody to send or to read the rows",
    "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p": "subscriptions are the release's",
    "ALTER SUBSCRIPTION s DISABLE": "subscriptions are the release's",
    "DROP SUBSCRIPTION s": "subscriptions are the release's",
    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots": "reaches into replication",
    "SELECT pg_catalog.pg_terminate_backend(1)": "reaches into replication or into other sessions",
    "SELECT bluegreen.run_change('', 1, '', '')": "the schema bluegreen is the release's",
    "SELECT * FROM bluegreen.opening": "the schema bluegreen is the release's",
    "ALTER SYSTEM SET wal_level = minimal": "belong into its parameter group",
    "CREATE DATABASE d": "neither created nor dropped",
    "CREATE USER u": "LOGIN: only replication may sign in",
    "CREATE ROLE r LOGIN": "LOGIN",
    "ALTER ROLE r WITH LOGIN": "LOGIN",
    "GRANT CONNECT ON DATABASE app TO r": "GRANT CONNECT",
    "GRANT ALL ON DATABASE app TO r": "GRANT CONNECT",
    "SET SESSION AUTHORIZATION app": "SET session_authorization",
    "SET session_replication_role = replica": "triggers must fire",
    "SELECT 1 INTO other": "use CREATE TABLE AS",
    "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'": "RENAME VALUE: blue's rows go on bringing the old value",
    "DROP SEQUENCE IF EXISTS s CASCADE": "s is a sequence: the values of blue's sequences are carried over",
    "ALTER SEQUENCE shop.s RESTART": "shop.s is a sequence",
    "ALTER SEQUENCE s OWNED BY NONE": "s is a sequence",
    "ALTER SEQUENCE s RENAME TO t": "s is a sequence",
    "ALTER SEQUENCE s SET SCHEMA shop": "s is a sequence",
    "ALTER SEQUENCE s SET UNLOGGED": "s is a sequence",
    "CREATE SEQUENCE IF NOT EXISTS s; ALTER SEQUENCE s CACHE 9": "s is a sequence",
    "CREATE SEQUENCE shop.s; ALTER SEQUENCE s CACHE 9": "s is a sequence",
    "DROP SEQUENCE s; CREATE SEQUENCE s": "s is a sequence",
    "ALTER TABLE orders ALTER id DROP IDENTITY": "DROP IDENTITY id: the values of blue's sequences",
    "ALTER TABLE orders ALTER id SET INCREMENT 2": "SET IDENTITY id: the values of blue's sequences",
    "DROP ROLE r": "DROP ROLE: the switchover counts on the roles",
    "ALTER ROLE r RENAME TO s": "RENAME of the role r",
    "BEGIN; ROLLBACK": "ROLLBACK: a script may begin and commit, no more",
    "SAVEPOINT s": "SAVEPOINT: a script may begin and commit, no more",
    "PREPARE TRANSACTION 'x'": "PREPARE: a script may begin and commit, no more",
}

ALLOWED = [
    "ALTER TABLE orders ADD COLUMN a int, ADD COLUMN b text NOT NULL DEFAULT 'x' CHECK (b <> '')",
    "ALTER TABLE orders ADD COLUMN a serial NOT NULL",
    "ALTER TABLE orders ADD COLUMN a int NOT NULL GENERATED ALWAYS AS (1) STORED",
    "ALTER TABLE orders ALTER a TYPE bigint, ALTER b TYPE text, ALTER c DROP NOT NULL, ALTER d SET DEFAULT 1",
    "ALTER TABLE orders SET (fillfactor = 70)",
    "CREATE INDEX CONCURRENTLY i ON orders (a)",
    "CREATE TABLE other (id int PRIMARY KEY, o int UNIQUE CHECK (o > 0)); INSERT INTO other SELECT id FROM orders",
    "CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE ROLE r; GRANT SELECT ON orders TO r; CREATE USER n NOLOGIN; REVOKE CONNECT ON DATABASE app FROM r",
    "DROP INDEX public.key; DROP VIEW v; DROP INDEX CONCURRENTLY i; CREATE VIEW orders_of AS SELECT * FROM orders",
    "SELECT 'DROP TABLE orders; \\i x', $a$DELETE FROM orders;$a$ -- DROP TABLE orders;",
    "/* DROP /* nested */ TABLE orders; */ SELECT 1",
    "ALTER TYPE mood ADD VALUE 'ok'",
    "CREATE SEQUENCE s; ALTER SEQUENCE s CACHE 9; DROP SEQUENCE s; ALTER SEQUENCE blues OWNER TO app",
    "SET ROLE app; SET search_path = shop",
    "DO $$ BEGIN PERFORM 1; END $$",
    'INSERT INTO "Orders" VALUES (1)',
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED.items(), ids=REFUSED)
def test_what_replication_or_the_comparison_does_not_stand_is_refused_with_its_line(sql: str, reason: str) -> None:
    found = problems(parsing.statements(f"SELECT 1;\n-- why\n\n{sql};\n"), TABLES)
    assert any(reason in problem.reason for problem in found), found
    assert {problem.line for problem in found} == {4}


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_does_no_harm_is_not_refused(sql: str) -> None:
    assert problems(parsing.statements(sql), TABLES) == []


def test_lines_are_those_of_the_part_that_is_refused_whatever_stands_before() -> None:
    sql = "-- ü漢\r\n/* one\n /* two */\n*/ SELECT 'é\n;', $x$\n;$x$;\n\n"
    sql += "ALTER TABLE orders\n  ADD a int,\n  ADD b int NOT NULL"
    (problem,) = problems(parsing.statements(sql), TABLES)
    assert problem == Problem(10, "ADD COLUMN b: NOT NULL without a default: blue's rows bring no value for it")


@pytest.mark.parametrize(
    ("sql", "line", "reason"),
    [
        ("SELECT 1;\n\\i other.sql\n", 2, "a command of psql"),
        ("SELECT 1;\n\\connect x\n", 2, "a command of psql"),
        ("COPY other FROM stdin;\n1\t2\n\\.\n", 2, "data of COPY … FROM STDIN, which only psql can send"),
        ("SELECT 'ü',\n frm x y", 2, 'syntax error at or near "y"'),
        ("SELECT 'never ends", 1, "unterminated quoted string"),
        ("SELECT $$never ends", 1, "unterminated dollar-quoted string"),
        ("SELECT 1 /* never ends", 1, "unterminated /* comment"),
    ],
)
def test_what_is_no_sql_is_refused_with_its_line(sql: str, line: int, reason: str) -> None:
    with pytest.raises(parsing.Unparsable, match=reason.replace("*", r"\*")) as refused:
        parsing.statements(sql)
    assert refused.value.line == line


def test_a_script_of_ten_megabytes_is_taken_apart_and_the_line_in_it_is_right() -> None:
    row = "INSERT INTO other VALUES (1, '" + "x" * 9_950 + "');\n"
    found = parsing.statements(row * 1_050 + "DELETE FROM orders")
    assert len(found) == 1_051
    assert [problem.line for problem in problems(found, TABLES)] == [1_051]
    with pytest.raises(parsing.Unparsable, match="divide it"):
        parsing.statements("SELECT '" + "x" * parsing.MAX_STATEMENT_BYTES + "'")


def divided(sql: str) -> list[tuple[str, bool]]:
    return [
        ("; ".join(each.text for each in unit.statements), unit.is_transaction)
        for unit in units.units(parsing.statements(sql))
    ]


def test_a_script_is_one_transaction_unless_it_cannot_be() -> None:
    assert divided("SELECT 1; SELECT 2") == [("SELECT 1; SELECT 2", True)]
    assert divided("-- nothing") == []
    for alone in (
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REINDEX SCHEMA s",
        "VACUUM t",
        "CLUSTER",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
    ):
        assert divided(f"SELECT 1; {alone}; SELECT 2") == [("SELECT 1", True), (alone, False), ("SELECT 2", True)]
    own = "SET a.b = 1; SELECT 1; BEGIN; SELECT 2; SET LOCAL a.b = 2; COMMIT; SELECT 3"
    assert divided(own) == [("SELECT 1", True), ("SELECT 2; SET LOCAL a.b = 2", True), ("SELECT 3", True)]
    assert {unit.settings for unit in units.units(parsing.statements(own))} == {("SET a.b = 1",)}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("BEGIN;\nSELECT 1", "line 1: BEGIN without COMMIT"),
        ("SELECT 1;\nCOMMIT", "line 2: COMMIT without BEGIN"),
        ("BEGIN;\nBEGIN; COMMIT", "line 2: BEGIN within a transaction"),
        ("BEGIN;\nVACUUM; COMMIT", "line 2: it cannot run between BEGIN and COMMIT"),
    ],
)
def test_transactions_of_a_script_begin_and_end(sql: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        units.units(parsing.statements(sql))


def script(content: bytes, key: str = "one.sql") -> Script:
    return Script("app", "scripts", key, "v1", hashlib.sha256(content).hexdigest(), content)


def test_all_problems_of_all_scripts_are_told_at_once() -> None:
    with pytest.raises(ChangesRefused) as refused:
        take_apart(
            [script(b"DROP TABLE orders;\nTRUNCATE orders"), script(b"a\n\xff", "b"), script(b"SELECT 1\0", "c")],
            {"app": TABLES},
        )
    assert [line.partition(": ")[0] for line in str(refused.value).splitlines()[1:]] == [
        "s3://scripts/one.sql line 1",
        "s3://scripts/one.sql line 2",
        "s3://scripts/b line 2",
        "s3://scripts/c",
    ]


@pytest.mark.parametrize("error", [ChangesRefused, ChangeFailed])
@pytest.mark.parametrize("letter", ["x", '"', "ü", "漢", "😀"])
def test_no_message_about_a_script_is_so_long_that_step_functions_would_cut_it(
    error: type[Exception], letter: str
) -> None:
    told = str(error(letter * 40_000))
    assert told.endswith(f"{letter} … (this message was shortened)")
    assert len(told) < 8_100
    assert len(json.dumps({"errorMessage": told})) < 20_000
    assert str(error("a", "b" + letter)) == "a\nb" + letter


def test_a_byte_order_mark_is_no_part_of_a_script() -> None:
    (ready,) = take_apart([script(b"\xef\xbb\xbfSELECT 1;\r\n")], {"app": TABLES})
    assert [unit.statements[0].text for unit in ready.units] == ["SELECT 1"]


@pytest.fixture
def s3() -> Any:
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-2")
        client.create_bucket(Bucket="scripts", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        yield client


def with_changes(plan: Plan, *keys: str) -> Plan:
    return Plan.of({"plan": plan.to_state() | {"changes": [vars_of(key) for key in keys]}})


def vars_of(key: str) -> dict[str, str]:
    change = Change("app", "scripts", key)
    return {"database": change.database, "bucket": change.bucket, "key": change.key}


def test_scripts_are_read_in_order_with_their_versions(s3: Any, plan: Plan) -> None:
    s3.put_bucket_versioning(Bucket="scripts", VersioningConfiguration={"Status": "Enabled"})
    for key, text in (("r/", ""), ("r/2.sql", "two"), ("r/10 'ü'.sql", "ten"), ("one.sql", "old"), ("one.sql", "one")):
        version = s3.put_object(Bucket="scripts", Key=key, Body=text.encode())["VersionId"]
    found = scripts.read_all(s3, with_changes(plan, "one.sql", "r/"))
    assert [(each.key, each.text()) for each in found] == [
        ("one.sql", "one"),
        ("r/10 'ü'.sql", "ten"),
        ("r/2.sql", "two"),
    ]
    assert found[0].version == version
    assert found[0].sha256 == hashlib.sha256(b"one").hexdigest()


def test_scripts_that_cannot_be_read_are_told_all_at_once(s3: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put_object(Bucket="scripts", Key="one.sql", Body=b"SELECT 1")
    monkeypatch.setattr(scripts, "MAX_SCRIPT_BYTES", 4)
    with pytest.raises(ChangesRefused) as refused:
        scripts.read_all(s3, with_changes(plan, "none.sql", "empty/", "one.sql"))
    for reason in ("none.sql: there is no such object", "empty/: there is no script", "one.sql: longer than 4 bytes"):
        assert reason in str(refused.value)
    monkeypatch.undo()
    with pytest.raises(ChangesRefused, match="named twice for app"):
        scripts.read_all(s3, with_changes(plan, "one.sql", "one.sql"))


def test_the_same_object_that_is_changed_on_blue_as_well_is_drift() -> None:
    table, note = Key("TABLE", "orders", ""), Key("COLUMN", "orders.note", "TABLE orders")
    cloned = {table: "", note: "integer"}
    green = cloned | {note: "bigint"}
    made = drift.made_on_green(cloned, green)
    assert drift.differences(cloned, cloned, green, made) == []
    assert [each.side for each in drift.differences(cloned, cloned | {note: "text"}, green, made)] == ["blue"]
    assert [each.side for each in drift.differences(cloned, cloned, cloned | {note: "text"}, made)] == ["green"]
    assert [each.side for each in drift.differences(cloned, {table: ""}, green, made)] == ["blue"]
