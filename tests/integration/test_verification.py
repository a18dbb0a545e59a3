"""All rows are compared while writes go on, and in the freeze what changed since, on real servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest

from bluegreen import freeze, replication, switchover
from bluegreen.errors import DataDiffers, GreenWrittenTo, NotReadyToFreeze
from bluegreen.model import Relation
from bluegreen.postgres import Databases
from bluegreen.verify import live, planning, recorder, since
from bluegreen.verify.chunks import Chunk
from bluegreen.verify.comparing import Comparison
from bluegreen.verify.live import Verification
from bluegreen.verify.queue import Queue
from tests.integration.conftest import APP, DATABASES, Lab, with_plan
from tests.integration.writing import writing

WORK_S = 60


def compare_all(lab: Lab) -> Verification:
    """The way of the state machine: begin, let workers work until nothing is left, look."""
    live.start(lab.databases, lab.plan, lab.green)
    verification = live.progress(lab.databases, lab.plan, lab.green)
    while verification.chunks_left:
        for worker in (0, 1):
            live.compare(lab.databases, lab.plan, lab.green, worker, WORK_S)
        verification = live.progress(lab.databases, lab.plan, lab.green)
    return verification


def into_the_freeze(lab: Lab) -> None:
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.drain(lab.databases, lab.plan, lab.green)


def test_all_is_compared_while_writes_go_on_and_in_the_freeze_only_what_changed(following: Lab) -> None:
    lab = following
    [[rows]] = lab.blue_server.execute(APP, "SELECT count(*) FROM orders")
    with writing(
        lab, "INSERT INTO orders (note) VALUES ('live')", "UPDATE orders SET note = note || '.' WHERE id <= 3"
    ):
        verification = compare_all(lab)
        assert verification.databases[APP].rows_done >= rows
        assert verification.databases[APP].differing_rows == 0
        changed = since.totals(since.compare_changed(lab.databases, lab.plan, lab.green)[APP])
    [[inserted]] = lab.blue_server.execute(APP, "SELECT count(*) - :rows FROM orders", rows=rows)
    assert 3 <= changed["rows"] <= 3 + inserted, "the rest had been compared"
    since.compare_changed(lab.databases, lab.plan, lab.green)
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'last' WHERE id = 5")
    into_the_freeze(lab)
    rest = since.compare_rest(lab.databases, lab.plan, lab.green, APP)
    assert since.totals(rest) == {"tables": 1, "rows": 1, "unsettled": 0}


def test_what_was_compared_holds_until_a_recorder_is_lost(following: Lab) -> None:
    lab = following
    rows = {database: progress.rows_done for database, progress in compare_all(lab).databases.items()}
    assert compare_all(lab).chunks_left == 0
    lab.databases.on(lab.plan.blue, APP).query("drop_slot", slot=lab.plan.recorder(APP))
    live.start(lab.databases, lab.plan, lab.green)
    begun = live.progress(lab.databases, lab.plan, lab.green)
    assert all(progress.rows_done == 0 and progress.chunks_left for progress in begun.databases.values())
    assert {database: each.rows_done for database, each in compare_all(lab).databases.items()} == rows
    assert set(rows) == set(DATABASES)


@pytest.mark.parametrize("moment", ["before", "after", "frozen"])
def test_a_row_that_somebody_changes_on_green_is_found_at_every_moment(following: Lab, moment: str) -> None:
    lab = following
    assert lab.green_server
    change = "UPDATE orders SET note = 'Seed 7' WHERE id = 7"  # one bit of one letter
    if moment == "before":
        lab.green_server.execute(APP, change)
        with pytest.raises(DataDiffers, match=r"1 rows differ, such as public.orders \(7\): note\."):
            compare_all(lab)
        return
    compare_all(lab)
    if moment == "after":
        lab.green_server.execute(APP, change)
        with pytest.raises(DataDiffers, match=r"public.orders \(7\): note"):
            since.compare_changed(lab.databases, lab.plan, lab.green)
    into_the_freeze(lab)
    if moment == "frozen":
        lab.green_server.execute(APP, change)
    with pytest.raises(DataDiffers, match=r"public.orders \(7\): note"):
        since.compare_rest(lab.databases, lab.plan, lab.green, APP)


@pytest.mark.parametrize("moment", ["after", "frozen"])
def test_a_green_that_somebody_wrote_to_cannot_take_over_though_it_is_equal(following: Lab, moment: str) -> None:
    lab = following
    assert lab.green_server
    compare_all(lab)
    since.compare_changed(lab.databases, lab.plan, lab.green)
    tested = (
        "INSERT INTO orders (id, note) OVERRIDING SYSTEM VALUE VALUES (-1, 'a test'); DELETE FROM orders WHERE id = -1"
    )
    if moment == "after":
        lab.green_server.execute(APP, tested)
        for _ in range(2):  # it stays known
            with pytest.raises(GreenWrittenTo, match=r"somebody wrote to public\.orders on green"):
                since.compare_changed(lab.databases, lab.plan, lab.green)
    into_the_freeze(lab)
    if moment == "frozen":
        lab.green_server.execute(APP, tested)
    with pytest.raises(GreenWrittenTo):
        since.compare_rest(lab.databases, lab.plan, lab.green, APP)


def test_much_log_is_read_in_parts_and_a_whole_table_compared_at_the_end(
    following: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = following
    compare_all(lab)
    happened: list[str] = []

    def read(*args: Any, original: Any = recorder.read) -> Any:
        recorded = original(*args)
        happened.append("last part read" if recorded.is_all else "part read")
        return recorded

    def plan_chunks(*args: Any, original: Any = planning.plan_chunks) -> Any:
        happened.append("table compared")
        return original(*args)

    monkeypatch.setattr(since, "PART_BYTES", 1 << 16)
    monkeypatch.setattr(recorder, "read", read)
    monkeypatch.setattr(since, "plan_chunks", plan_chunks)
    lab.blue_server.execute(APP, "TRUNCATE measured")
    for _ in range(4):
        lab.blue_server.execute(APP, "UPDATE orders SET note = note || '.' WHERE id <= 300")
    changed = since.compare_changed(lab.databases, replace(lab.plan, databases=(APP,)), lab.green)[APP]
    first = happened.index("last part read")
    assert happened[:first].count("part read") >= 3
    assert happened[first + 1 :] == ["table compared"]
    assert changed[Relation("public", "orders")].rows >= 300
    assert changed[Relation("public", "measured_2026")].is_equal


def test_a_change_that_green_skipped_is_found(following: Lab) -> None:
    lab = following
    assert lab.green_server
    compare_all(lab)
    # An update whose row is not there is skipped by the apply worker without an error.
    lab.green_server.execute(APP, "DELETE FROM orders WHERE id = 9")
    since_deletion = lab.blue_server.execute(APP, "UPDATE orders SET note = 'skipped' WHERE id = 9 RETURNING id")
    assert since_deletion == [[9]]
    with pytest.raises(DataDiffers, match=r"public.orders \(9\): \*"):
        since.compare_changed(lab.databases, lab.plan, lab.green)


def test_after_a_priming_the_freeze_looks_up_no_table_that_was_busy(
    following: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = following
    compare_all(lab)
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'busy' WHERE id = 1")
    since.prime(lab.databases, lab.plan, lab.green)
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'again' WHERE id <= 2")
    lab.blue_server.execute(APP, "UPDATE measured_2026 SET at = at + 1 WHERE id = 1")  # nobody had changed this one
    into_the_freeze(lab)
    looked_at: list[Any] = []

    def look(*args: Any, original: Any = live.look) -> Any:
        looked_at.extend(args[-1])
        return original(*args)

    monkeypatch.setattr(live, "look", look)
    rest = since.compare_rest(lab.databases, lab.plan, lab.green, APP)
    assert since.totals(rest) == {"tables": 2, "rows": 3, "unsettled": 0}
    assert looked_at == [Relation("public", "measured_2026")]


def test_the_freeze_reads_the_log_from_the_priming_on(following: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = following
    compare_all(lab)
    places = [(lab.plan.blue, APP), (lab.green, APP)]

    def bytes_to_read() -> list[int]:
        slots = [lab.databases.on(*place).one("slot", slot=lab.plan.recorder(APP)) for place in places]
        return [slot["bytes_to_read"] for slot in slots]

    written = 4 * 2**20
    fill = f"INSERT INTO orders (note) SELECT repeat('x', 1024) FROM generate_series(1, {written >> 10})"
    lab.blue_server.execute(APP, fill)
    since.compare_changed(lab.databases, lab.plan, lab.green)
    since.prime(lab.databases, lab.plan, lab.green)
    assert max(bytes_to_read()) < written

    monkeypatch.setattr(recorder, "MOST_BYTES_TO_READ", written)
    with closing(lab.as_writer(lab.blue_server)) as open_for_long:
        open_for_long.run("BEGIN")
        open_for_long.run("INSERT INTO orders (note) VALUES ('stays open')")
        lab.blue_server.execute(APP, fill)
        with pytest.raises(NotReadyToFreeze, match=r"blue's log .* MB back .* end it: process [0-9]+, user Writer"):
            since.prime(lab.databases, lab.plan, lab.green)


@pytest.mark.parametrize("is_primed_elsewhere", [False, True])
def test_a_table_that_is_altered_after_the_priming_is_compared_with_its_new_column(
    following: Lab, is_primed_elsewhere: bool
) -> None:
    lab = following
    assert lab.green_server
    compare_all(lab)
    lab.blue_server.execute(APP, "UPDATE orders SET note = 'busy' WHERE id = 7")
    since.prime(lab.databases, lab.plan, lab.green)
    for server in (lab.green_server, lab.blue_server):
        server.execute(APP, "ALTER TABLE orders ADD COLUMN more text")
    if is_primed_elsewhere:  # and so knows the new column, while this process does not
        with closing(Databases(lab.databases.credentials, "disable")) as others:
            since.prime(others, lab.plan, lab.green)
    lab.blue_server.execute(APP, "UPDATE orders SET more = 'here' WHERE id = 7")
    into_the_freeze(lab)
    lab.green_server.execute(APP, "UPDATE orders SET more = 'there' WHERE id = 7")
    with pytest.raises(DataDiffers, match=r"public.orders \(7\): more"):
        since.compare_rest(lab.databases, lab.plan, lab.green, APP)


SHAPED = ("retyped", "unlogged", "made_anew", "readded", "one", "two")
RESHAPED = {
    "retyped": "ALTER TABLE retyped ALTER v TYPE text USING v || v",
    "unlogged": "ALTER TABLE unlogged SET UNLOGGED; UPDATE unlogged SET v = 'changed'; ALTER TABLE unlogged SET LOGGED",
    "made_anew": "DROP TABLE made_anew; CREATE TABLE made_anew (id int PRIMARY KEY, v text)",
    "readded": "ALTER TABLE readded DROP v; ALTER TABLE readded ADD v text",
    "one": "ALTER TABLE one RENAME TO three; ALTER TABLE two RENAME TO one; ALTER TABLE three RENAME TO two",
}
"""By the table that is another afterwards: nothing of it is in what decoding tells."""


@pytest.mark.parametrize("is_primed", [False, True])
def test_what_a_change_of_the_schema_does_to_rows_is_found(lab: Lab, is_primed: bool) -> None:
    for table in SHAPED:
        lab.blue_server.execute(APP, f"CREATE TABLE {table} (id int PRIMARY KEY, v text)")
        lab.blue_server.execute(APP, f"INSERT INTO {table} SELECT i, '{table}' FROM generate_series(1, 500) i")
    lab.follow()
    assert lab.green_server
    replication.commit_synchronously(lab.databases, lab.plan, lab.green)
    compare_all(lab)
    lab.blue_server.execute(APP, "VACUUM FULL orders")  # is another file with the same rows
    since.compare_changed(lab.databases, lab.plan, lab.green)
    if is_primed:
        since.prime(lab.databases, lab.plan, lab.green)

    def compare() -> object:
        if is_primed:
            return since.compare_rest(lab.databases, lab.plan, lab.green, APP)
        return since.compare_changed(lab.databases, lab.plan, lab.green)

    for table, change in RESHAPED.items():
        lab.blue_server.execute(APP, f"BEGIN; {change}; COMMIT")
        with pytest.raises(DataDiffers, match=rf"public.({table}|two) \("):
            compare()
        for server in (lab.blue_server, lab.green_server):
            server.execute(APP, f"DROP TABLE {table}")
    for server in (lab.blue_server, lab.green_server):
        server.execute(APP, "DROP TABLE two")
    compare()  # a table that is gone from both is nobody's loss


def test_a_database_in_another_encoding(lab: Lab) -> None:
    latin = "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    lab.blue_server.execute("postgres", latin)
    lab.blue_server.execute("latin", "CREATE TABLE towns (name text PRIMARY KEY, note text)")
    lab.blue_server.execute("latin", "INSERT INTO towns VALUES ('Orléans', 'ö')")
    with_plan(lab, databases=(*DATABASES, "latin"))
    lab.follow()
    assert lab.green_server
    compare_all(lab)
    lab.blue_server.execute("latin", "UPDATE towns SET note = 'ü'")
    changed = since.compare_changed(lab.databases, lab.plan, lab.green)["latin"]
    assert changed[Relation("public", "towns")].rows == 1
    lab.green_server.execute("latin", "UPDATE towns SET note = 'u'")
    with pytest.raises(DataDiffers, match=r"public.towns \(Orléans\): note"):
        since.compare_changed(lab.databases, lab.plan, lab.green)


def test_a_worker_that_dies_leaves_its_chunk_to_the_next(following: Lab) -> None:
    lab = following
    live.start(lab.databases, lab.plan, lab.green)
    plan = replace(lab.plan, databases=(APP,))
    live.compare(lab.databases, plan, lab.green, 0, 0)  # no time: nothing is begun
    before = live.progress(lab.databases, plan, lab.green).databases[APP]
    queue = Queue(lab.databases.on(lab.green, APP))
    with suppress(KeyboardInterrupt), queue.take() as work:
        assert work
        raise KeyboardInterrupt
    after = live.progress(lab.databases, plan, lab.green).databases[APP]
    assert replace(after, elapsed_s=before.elapsed_s) == before
    live.compare(lab.databases, plan, lab.green, 0, WORK_S)
    assert live.progress(lab.databases, plan, lab.green).chunks_left == 0


def test_a_chunk_that_is_let_go_is_taken_up_by_whoever_has_passed_it(following: Lab) -> None:
    lab, taken = following, list[int]()
    with closing(Databases(lab.databases.credentials, "disable")) as others:
        queue, other = Queue(lab.databases.on(lab.green, APP)), Queue(others.on(lab.green, APP))
        with suppress(KeyboardInterrupt), other.take() as dying:
            assert dying
            with queue.take() as work:
                assert work
                queue.divide(work, [Chunk()])
            raise KeyboardInterrupt
        while True:
            with queue.take() as work:
                if work is None:
                    break
                taken.append(work.number)
                queue.note(work, Comparison(1))
    assert dying
    assert taken[0] > dying.number, "it was passed"
    assert taken[-1] == dying.number
    assert sorted(set(taken)) == sorted(taken)


def test_two_attempts_to_begin_make_one_recorder(following: Lab) -> None:
    lab = following
    for side in (lab.plan.blue, lab.green):
        lab.databases.on(side, APP).query("drop_slot", slot=lab.plan.recorder(APP))

    def begin(_: int) -> list[str]:
        databases = Databases(lab.databases.credentials, "disable")
        with closing(databases):
            live.start(databases, lab.plan, lab.green)
            [slot] = databases.on(lab.plan.blue, APP).query("slot", slot=lab.plan.recorder(APP))
        return [slot["confirmed_flush_lsn"]]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(begin, range(4)))
    assert found == [found[0]] * 4, "the first one's stays: later ones would not know what changed in between"
