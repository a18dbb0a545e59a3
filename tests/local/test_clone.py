"""The foundation of every local run: a clone holds what was committed before its start position and nothing else."""

from __future__ import annotations

import struct
import threading
from collections import Counter
from functools import partial
from typing import Any

from pg8000.native import Connection, literal

from local.postgres.roles import ReplicationRule, create_role
from local.postgres.servers import Server
from tests.local.conftest import NewServer
from tests.waiting import eventually

WRITERS = 4
CLONES = 2
PASSWORD = "replication-password"


class Writer(threading.Thread):
    """Writes, with every ending that a transaction can have, until told to stop; `committed` counts confirmed ones."""

    def __init__(self, server: Server, number: int, stop: threading.Event) -> None:
        super().__init__()
        self._connection = server.connect("app")
        self._number = number
        self._stop_event = stop
        self.committed = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            turn = 0
            while not self._stop_event.is_set():
                turn += 1
                self._write(turn)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._connection.close()

    def _write(self, turn: int) -> None:
        kind = turn % 5
        if kind == 0:
            self._insert(turn, 1)
        elif kind == 1:
            self._run("BEGIN")
            self._insert(turn, 1)
            self._run("UPDATE counter SET n = n + 1 WHERE writer = :writer", writer=self._number)
            self._insert(turn, 2)
            self._run("COMMIT")
        elif kind == 2:
            self._run("BEGIN")
            self._insert(turn, 1)
            self._run("SAVEPOINT s")
            self._insert(turn, 2)
            self._run("ROLLBACK TO s" if turn % 2 else "RELEASE s")
            self._insert(turn, 3)
            self._run("COMMIT")
        elif kind == 3:
            self._run("BEGIN")
            self._insert(turn, 1)
            self._run("ROLLBACK")
            return
        else:
            self._run("DELETE FROM latest WHERE writer = :writer", writer=self._number)
            self._run("INSERT INTO latest VALUES (:writer, :turn)", writer=self._number, turn=turn)
        self.committed += 1

    def _insert(self, turn: int, part: int) -> None:
        insert = "INSERT INTO journal (writer, turn, part) VALUES (:writer, :turn, :part)"
        self._run(insert, writer=self._number, turn=turn, part=part)

    def _run(self, sql: str, **parameters: int) -> None:
        self._connection.run(sql, **parameters)


def test_a_clone_has_what_was_committed_before_its_start_position_and_the_subscription_brings_the_rest(
    each_version: int, new_server: NewServer
) -> None:
    blue = _blue(new_server(each_version))
    stop = threading.Event()
    writers = [Writer(blue, number, stop) for number in range(WRITERS)]
    long = blue.connect("app")
    long.run("BEGIN")
    long.run("INSERT INTO journal (writer, turn, part) VALUES (99, 1, 1)")
    for writer in writers:
        writer.start()
    clones = []
    try:
        for _ in range(CLONES):
            _let_them_write(writers)
            clones.append(new_server(source=blue))
        _let_them_write(writers)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
        long.run("INSERT INTO journal (writer, turn, part) VALUES (99, 2, 1)")
        long.run("COMMIT")
        long.close()
    assert [writer.error for writer in writers] == [None] * WRITERS

    commits = _commit_positions(blue)
    on_blue = _rows_by_transaction(blue)
    for number, clone in enumerate(clones):
        assert clone.start_lsn
        before = {xid for xid, position in commits.items() if position < _number(clone.start_lsn)}
        assert before
        assert commits.keys() - before
        expected = {xid: rows for xid, rows in on_blue.items() if xid in before}
        assert _rows_by_transaction(clone) == expected

        _subscribe(clone, blue, f"release_{number}")
        eventually(partial(_has_row, clone, 99, 2))
        assert _everything(clone) == _everything(blue)

    blue.execute("app", "INSERT INTO journal (writer, turn, part) VALUES (100, 1, 1)")
    for clone in clones:
        eventually(partial(_has_row, clone, 100, 1))
        assert _everything(clone) == _everything(blue)


def _blue(server: Server) -> Server:
    server.execute("postgres", "CREATE DATABASE app")
    # no key on the journal: a row that arrives twice shows as two rows, not as an apply worker that stopped
    server.execute(
        "app",
        "CREATE TABLE journal (writer int, turn int, part int, xid bigint DEFAULT pg_current_xact_id()::text::bigint);"
        "CREATE TABLE counter (writer int PRIMARY KEY, n int);"
        "CREATE TABLE latest (writer int PRIMARY KEY, turn int);"
        "CREATE PUBLICATION everything FOR ALL TABLES",
    )
    server.execute("app", "INSERT INTO counter SELECT g, 0 FROM generate_series(0, :last) g", last=WRITERS - 1)
    for slot in ["witness", *(f"release_{number}" for number in range(CLONES))]:
        server.execute("app", "SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=slot)
    create_role(server, "replicator", PASSWORD, member_of=["rds_replication"])
    rule = ReplicationRule()
    rule.apply([server])
    rule.close()
    return server


def _let_them_write(writers: list[Writer]) -> None:
    goals = [writer.committed + 25 for writer in writers]
    eventually(lambda: all(writer.committed >= goal for writer, goal in zip(writers, goals, strict=True)))


def _number(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _commit_positions(blue: Server) -> dict[int, int]:
    """Transaction → position of its commit record, as decoding sees it: the final LSN of pgoutput's Begin messages."""
    rows = blue.execute(
        "app",
        "SELECT data FROM pg_logical_slot_peek_binary_changes('witness', NULL, NULL,"
        " 'proto_version', '1', 'publication_names', 'everything') WHERE get_byte(data, 0) = ascii('B')",
    )
    begins = [struct.unpack(">cQqI", data) for (data,) in rows]
    return {xid: final_lsn for _, final_lsn, _, xid in begins}


def _rows_by_transaction(server: Server) -> dict[int, Counter[tuple[Any, ...]]]:
    found: dict[int, Counter[tuple[Any, ...]]] = {}
    for xid, *row in server.execute("app", "SELECT xid, writer, turn, part FROM journal"):
        found.setdefault(xid, Counter())[tuple(row)] += 1
    return found


def _everything(server: Server) -> dict[str, list[list[Any]]]:
    return {
        table: server.execute("app", f"SELECT * FROM {table} ORDER BY {table}")
        for table in ("journal", "counter", "latest")
    }


def _has_row(server: Server, writer: int, turn: int) -> bool:
    found = server.execute("app", "SELECT FROM journal WHERE writer = :w AND turn = :t", w=writer, t=turn)
    return bool(found)


def _subscribe(clone: Server, blue: Server, slot: str) -> None:
    """As the release does it: drop the copies, subscribe to blue's slot from the clone's start position on."""
    connection: Connection = clone.connect("app")
    connection.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'app'")
    connection.run("DROP PUBLICATION everything")
    source = f"host={blue.address} port={blue.port} dbname=app user=replicator password={PASSWORD}"
    connection.run(
        f"CREATE SUBSCRIPTION release CONNECTION {literal(source)} PUBLICATION everything"
        f" WITH (copy_data = false, create_slot = false, enabled = false, slot_name = '{slot}')"
    )
    [[start]] = connection.run("SELECT aurora_volume_logical_start_lsn()")
    assert start == clone.start_lsn
    connection.run("SELECT pg_replication_origin_advance('pg_' || oid, :start) FROM pg_subscription", start=start)
    connection.run("ALTER SUBSCRIPTION release ENABLE")
    connection.close()
