"""Blue is compared on a reader instance, a physical standby here; what it shows is old, and misleads nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bluegreen import lag
from bluegreen.errors import DataDiffers, TableRewritten
from bluegreen.session import Session
from bluegreen.verify import live, reading, since
from bluegreen.verify.comparing import compare_chunk
from bluegreen.verify.planning import plan_chunks
from bluegreen.verify.reader import Reader
from bluegreen.verify.tables import BLUE, Table
from local.host import give_to_server_account
from local.postgres.binaries import run_program
from local.postgres.servers import Server
from tests.integration.conftest import APP, DATABASES, Lab, with_plan
from tests.integration.pairs import table_of
from tests.waiting import eventually

SUM_OF_ORDERS = 'FROM ONLY "public"."orders" AS t WHERE'


@pytest.fixture
def standby(following: Lab) -> Iterator[Server]:
    """A reader of the lab's blue, to which its plan's reader endpoint leads."""
    blue = following.blue_server
    source = f"host={blue.sockets} port={blue.port} user=rdsadmin"
    server = Server(
        following.folder / "reader",
        blue.version,
        "127.0.1.3",
        blue.port,
        blue.parameters | {"primary_conninfo": source},
    )
    server._make_folder()
    backup = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata", str(server.data)]
    run_program(blue.version, "pg_basebackup", "--dbname", source, *backup)
    signal_file = server.data / "standby.signal"
    signal_file.touch()
    give_to_server_account(signal_file)
    server.start()
    with_plan(following, blue=replace(following.plan.blue, reader_host=server.address))
    yield server
    following.databases.close()
    server.remove()


@pytest.fixture
def reader(following: Lab, standby: Server) -> Reader:
    return Reader(following.databases, following.plan, APP, following.databases.on(following.plan.blue, APP))


def opened(reader: Reader) -> Session:
    session = reader.session()
    assert session
    return session


def sides(lab: Lab) -> tuple[Session, Session, Table]:
    """Sessions on both sides, and a table."""
    live.look(lab.databases, lab.plan, lab.green, APP, [])
    blue, green = lab.databases.on(lab.plan.blue, APP), lab.databases.on(lab.green, APP)
    return blue, green, table_of(blue, green, "orders")


def stop_replay(standby: Server) -> None:
    standby.execute("postgres", "SELECT pg_wal_replay_pause()")
    eventually(lambda: standby.execute("postgres", "SELECT pg_get_wal_replay_pause_state()") == [["paused"]])


def test_what_is_equal_is_read_on_the_reader_alone(following: Lab, standby: Server) -> None:
    lab = following
    before = lab.blue_server.log.stat().st_size
    told: list[Any] = []
    live.compare(lab.databases, lab.plan, lab.green, 0, 60, lambda what, **figures: told.append((what, figures)))
    assert told == [("begins", {"database": database, "on_reader": True}) for database in DATABASES]
    assert live.progress(lab.databases, lab.plan, lab.green).chunks_left == 0
    assert SUM_OF_ORDERS in standby.log.read_text()
    assert SUM_OF_ORDERS not in lab.blue_server.log.read_bytes()[before:].decode()


def test_an_endpoint_that_leads_to_the_writer_is_not_used(following: Lab) -> None:
    lab = following
    with_plan(lab, blue=replace(lab.plan.blue, reader_host="127.0.2.1"))
    assert Reader(lab.databases, lab.plan, APP, lab.databases.on(lab.plan.blue, APP)).session() is None


def test_a_reader_that_lags_or_is_gone_is_left_alone(
    following: Lab, standby: Server, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = following
    monkeypatch.setattr(lag, "SENTINEL_TIMEOUT_S", 0.2)
    monkeypatch.setattr("bluegreen.verify.reader.LOOKED_EVERY_S", 0)
    assert reader.session()
    stop_replay(standby)
    assert reader.session() is None
    standby.execute("postgres", "SELECT pg_wal_replay_resume()")
    assert reader.session()
    standby.stop("immediate")
    assert reader.session() is None
    live.compare(lab.databases, lab.plan, lab.green, 0, 60)
    assert live.progress(lab.databases, lab.plan, lab.green).chunks_left == 0


def test_rows_that_the_reader_does_not_show_yet_are_no_difference(
    following: Lab, standby: Server, reader: Reader
) -> None:
    lab, session = following, opened(reader)
    stop_replay(standby)
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'new' WHERE id = 7; DELETE FROM orders WHERE id = 8")
    blue, green, table = sides(lab)
    chunks = list(plan_chunks(blue, green, table, 300))
    settle = live.settle(lab.databases, lab.plan, lab.green, APP)
    settle()
    shown = [reading.total(session, table, BLUE, chunk) for chunk in chunks]
    assert shown != [reading.total(blue, table, BLUE, chunk) for chunk in chunks], "the reader shows something else"
    found = [compare_chunk(blue, green, table, chunk, settle, reader=session) for chunk in chunks]
    assert all(comparison.is_equal for comparison in found)
    assert sum(comparison.rows for comparison in found) == 999


def test_what_is_equal_only_to_what_the_reader_still_shows_is_found_by_the_log(
    following: Lab, standby: Server, reader: Reader
) -> None:
    lab, session = following, opened(reader)
    assert lab.green_server
    stop_replay(standby)
    [[old]] = lab.blue_server.execute(APP, "SELECT note FROM orders WHERE id = 7")
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'new' WHERE id = 7")
    live.settle(lab.databases, lab.plan, lab.green, APP)()
    lab.green_server.execute(APP, "UPDATE orders SET note = :old WHERE id = 7", old=old)  # as if it had been skipped
    blue, green, table = sides(lab)
    chunks = list(plan_chunks(blue, green, table))
    assert all(compare_chunk(blue, green, table, chunk, reader=session).is_equal for chunk in chunks)
    with pytest.raises(DataDiffers, match=r"public.orders \(7\): note"):
        since.compare_changed(lab.databases, lab.plan, lab.green)


def test_blocks_that_are_others_on_the_reader_are_read_on_the_writer(
    following: Lab, standby: Server, reader: Reader
) -> None:
    lab, session = following, opened(reader)
    stop_replay(standby)
    lab.blue_server.execute(APP, "VACUUM FULL orders")
    blue, green, table = sides(lab)
    chunks = list(plan_chunks(blue, green, table, 300))
    assert all(chunk.files for chunk in chunks)
    with pytest.raises(TableRewritten):
        reading.total(session, table, BLUE, chunks[0])
    found = [compare_chunk(blue, green, table, chunk, reader=session) for chunk in chunks]
    assert sum(comparison.rows for comparison in found) == 1000
    session.close()
    assert compare_chunk(blue, green, table, chunks[0], reader=session).is_equal, "a reader may go away at any time"
