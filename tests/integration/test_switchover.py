"""Freeze, drain, sequences and row counts, and a whole switchover, on real servers."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import closing, suppress

import pg8000.native
import pytest

from bluegreen import completion, evidence, freeze, readiness, replication, switchover, verification
from bluegreen.errors import (
    DatabaseUnavailable,
    FreezeBudgetExceeded,
    ReplicationBroken,
    RowCountsDiffer,
    SequencesDiffer,
    SqlError,
    SwitchoverAborted,
    WritersRemain,
)
from bluegreen.model import Relation, SequenceState
from bluegreen.quoting import identifier
from tests.integration.conftest import APP, CRM, DATABASES, WRITER, Lab, freeze_and_move, lets_in, with_plan
from tests.integration.test_replication import leftovers
from tests.waiting import eventually

ORDERS = Relation("public", "orders")


def test_at_every_moment_of_a_switchover_at_most_one_side_lets_the_application_in(following: Lab) -> None:
    lab = following
    readiness.recheck(lab.databases, lab.plan, lab.green)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (True, False)
    freeze_and_move(lab)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, False)
    opening = switchover.open_green(lab.databases, lab.plan, lab.green)
    assert opening.roles == (WRITER,)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, True)
    replication.end_replication(lab.databases, lab.plan, lab.green)
    completion.clear_away(lab.databases, lab.plan, lab.green)
    assert (lets_in(lab, lab.blue_server), lets_in(lab, lab.green_server)) == (False, True)
    assert leftovers(lab) == {"slots": [], "publications": [[], []], "roles": [], "schemas": [[["bluegreen"]]] * 2}
    assert lab.green_server
    for question in ("pg_subscription", "pg_publication", "pg_replication_slots"):
        assert lab.green_server.execute(APP, f"SELECT count(*) FROM {question}") == [[0]]
    assert lab.green_server.execute(APP, "SELECT FROM pg_roles WHERE rolname LIKE 'bluegreen_repl%'") == []
    assert lab.green_server.execute(APP, "SELECT FROM pg_namespace WHERE nspname = 'bluegreen'") == []


def test_every_step_of_the_switchover_can_run_twice(following: Lab) -> None:
    lab = following
    first = freeze.freeze_blue(lab.databases, lab.plan)
    again = freeze.freeze_blue(lab.databases, lab.plan)
    assert (again.roles, again.frozen_at) == (first.roles, first.frozen_at) != ((), "")
    for _ in range(2):
        switchover.drain(lab.databases, lab.plan, lab.green)
        switchover.sync_sequences(lab.databases, lab.plan, lab.green)
        verification.verify_cutover(lab.databases, lab.plan, lab.green)
    opened = switchover.open_green(lab.databases, lab.plan, lab.green)
    assert switchover.open_green(lab.databases, lab.plan, lab.green) == opened
    for _ in range(2):
        replication.end_replication(lab.databases, lab.plan, lab.green)
    completion.clear_away(lab.databases, lab.plan, lab.green)
    completion.clear_away(lab.databases, lab.plan, lab.green)


def test_the_freeze_ends_idle_transactions_and_their_rows_never_appear(following: Lab) -> None:
    lab = following
    with (
        suppress(pg8000.native.InterfaceError),
        closing(lab.as_writer(lab.blue_server)) as idle,
    ):  # closing finds it broken
        idle.run("BEGIN")
        idle.run("INSERT INTO orders (note) VALUES ('never committed')")
        frozen = freeze.freeze_blue(lab.databases, lab.plan)
        assert frozen.sessions_ended >= 1
        with pytest.raises((pg8000.native.InterfaceError, pg8000.native.DatabaseError, OSError)):
            idle.run("COMMIT")
    switchover.drain(lab.databases, lab.plan, lab.green)
    assert lab.green_server
    assert lab.green_server.execute(APP, "SELECT FROM orders WHERE note = 'never committed'") == []


def test_what_is_acknowledged_before_the_freeze_is_on_green_after_the_drain(following: Lab) -> None:
    lab = following
    acknowledged: list[int] = []

    def write() -> None:
        while True:
            try:
                with closing(lab.as_writer(lab.blue_server)) as connection:
                    while True:
                        rows = connection.run("INSERT INTO orders (note) VALUES ('live') RETURNING id")
                        acknowledged.append(rows[0][0])
            except pg8000.native.DatabaseError as error:
                if error.args[0]["C"] == "28000":  # not permitted to log in
                    return
            except (pg8000.native.InterfaceError, OSError):
                continue

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    eventually(lambda: len(acknowledged) > 200)
    freeze_and_move(lab)
    for writer in writers:
        writer.join(10)
    assert lab.green_server
    present = {row[0] for row in lab.green_server.execute(APP, "SELECT id FROM orders")}
    assert set(acknowledged) <= present


def test_sequences_go_on_exactly_where_blue_stopped(following: Lab) -> None:
    lab = following
    with closing(lab.as_writer(lab.blue_server)) as connection:
        connection.run("SELECT nextval('down'), nextval('cached')")
    frozen = switchover.sequence_states(lab.databases.on(lab.plan.blue, APP))
    freeze.freeze_blue(lab.databases, lab.plan)
    assert switchover.sync_sequences(lab.databases, lab.plan, lab.green) == {APP: 6, CRM: 6}
    states = {state.sequence: state for state in switchover.sequence_states(lab.databases.on(lab.green, APP))}
    assert set(states.values()) == frozen
    never = Relation("Sales Data", "never called")
    assert states[never] == SequenceState(never.schema, never.name, 7, is_called=False)
    assert states[Relation("public", "down")].last_value == -7
    assert states[Relation("public", "cached")].last_value == 100
    assert lab.green_server
    with pytest.raises(pg8000.native.DatabaseError, match="reached maximum value"):
        lab.green_server.execute(APP, "SELECT nextval('exhausted')")
    assert lab.green_server.execute(APP, "SELECT nextval('at_the_edge')") == [[9223372036854775807]]
    assert lab.green_server.execute(APP, 'SELECT nextval(\'"Sales Data"."never called"\')') == [[7]]


def test_a_sequence_that_green_lacks_is_an_error(following: Lab) -> None:
    lab = following
    lab.blue_server.execute(CRM, "CREATE SEQUENCE late")
    freeze.freeze_blue(lab.databases, lab.plan)
    with pytest.raises((SequencesDiffer, SqlError), match="late"):
        switchover.sync_sequences(lab.databases, lab.plan, lab.green)


def test_a_table_with_a_row_less_on_green_is_named(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.drain(lab.databases, lab.plan, lab.green)
    assert lab.green_server
    lab.green_server.execute(CRM, "DELETE FROM orders WHERE id = 17")
    with pytest.raises(RowCountsDiffer) as raised:
        verification.compare_row_counts(lab.databases, lab.plan, lab.green, CRM, [ORDERS])
    assert f"{CRM}.public.orders: 1000 on blue, 999 on green" in str(raised.value)


def test_a_session_that_turns_up_after_the_freeze_keeps_green_closed(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.drain(lab.databases, lab.plan, lab.green)
    lab.blue_server.execute(APP, f"ALTER ROLE {identifier(WRITER)} LOGIN")
    with closing(lab.as_writer(lab.blue_server)), pytest.raises(WritersRemain, match="may have written"):
        verification.verify_cutover(lab.databases, lab.plan, lab.green)


def test_comparing_for_longer_than_the_budget_ends_the_switchover(following: Lab) -> None:
    lab = following
    lab.blue_server.execute(CRM, "UPDATE orders SET note = 'changed' WHERE id = 1")
    with_plan(lab, freeze_budget_s=3)
    freeze.freeze_blue(lab.databases, lab.plan)
    slow = (
        "CREATE OR REPLACE FUNCTION bluegreen.row_counts(schemas text[], names text[])"
        " RETURNS TABLE (schema text, name text, row_count bigint)"
    )
    lab.blue_server.execute(CRM, f"{slow} LANGUAGE sql AS $$ SELECT pg_sleep(60)::text, '', 0::bigint $$")
    switchover.drain(lab.databases, lab.plan, lab.green)
    with pytest.raises(FreezeBudgetExceeded, match="comparing what changed took longer"):
        verification.verify_cutover(lab.databases, lab.plan, lab.green)


@pytest.mark.parametrize("version", [16, 18])
def test_a_session_that_is_starting_when_blue_is_frozen_is_waited_for_and_ended(following: Lab) -> None:
    lab = following
    outcome: list[str] = []

    def start_slowly() -> None:
        try:
            slow = lab.blue_server.connect(APP, WRITER, lab.passwords[WRITER], options="-c post_auth_delay=2")
            with closing(slow):
                slow.run("SELECT pg_sleep(30)")
                slow.run("INSERT INTO orders (note) VALUES ('late')")
        except (pg8000.native.InterfaceError, pg8000.native.DatabaseError, OSError, struct.error):
            outcome.append("ended")

    client = threading.Thread(target=start_slowly)
    home = lab.databases.on(lab.plan.blue, lab.plan.home)
    client.start()
    eventually(lambda: home.query("starting_sessions"))
    freeze.freeze_blue(lab.databases, lab.plan)
    on_blue = lab.blue_server.execute(APP, "SELECT count(*) FROM orders")
    client.join()
    assert outcome == ["ended"]
    assert lab.blue_server.execute(APP, "SELECT count(*) FROM orders") == on_blue, "nobody wrote after the freeze"
    with socket.create_connection((lab.blue_server.address, lab.blue_server.port)) as knocking:
        asked = f"user\0{WRITER}\0database\0{APP}\0\0".encode()
        knocking.sendall(struct.pack("!ii", 8 + len(asked), 3 << 16) + asked)  # and never a password
        eventually(lambda: home.query("starting_sessions"))
        freeze.prove_again(home, lab.plan)  # it will be refused, and is no writer


def test_a_role_that_was_dropped_in_the_freeze_strands_nobody_else(following: Lab) -> None:
    lab = following
    lab.blue_server.execute("postgres", "CREATE ROLE shortlived LOGIN")
    freeze.freeze_blue(lab.databases, lab.plan)
    lab.blue_server.execute("postgres", "DROP ROLE shortlived")
    assert switchover.abort(lab.databases, lab.plan, lab.green).outcome == "abort"
    assert lets_in(lab, lab.blue_server)


def test_a_freeze_that_comes_after_the_clean_up_does_not_use_the_next_releases_record(following: Lab) -> None:
    lab = following
    late = with_plan(lab)
    lab.blue_server.execute(APP, "COMMENT ON SCHEMA bluegreen IS 'bluegreen_another_release'")
    with pytest.raises(SwitchoverAborted, match="another's"):
        freeze.freeze_blue(lab.databases, late)
    assert lets_in(lab, lab.blue_server)


def test_a_session_with_a_server_that_became_read_only_is_not_used_again(following: Lab) -> None:
    lab = following
    home = lab.databases.on(lab.plan.blue, lab.plan.home)
    home.run("SET default_transaction_read_only = on")  # as a writer is that a failover made a reader
    with pytest.raises(DatabaseUnavailable):
        freeze.freeze_blue(lab.databases, lab.plan)
    freeze.freeze_blue(lab.databases, lab.plan)


def test_large_tables_are_not_counted(following: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = following
    tables = [ORDERS, Relation("public", "measured_2026")]
    freeze_and_move(lab)
    assert lab.green_server
    lab.green_server.execute(CRM, "DELETE FROM orders")  # the larger one
    with pytest.raises(RowCountsDiffer):
        verification.compare_row_counts(lab.databases, lab.plan, lab.green, CRM, tables)
    monkeypatch.setattr(verification, "COUNTED_BYTES", 8192)
    assert verification.compare_row_counts(lab.databases, lab.plan, lab.green, CRM, tables) == 1


def test_what_the_freeze_will_take_is_measured_without_one(following: Lab) -> None:
    lab = following
    expected_s = evidence.expected_freeze_s(lab.databases, lab.plan, lab.green, sentinel_s=0.5)
    assert expected_s > 0.5 + evidence.STEPS * evidence.STEP_S
    assert lets_in(lab, lab.blue_server)


def test_a_freeze_that_cannot_end_in_time_does_not_begin(following: Lab) -> None:
    lab = following
    with_plan(lab, freeze_budget_s=2)
    with pytest.raises(FreezeBudgetExceeded, match=r"a row from blue to green 3\.0 s"):
        evidence.expected_freeze_s(lab.databases, lab.plan, lab.green, sentinel_s=3)


@pytest.mark.parametrize("step", [switchover.drain, switchover.sync_sequences, verification.verify_cutover])
def test_past_the_deadline_no_step_begins(following: Lab, step: Callable[..., object]) -> None:
    lab = following
    with_plan(lab, freeze_budget_s=1)
    freeze.freeze_blue(lab.databases, lab.plan)
    home = lab.databases.on(lab.plan.blue, lab.plan.home)
    eventually(lambda: home.one("freeze_record", switchover_id=lab.plan.switchover_id)["left_s"] < 0)
    with pytest.raises(FreezeBudgetExceeded, match="used up"):
        step(lab.databases, lab.plan, lab.green)


def test_an_endpoint_that_is_read_only_for_now_is_tried_again(following: Lab) -> None:
    lab = following
    freeze_and_move(lab)
    assert lab.green_server
    lab.green_server.execute("postgres", "ALTER ROLE bluegreen_release SET default_transaction_read_only = on")
    lab.green_server.restart()
    with pytest.raises(DatabaseUnavailable, match="25006"):
        switchover.open_green(lab.databases, lab.plan, lab.green)


def test_a_drain_that_cannot_end_is_given_up_long_before_the_budget_is_used_up(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    assert lab.green_server
    lab.green_server.execute(CRM, f"ALTER SUBSCRIPTION {lab.plan.sql_name} DISABLE")
    with pytest.raises(ReplicationBroken, match="disabled"):
        switchover.drain(lab.databases, lab.plan, lab.green)


def test_a_drain_behind_a_slot_that_is_gone_says_so(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    slot = lab.plan.slot(APP)
    assert lab.green_server
    lab.green_server.execute(APP, f"ALTER SUBSCRIPTION {lab.plan.sql_name} DISABLE")
    drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :slot AND NOT active"
    eventually(lambda: lab.blue_server.execute(APP, drop, slot=slot))
    with pytest.raises(ReplicationBroken, match="is gone from blue"):
        switchover.drain(lab.databases, lab.plan, lab.green)


def test_a_cluster_whose_only_role_is_ours_can_be_switched(following: Lab) -> None:
    lab = following
    lab.blue_server.execute(APP, f"ALTER ROLE {identifier(WRITER)} NOLOGIN")
    freeze_and_move(lab)
    assert switchover.open_green(lab.databases, lab.plan, lab.green).roles == ()


def test_all_databases_are_drained(following: Lab) -> None:
    lab = following
    for database in DATABASES:
        lab.blue_server.execute(database, "INSERT INTO orders (note) SELECT 'bulk' FROM generate_series(1, 20000)")
    freeze.freeze_blue(lab.databases, lab.plan)
    assert set(switchover.drain(lab.databases, lab.plan, lab.green)) == set(DATABASES)
    compared = verification.verify_cutover(lab.databases, lab.plan, lab.green)
    assert set(compared) == set(DATABASES)
    assert compared[APP] == compared[CRM] == {"tables": 1, "rows": 20_000, "unsettled": 0, "counted_tables": 1}


def test_a_session_that_turned_up_late_is_seen_by_every_attempt(following: Lab) -> None:
    lab = following
    freeze.freeze_blue(lab.databases, lab.plan)
    lab.blue_server.execute(APP, f"ALTER ROLE {identifier(WRITER)} LOGIN")
    with closing(lab.as_writer(lab.blue_server)) as connection:
        for _ in range(2):
            with pytest.raises(WritersRemain):
                freeze.prove_again(lab.databases.on(lab.plan.blue, lab.plan.home), lab.plan)
        assert connection.run("SELECT 1") == [[1]]
