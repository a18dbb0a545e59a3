"""What logical decoding says has changed, on real servers: all of it, and where a key is not known, the whole table."""

from __future__ import annotations

import time
from collections.abc import Collection

from bluegreen import lag
from bluegreen.model import Relation
from bluegreen.verify import recorder
from bluegreen.verify.changes import Changed, Changes

from .conftest import APP, Lab

ORDERS = Relation("public", "orders")
SALES = Relation("Sales Data", 'select "all" of')
MEASURED = Relation("public", "measured_2026")
NOTES = Relation("public", "notes")
LINES = Relation("public", "lines")
KEYS = {LINES: ("number",)}


def settle(lab: Lab) -> None:
    """Until green has all that blue committed."""
    on_blue, on_green = (lab.databases.on(side, APP) for side in (lab.plan.blue, lab.green))
    beat = on_blue.one("write_sentinel", release_id=lab.plan.release_id)["beat"]
    deadline = time.monotonic() + 20
    while not lag.arrived(on_green, lab.plan.release_id, beat):
        assert time.monotonic() < deadline


def changed(lab: Lab, *, forget: bool = True, written_on_green: Collection[Relation] = frozenset()) -> Changes:
    """What changed since the last time; by others than replication these tables on green, and no other ones."""
    settle(lab)
    found = recorder.read(lab.databases, lab.plan, lab.green, APP, KEYS)
    assert found.is_all
    assert found.written_on_green == written_on_green
    if forget:
        recorder.forget(lab.databases, lab.plan, lab.green, APP, found.upto)
    return found.changes


def test_every_change_on_either_side_is_recorded(lab: Lab) -> None:
    lab.blue_server.execute(
        APP,
        "CREATE TABLE notes (note text); ALTER TABLE notes REPLICA IDENTITY FULL;"
        " CREATE TABLE lines (line text, number int PRIMARY KEY); ALTER TABLE lines REPLICA IDENTITY FULL",
    )
    lab.follow()
    assert not recorder.stands(lab.databases, lab.plan, lab.green, APP)
    recorder.start(lab.databases, lab.plan, lab.green)
    assert recorder.stands(lab.databases, lab.plan, lab.green, APP)
    assert changed(lab) == {}, "the schema of the release itself does not count"

    def on_blue(sql: str) -> None:
        lab.blue_server.execute(APP, sql)

    on_blue("UPDATE orders SET note = 'changed' WHERE id = 7; DELETE FROM orders WHERE id = 8")
    on_blue('INSERT INTO "Sales Data"."select ""all"" of" VALUES (\'no\'\'rth \\\', \'2026-02-28\', 1.50)')
    on_blue("INSERT INTO lines VALUES ('one', 1), ('two', 2); DELETE FROM lines WHERE number = 1")
    on_blue("UPDATE measured SET id = 5000 WHERE id = 3")
    assert changed(lab, forget=False) == (
        expected := {
            ORDERS: Changed(("id",), {("7",), ("8",)}),
            SALES: Changed(("region", "day"), {("no'rth \\", "2026-02-28")}),
            MEASURED: Changed(("id",), {("3",), ("5000",)}),
            LINES: Changed(("number",), {("1",), ("2",)}),
        }
    )
    assert changed(lab) == expected, "what is not forgotten is told again"
    assert changed(lab) == {}

    assert lab.green_server
    lab.green_server.execute(APP, "UPDATE orders SET note = 'by somebody' WHERE id = 9")
    assert changed(lab, written_on_green={ORDERS}) == {ORDERS: Changed(("id",), {("9",)})}, (
        "a change of green alone is in no log of blue"
    )

    open_one = lab.blue_server.connect(APP)
    open_one.run("BEGIN; UPDATE orders SET note = 'late' WHERE id = 11")
    on_blue("UPDATE orders SET note = 'early' WHERE id = 10")
    assert changed(lab) == {ORDERS: Changed(("id",), {("10",)})}
    open_one.run("COMMIT")
    open_one.close()
    assert changed(lab) == {ORDERS: Changed(("id",), {("11",)})}, "a commit counts, not when its transaction began"

    on_blue("INSERT INTO notes VALUES ('no key'); TRUNCATE measured")
    assert changed(lab) == {NOTES: Changed(is_whole=True), MEASURED: Changed(("id",), is_whole=True)}


def test_keys_behind_wide_values_and_long_lists_of_columns(lab: Lab) -> None:
    columns = ", ".join(f"a_column_with_a_rather_long_name_{number:04} int" for number in range(400))
    lab.blue_server.execute(
        APP,
        f"CREATE TABLE many_columns (id int PRIMARY KEY, {columns}); INSERT INTO many_columns (id) VALUES (1);"
        "CREATE TABLE docs (id int PRIMARY KEY, doc text); ALTER TABLE docs REPLICA IDENTITY FULL;"
        "ALTER TABLE docs ALTER doc SET STORAGE EXTERNAL;"
        "INSERT INTO docs SELECT i, repeat('x', 10000) FROM generate_series(1, 3) i;"
        "INSERT INTO docs VALUES (4, repeat('x', 200000));",
    )
    lab.follow()
    recorder.start(lab.databases, lab.plan, lab.green)
    many, docs = Relation("public", "many_columns"), Relation("public", "docs")

    def found(sql: str) -> Changes:
        lab.blue_server.execute(APP, sql)
        settle(lab)
        recorded = recorder.read(lab.databases, lab.plan, lab.green, APP, {docs: ("id",)})
        recorder.forget(lab.databases, lab.plan, lab.green, APP, recorded.upto)
        return recorded.changes

    assert found("UPDATE many_columns SET a_column_with_a_rather_long_name_0399 = 1") == {
        many: Changed(("id",), {("1",)})
    }
    assert found("UPDATE docs SET id = 50 WHERE id = 3") == {docs: Changed(("id",), {("3",), ("50",)})}
    assert found("UPDATE docs SET id = 60 WHERE id = 4")[docs].is_whole, "the new key is too far behind"
