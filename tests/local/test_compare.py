"""Two databases are compared whatever their schema is, and across versions of PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.clients.compare import compare_databases
from local.clients.sample import create_sample
from local.host import reserve_address
from local.postgres import psqlfile
from local.postgres.servers import Server

ODD = r"""
CREATE SCHEMA "Odd ""one"" here";
CREATE TABLE "Odd ""one"" here"."Keyless; --" (r int, __ text, "Col:umn" float8);
COPY "Odd ""one"" here"."Keyless; --" FROM stdin;
1	one\ttab	NaN
1	one\ttab	NaN
2	\N	-0
\.
CREATE TABLE parent (id int PRIMARY KEY, note text);
CREATE TABLE child (more jsonb) INHERITS (parent);
INSERT INTO parent VALUES (1, 'in parent');
INSERT INTO child VALUES (1, 'in child', '{"a": 1.00}');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE covered (a int, b int, payload text, PRIMARY KEY (b, a) INCLUDE (payload));
INSERT INTO covered SELECT n, n % 3, 'p' || n FROM generate_series(1, 50) n;
CREATE TABLE gone (LIKE covered INCLUDING ALL);
CREATE SEQUENCE "Odd ""one"" here"."My Seq" CACHE 5;
\echo psql reads this
"""


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers of different versions that hold the same databases."""
    with ExitStack() as stack:
        servers = []
        for version in (16, 18):
            reservation = stack.enter_context(reserve_address())
            server = Server.create(folder / f"compare-{version}", version, *reservation.getsockname())
            stack.callback(server.remove)
            create_sample(server)
            servers.append(server)
        yield servers[0], servers[1]


def load_odd(servers: Iterable[Server], folder: Path, database: str) -> None:
    file = folder / f"{database}.sql"
    file.write_text(ODD)
    for server in servers:
        server.execute("postgres", f"CREATE DATABASE {database}")
        psqlfile.load(server, database, file)


def test_equal_databases_have_no_difference(servers: tuple[Server, Server], tmp_path: Path) -> None:
    load_odd(servers, tmp_path, "equal")
    for database in ("app", "crm", "equal"):
        assert compare_databases(*servers, database) == []


def test_each_difference_is_named(servers: tuple[Server, Server], tmp_path: Path) -> None:
    load_odd(servers, tmp_path, "different")
    _, green = servers
    green.execute(
        "different",
        r"""
        DELETE FROM "Odd ""one"" here"."Keyless; --" WHERE ctid = '(0,1)';
        UPDATE ONLY parent SET note = 'changed';
        UPDATE covered SET payload = NULL WHERE a = 7;
        DELETE FROM covered WHERE a = 9;
        INSERT INTO covered VALUES (51, 0, 'new');
        ALTER TABLE child RENAME more TO less;
        DROP TABLE gone;
        CREATE TABLE come ();
        SELECT nextval('"Odd ""one"" here"."My Seq"');
        """,
    )
    keyless, *others = map(str, compare_databases(*servers, "different"))
    assert re.fullmatch(r'"Odd ""one"" here"\."Keyless; --" [0-9a-f]{32} #2: row is on blue only', keyless)
    assert others[0].startswith('"Odd ""one"" here"."My Seq": blue has Sequence(last_value=1, is_called=False')
    assert others[1:] == [
        "public.child: the columns differ",
        "public.come: table is on green only",
        "public.covered (0,51): row is on green only",
        "public.covered (0,9): row is on blue only",
        "public.covered (1,7): row differs in payload",
        "public.gone: table is on blue only",
        "public.parent (1): row differs in note",
    ]


def test_a_file_with_an_error_changes_nothing(servers: tuple[Server, Server], tmp_path: Path) -> None:
    file = tmp_path / "broken.sql"
    file.write_text("CREATE TABLE half (id int);\nCREATE TABLE half (id int);\n")
    with pytest.raises(psqlfile.LoadError, match=r"broken\.sql:2: .*already exists"):
        psqlfile.load(servers[0], "postgres", file)
    assert servers[0].execute("postgres", "SELECT to_regclass('half')") == [[None]]
