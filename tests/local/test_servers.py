"""The servers look like Aurora PostgreSQL to their clients, and survive what servers survive."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from local.host import reachable
from local.postgres.binaries import usable_binaries
from local.postgres.roles import ReplicationRule, create_master, create_role
from local.postgres.servers import Server, ServerError, find_binaries
from tests.local.conftest import NewServer


def test_a_missing_version_is_an_error_that_says_where_it_was_looked_for_and_what_to_do() -> None:
    with pytest.raises(ServerError) as caught:
        find_binaries(12)
    for hint in ("PostgreSQL 12", "/usr/lib/postgresql/12/bin", "apt install postgresql-12", "BLUEGREEN_PG12_BIN"):
        assert hint in str(caught.value)


def test_a_variable_chooses_the_binaries(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = find_binaries(16)
    monkeypatch.setenv("BLUEGREEN_PG12_BIN", str(chosen))
    assert find_binaries(12) == chosen


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps folders from the servers' account")
def test_binaries_below_a_closed_folder_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    shutil.copytree(find_binaries(16).parent, tmp_path / "install")
    monkeypatch.setenv("BLUEGREEN_PG16_BIN", str(tmp_path / "install" / "bin"))
    copy = usable_binaries.__wrapped__(16)
    assert copy != find_binaries(16)
    assert reachable(copy)


def test_clients_come_in_by_password_only_and_never_as_the_superuser_of_aws(new_server: NewServer) -> None:
    server = new_server()
    password = secrets.token_urlsafe()
    create_master(server, password)
    server.connect("postgres", "postgres", password).close()
    with pytest.raises(DatabaseError) as caught:
        server.connect("postgres", "postgres", "wrong")
    assert caught.value.args[0]["C"] == "28P01"
    with pytest.raises(DatabaseError) as caught:
        server.connect("rdsadmin", "postgres", password)
    assert caught.value.args[0]["C"] == "28000"
    [[source]] = server.execute("postgres", "SELECT inet_client_addr()")
    assert source is None


def test_the_server_looks_like_aurora_with_logical_replication_on(each_version: int, new_server: NewServer) -> None:
    server = new_server(each_version)
    server.execute("postgres", "CREATE DATABASE app TEMPLATE template0")
    for database in ("postgres", "template1", "app"):
        assert server.execute(database, "SELECT aurora_volume_logical_start_lsn()::text") == [["0/1000000"]]
    settings = {"wal_level": "logical", "rds.logical_replication": "on", "max_replication_slots": "20", "fsync": "on"}
    for name, value in settings.items():
        assert server.execute("postgres", "SELECT current_setting(:name)", name=name) == [[value]]
    [[version]] = server.execute("postgres", "SELECT current_setting('server_version_num')::int / 10000")
    assert version == each_version
    create_master(server, secrets.token_urlsafe())
    [[groups]] = server.execute(
        "postgres",
        "SELECT array_agg(r ORDER BY r) FROM unnest(ARRAY['rds_superuser', 'rds_replication', 'pg_monitor', 'rds_iam'])"
        " AS r WHERE pg_has_role('postgres', r, 'MEMBER')",
    )
    assert groups == ["pg_monitor", "rds_replication", "rds_superuser"]


def test_logical_replication_can_be_off_as_in_the_default_parameter_group(new_server: NewServer) -> None:
    server = new_server(parameters={"rds.logical_replication": "0", "max_wal_senders": "7"})
    for name, value in {"wal_level": "replica", "rds.logical_replication": "off", "max_wal_senders": "7"}.items():
        assert server.execute("postgres", "SELECT current_setting(:name)", name=name) == [[value]]


def test_the_log_shows_a_password_in_a_statement_and_none_of_ours(new_server: NewServer) -> None:
    server = new_server()
    ours, leaked, bound = (secrets.token_urlsafe() for _ in range(3))
    create_role(server, "somebody", ours, options="CREATEROLE")
    connection = server.connect("postgres", "somebody", ours)
    connection.run(f"ALTER ROLE somebody PASSWORD '{leaked}'")
    connection.run("SELECT set_config('application_name', :value, false)", value=bound)
    connection.close()
    log = server.log.read_text()
    assert leaked in log
    assert bound in log
    assert ours not in log


def test_a_killed_server_comes_back_with_what_it_confirmed(new_server: NewServer) -> None:
    server = new_server()
    connection = server.connect()
    connection.run("CREATE TABLE t AS SELECT 1 AS n")
    server.kill()
    assert not server.running
    with pytest.raises((InterfaceError, DatabaseError, OSError)):
        connection.run("SELECT 1")
    with suppress(InterfaceError, OSError):
        connection.close()
    server.start()
    assert server.execute("postgres", "SELECT n FROM t") == [[1]]
    server.restart("immediate")
    assert server.execute("postgres", "SELECT n FROM t") == [[1]]


def test_a_server_that_cannot_start_says_why(new_server: NewServer) -> None:
    server = new_server()
    server.stop()
    server.parameters["max_connections"] = "many"
    with pytest.raises(ServerError, match='invalid value for parameter "max_connections"'):
        server.start()


def test_a_clone_has_its_sources_slots_and_stays_what_it_is_over_restarts(
    each_version: int, new_server: NewServer
) -> None:
    blue = new_server(each_version)
    for database, two_phase in {"app": "false", "crm": "true"}.items():
        blue.execute("postgres", f"CREATE DATABASE {database}")
        sql = f"SELECT pg_create_logical_replication_slot('for_{database}', 'pgoutput', false, {two_phase})"
        blue.execute(database, sql)
    blue.execute("app", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
    clone = new_server(source=blue)
    [history] = (clone.data / "pg_wal").glob("*.history")
    assert history.read_text().split()[1] == clone.start_lsn
    slots = "SELECT slot_name, database, plugin, two_phase, confirmed_flush_lsn FROM pg_replication_slots ORDER BY 1"
    assert clone.execute("postgres", slots) == blue.execute("postgres", slots)
    for interrupt in (clone.start, clone.restart, clone.kill):
        interrupt()
        clone.start()
        assert clone.execute("app", "SELECT aurora_volume_logical_start_lsn()") == [[clone.start_lsn]]
        clone.execute("app", "INSERT INTO t VALUES (2)")
    for database in ("app", "crm"):
        drop = (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
        )
        clone.execute(database, drop)
    clone.execute("app", "CHECKPOINT")
    assert clone.execute("app", slots) == []
    assert blue.execute("app", "SELECT aurora_volume_logical_start_lsn()::text") == [["0/1000000"]]


def test_a_prepared_transaction_is_prepared_on_the_clone_too(new_server: NewServer) -> None:
    """So it is in any physical copy: until rolled back there, it holds its locks against the rows from replication."""
    blue = new_server()
    blue.execute("postgres", "CREATE TABLE t (n int)")
    blue.execute("postgres", "SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
    blue.execute("postgres", "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'pending'")
    clone = new_server(source=blue)
    assert clone.execute("postgres", "SELECT gid FROM pg_prepared_xacts") == [["pending"]]


def test_a_clone_can_be_taken_without_starting_it_and_with_other_parameters(new_server: NewServer) -> None:
    clone = new_server(source=new_server(), start=False, parameters={"max_connections": "50"})
    assert not clone.running
    with pytest.raises((InterfaceError, OSError)):
        clone.connect("postgres", "postgres", "any")
    clone.start()
    assert clone.execute("postgres", "SELECT current_setting('max_connections')") == [["50"]]


def test_members_of_rds_replication_and_nobody_else_may_replicate(new_server: NewServer) -> None:
    server = new_server()
    rule = ReplicationRule()
    names = ["member", 'quoted "member"', "stranger"]
    passwords = {name: secrets.token_urlsafe() for name in names}
    for name, password in passwords.items():
        create_role(server, name, password)
    server.execute("postgres", 'GRANT rds_replication TO member, "quoted ""member"""; ALTER ROLE stranger REPLICATION')
    create_master(server, secrets.token_urlsafe())
    rule.apply([server])
    assert _replicating(server) == ["member", 'quoted "member"']
    server.restart()
    server.execute("postgres", 'REVOKE rds_replication FROM member; DROP ROLE "quoted ""member"""')
    rule.apply([server])
    assert _replicating(server) == []
    server.stop()
    rule.apply([server])
    rule.close()


def _replicating(server: Server) -> list[str]:
    rows = server.execute("postgres", "SELECT rolname FROM pg_roles WHERE rolreplication AND NOT rolsuper ORDER BY 1")
    return [name for (name,) in rows]
