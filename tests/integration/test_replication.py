"""Preparing blue, adopting its clone and following it, on real servers with hostile names."""

from __future__ import annotations

import dataclasses
import re
import threading
from contextlib import closing
from typing import Any

import pg8000.native
import pytest

from bluegreen import adoption, lag, preflight, replication
from bluegreen.errors import (
    BlueUnfit,
    CloneUnusable,
    ReplicationBroken,
    ReplicationLagging,
    SlotBlocked,
)
from bluegreen.session import load
from tests.integration.conftest import APP, CRM, DATABASES, WRITER, Lab
from tests.waiting import eventually


def leftovers(lab: Lab) -> dict[str, object]:
    """What a release may leave on blue."""
    server = lab.blue_server
    return {
        "slots": server.execute(APP, "SELECT slot_name FROM pg_replication_slots"),
        "publications": [server.execute(database, "SELECT pubname FROM pg_publication") for database in DATABASES],
        "roles": server.execute(APP, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'bluegreen_replication%'"),
        "schemas": [
            server.execute(database, "SELECT nspname FROM pg_namespace WHERE nspname = 'bluegreen'")
            for database in DATABASES
        ],
    }


def check(lab: Lab) -> dict[str, Any]:
    """What CheckBlue goes on with."""
    return preflight.look_at_blue(lab.databases, lab.plan).result(lab.plan)


NOTHING: dict[str, object] = {"slots": [], "publications": [[], []], "roles": [], "schemas": [[], []]}


@pytest.mark.parametrize(
    ("ddl", "is_usable"),
    [
        ("CREATE TABLE t (a int)", False),
        ("CREATE TABLE t (a int PRIMARY KEY)", True),
        ("CREATE TABLE t (a int PRIMARY KEY DEFERRABLE)", False),
        ("CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL", True),
        ("CREATE TABLE t (a int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING", False),
        ("CREATE TABLE t (a int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_key", True),
        ("CREATE TABLE t (a int NOT NULL UNIQUE)", False),
        ("CREATE UNLOGGED TABLE t (a int)", True),
    ],
)
def test_replica_identity_is_judged_as_postgresql_judges_it(lab: Lab, ddl: str, is_usable: bool) -> None:
    lab.blue_server.execute(APP, f"{ddl}; INSERT INTO t VALUES (1)")
    with closing(lab.databases.on(lab.plan.blue, APP)) as session:
        assert [str(table) for table in preflight.tables_without_identity(session)] == (
            [] if is_usable else ["public.t"]
        )
    lab.blue_server.execute(APP, "CREATE PUBLICATION everything FOR ALL TABLES")
    if is_usable:
        lab.blue_server.execute(APP, "UPDATE t SET a = 2")
    else:
        with pytest.raises(pg8000.native.DatabaseError):
            lab.blue_server.execute(APP, "UPDATE t SET a = 2")


def test_a_schema_of_our_name_that_is_not_ours_is_refused_and_never_dropped(lab: Lab) -> None:
    lab.blue_server.execute(APP, "CREATE SCHEMA bluegreen; CREATE TABLE bluegreen.precious (id int PRIMARY KEY)")
    with pytest.raises(BlueUnfit, match='ALTER SCHEMA "bluegreen" RENAME'):
        check(lab)
    replication.remove_from_blue(lab.databases, lab.plan)
    assert lab.blue_server.execute(APP, "SELECT count(*) FROM bluegreen.precious") == [[0]]


def test_our_own_schema_is_no_obstacle_to_a_second_look(lab: Lab) -> None:
    lab.prepare()
    check(lab)


def test_a_table_without_identity_is_never_published_and_blue_goes_on(lab: Lab) -> None:
    lab.blue_server.execute(CRM, 'CREATE TABLE "no key" (a int); INSERT INTO "no key" VALUES (1)')
    with pytest.raises(BlueUnfit, match=re.escape(f"{CRM}: public.no key")):
        check(lab)
    with pytest.raises(BlueUnfit, match=r"public\.no key"):
        replication.create_publications(lab.databases, lab.plan)
    assert lab.blue_server.execute(CRM, 'UPDATE "no key" SET a = 2 RETURNING a') == [[2]]
    assert lab.blue_server.execute(CRM, 'DELETE FROM "no key" RETURNING a') == [[2]]


def test_an_open_transaction_that_blocks_the_slot_is_named_and_nothing_is_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "SLOT_TIMEOUT_S", 1)
    replication.create_replication_role(lab.databases, lab.plan, lab.login)
    replication.create_publications(lab.databases, lab.plan)
    with closing(lab.as_writer(lab.blue_server)) as blocker:
        blocker.run("BEGIN")
        blocker.run("INSERT INTO orders (note) VALUES ('in the way')")
        pid = blocker.run("SELECT pg_backend_pid()")[0][0]
        with pytest.raises(SlotBlocked) as raised:
            replication.create_slots(lab.databases, lab.plan)
        assert f"process {pid}, user {WRITER}" in str(raised.value)
        blocker.run("COMMIT")
    replication.remove_from_blue(lab.databases, lab.plan)
    assert leftovers(lab) == NOTHING


def test_every_step_of_the_preparation_can_run_twice_and_at_once(lab: Lab) -> None:
    other = dataclasses.replace(lab.databases, _sessions={})
    for step in (
        lambda databases: replication.create_replication_role(databases, lab.plan, lab.login),
        lambda databases: replication.create_publications(databases, lab.plan),
        lambda databases: replication.create_slots(databases, lab.plan),
        lambda databases: replication.remove_from_blue(databases, lab.plan),
    ):
        failures: list[BaseException] = []

        def attempt(databases: object, step: object = step, failures: list[BaseException] = failures) -> None:
            try:
                step(databases)  # type: ignore[operator]
            except BaseException as error:  # noqa: BLE001 - shown by the assertion
                failures.append(error)

        threads = [threading.Thread(target=attempt, args=(databases,)) for databases in (lab.databases, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        step(lab.databases)
    other.close()
    assert leftovers(lab) == NOTHING


def test_green_holds_everything_once_although_blue_is_written_to_while_it_is_cloned(lab: Lab) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(lab.as_writer(lab.blue_server)) as connection:
            while not stop.is_set():
                connection.run("INSERT INTO orders (note) VALUES ('live')")

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        lab.follow()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    green_server = lab.green_server
    assert green_server
    everything = "SELECT id, note FROM orders ORDER BY id"
    expected = lab.blue_server.execute(APP, everything)
    eventually(lambda: green_server.execute(APP, everything) == expected)
    lags = lag.measure(lab.databases, lab.plan, lab.green)
    assert {measured.database for measured in lags} == set(DATABASES)
    lag.require_small(lags, lab.plan.max_lag_bytes, lab.plan.max_lag_s)


def test_adopting_and_subscribing_can_be_repeated(lab: Lab) -> None:
    start = lab.follow()
    assert adoption.adopt_clone(lab.databases, lab.plan, lab.green) == start
    replication.create_subscriptions(lab.databases, lab.plan, lab.green, lab.login, start)
    assert lab.green_server
    assert lab.green_server.execute(APP, "SELECT count(*) FROM pg_subscription") == [[2]]
    assert lab.green_server.execute(APP, "SELECT count(*) FROM pg_publication") == [[0]]
    assert lab.green_server.execute(APP, "SELECT count(*) FROM pg_replication_slots") == [[0]]


def test_a_transaction_that_was_prepared_when_green_was_cloned_arrives_when_blue_commits_it(lab: Lab) -> None:
    lab.prepare()
    with closing(lab.as_writer(lab.blue_server)) as connection:
        connection.run("BEGIN")
        connection.run("INSERT INTO orders (note) VALUES ('prepared')")
        connection.run("PREPARE TRANSACTION 'it''s \"waiting\"'")
    lab.clone()
    start = adoption.adopt_clone(lab.databases, lab.plan, lab.green)
    replication.create_subscriptions(lab.databases, lab.plan, lab.green, lab.login, start)
    assert lab.green_server
    green_server = lab.green_server
    with closing(lab.as_writer(lab.blue_server)) as connection:
        connection.run("COMMIT PREPARED 'it''s \"waiting\"'")
    eventually(lambda: green_server.execute(APP, "SELECT FROM orders WHERE note = 'prepared'") == [[]])


def test_green_lets_nobody_in_and_takes_nothing_from_roles_without_login(lab: Lab) -> None:
    lab.follow()
    assert lab.green_server
    with pytest.raises(pg8000.native.DatabaseError, match="not permitted to log in"):
        lab.as_writer(lab.green_server)
    lab.as_writer(lab.blue_server).close()


def test_a_clone_from_before_the_preparation_is_refused(lab: Lab) -> None:
    lab.clone()
    lab.prepare()
    assert lab.green_server
    for database in DATABASES:  # what adoption itself needs there
        lab.green_server.execute(database, load("install_schema"))
    with pytest.raises(CloneUnusable, match="lacks the stamp"):
        adoption.adopt_clone(lab.databases, lab.plan, lab.green)


def test_a_conflict_on_green_is_reported_as_broken_replication(lab: Lab) -> None:
    lab.follow()
    assert lab.green_server
    lab.green_server.execute(APP, "INSERT INTO orders OVERRIDING SYSTEM VALUE VALUES (5000, 'not from blue')")
    lab.blue_server.execute(APP, "INSERT INTO orders OVERRIDING SYSTEM VALUE VALUES (5000, 'from blue')")

    def broken() -> bool:
        try:
            lag.require_small(lag.measure(lab.databases, lab.plan, lab.green), 1 << 24, 5.0)
        except ReplicationLagging:
            return False
        except ReplicationBroken as error:
            return "errors while applying" in str(error) and "disabled" in str(error)
        return False

    eventually(broken)


def test_a_table_made_on_blue_after_the_clone_is_reported(lab: Lab) -> None:
    lab.follow()
    lab.blue_server.execute(APP, "CREATE TABLE created_later (id int PRIMARY KEY)")
    with pytest.raises(ReplicationBroken, match=r"does not follow: public\.created_later"):
        lag.require_small(lag.measure(lab.databases, lab.plan, lab.green), 1 << 24, 5.0)


def test_green_that_is_behind_is_lagging_not_broken(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "SENTINEL_TIMEOUT_S", 0.2)
    lab.follow()
    assert lab.green_server
    with closing(lab.green_server.connect(APP)) as lock:
        lock.run("BEGIN")
        lock.run("LOCK TABLE bluegreen.sentinel IN ACCESS EXCLUSIVE MODE")
        monkeypatch.setattr(lag, "arrived", lambda *_: False)  # the lock would make the look wait as well
        with pytest.raises(ReplicationLagging, match="no sentinel arrived"):
            lag.require_small(lag.measure(lab.databases, lab.plan, lab.green), 1 << 24, 5.0)


def test_blue_is_as_before_after_the_clean_up_even_while_green_follows(lab: Lab) -> None:
    lab.follow()
    replication.remove_from_blue(lab.databases, lab.plan)
    assert leftovers(lab) == NOTHING
    replication.remove_from_blue(lab.databases, lab.plan)


def test_no_password_is_in_any_log_of_the_servers(lab: Lab) -> None:
    lab.follow()
    assert lab.green_server
    for server in (lab.blue_server, lab.green_server):
        text = server.log.read_text(errors="replace")
        assert "CREATE ROLE" in text or "CREATE SUBSCRIPTION" not in text
        for password in (lab.login.password, *lab.passwords.values()):
            assert password not in text
