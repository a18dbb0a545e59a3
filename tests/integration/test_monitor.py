"""The monitor measures what is there, and is never in the way of a release."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from bluegreen import freeze, replication
from bluegreen.model import Plan
from bluegreen.monitor.measuring import METRICS, Figures, Slots, measure
from bluegreen.postgres import Credentials, Databases
from bluegreen.verify import live
from tests.integration.conftest import APP, CRM, DATABASES, WRITER, Lab, lets_in
from tests.waiting import eventually

PATIENCE_S = 30


def sentinels(lab: Lab) -> dict[str, int]:
    """On blue, the latest of each release."""
    rows = lab.blue_server.execute(APP, "SELECT release_id, beat FROM bluegreen.sentinel")
    return {str(release): int(beat) for release, beat in rows}


def figures(databases: Databases, lab: Lab, patience_s: float = PATIENCE_S) -> dict[str, Figures]:
    return {each.database: each for each in measure(databases, lab.plan, lab.green, patience_s)}


def test_it_measures_lag_errors_slots_and_the_log_they_keep_on_both_sides(lab: Lab) -> None:
    lab.follow()
    eventually(lambda: all(each.slot_active for each in figures(lab.databases, lab).values()))
    before = sentinels(lab)
    found = figures(lab.databases, lab)
    assert set(found) == set(DATABASES)
    for each in found.values():
        assert each.lag_s is not None
        assert set(each.metrics()) == set(METRICS)
        assert each.metrics()["MonitorFailures"] == each.metrics()["SlotsInDanger"] == each.apply_errors == 0
        sample = each.sample()
        assert (sample["slot_active"], sample["wal_status"], sample["apply_errors"]) == (True, "reserved", 0)
        assert sample["retained_bytes"] == each.blue.retained_bytes, "green has no slot yet"
    monitors = f"{lab.plan.release_id}/monitor"
    assert sentinels(lab) == {monitors: before[monitors] + 1}, "and not the one that the release writes"

    other = replace(lab.plan, release_id="20261123-0405-other0")
    assert measure(lab.databases, other, lab.green, 0) == [], "the schema is of another release"

    live.start(lab.databases, lab.plan, lab.green)
    with closing(lab.blue_server.connect(APP, WRITER, lab.passwords[WRITER])) as writer:
        writer.run("INSERT INTO orders (note) SELECT repeat('x', 1000) FROM generate_series(1, 2000)")

    def both_keep_it() -> bool:
        app = figures(lab.databases, lab)[APP]
        return app.green is not None and min(app.blue.retained_bytes, app.green.retained_bytes) > 2_000_000

    eventually(both_keep_it)

    assert lab.green_server
    lab.green_server.execute(APP, f"ALTER SUBSCRIPTION {lab.plan.sql_name} DISABLE")
    eventually(lambda: not figures(lab.databases, lab, 0)[APP].slot_active)
    behind = figures(lab.databases, lab, 0)[APP]
    assert behind.lag_s is not None, "as old as the last one that arrived"
    assert behind.lag_s > 0
    assert behind.metrics()["SlotsIdle"] == 1
    eventually(lambda: (figures(lab.databases, lab, 0)[APP].lag_s or 0) > (behind.lag_s or 0))

    lab.blue_server.execute(CRM, f"SELECT pg_drop_replication_slot('{lab.plan.recorder(CRM)}')")
    assert figures(lab.databases, lab, 0)[CRM].metrics()["SlotsInDanger"] == 0, "a recorder is made when it is needed"

    lab.green_server.stop()
    alone = figures(lab.databases, lab)[APP]
    assert alone.failure
    assert alone.blue.retained_bytes > 2_000_000, "what blue keeps is known all the same"
    assert alone.metrics().keys() == METRICS.keys() - {"ApplyErrors", "RetainedOnGreen", "ReplicationLag"}
    assert alone.metrics()["MonitorFailures"] == 1


def test_a_slot_that_is_gone_or_has_no_log_or_little_room_is_in_danger() -> None:
    row = {"slot_name": "one", "active": True, "wal_status": "reserved", "safe_wal_size": None, "retained_bytes": 5}
    assert Slots.of([row], expected="one") == Slots("reserved", 5, 0)
    assert Slots.of([], expected="one") == Slots("missing", 0, 1)
    assert Slots.of([row | {"wal_status": "unreserved", "safe_wal_size": -1}], expected="one").in_danger == 1
    assert Slots.of([row | {"wal_status": None}, row | {"slot_name": "two"}]).wal_status == "lost"
    assert Slots.of([row | {"safe_wal_size": 2**20}]).in_danger == 1
    assert Slots.of([row | {"safe_wal_size": 2**40}]).in_danger == 0


def test_in_a_freeze_it_asks_nothing_and_its_sessions_are_no_obstacle(following: Lab) -> None:
    role = "bluegreen_release"
    monitors = Databases(lambda _: [Credentials(role, following.passwords[role])], "disable")
    with closing(monitors):
        assert set(figures(monitors, following)) == set(DATABASES)
        before = sentinels(following)
        assert freeze.freeze_blue(following.databases, following.plan).frozen_at
        assert not lets_in(following, following.blue_server)
        assert figures(monitors, following) == {}
        assert sentinels(following) == before
        freeze.prove_again(following.databases.on(following.plan.blue, following.plan.home), following.plan)

        overrun(following, following.plan)
        late = figures(monitors, following)
        assert {each.lag_s for each in late.values()} == {None}
        assert {each.failure for each in late.values()} == {""}
        assert all(each.blue.wal_status == "reserved" for each in late.values()), "the log is watched to the end"
        assert sentinels(following) == before, "nothing is written to a blue that is frozen"

        replication.end_replication(following.databases, following.plan, following.green)
        replication.drop_slots(following.databases, following.plan, following.plan.blue)
        assert figures(monitors, following) == {}, "its slots were dropped, as they should be"

        freeze.unfreeze_blue(following.databases, following.plan, is_not_open=True)
        lost = figures(monitors, following, 0)
        assert {each.blue.wal_status for each in lost.values()} == {"missing"}, "now they should be there"
        replication.drop_schema(following.databases, following.plan, following.plan.blue)
        assert figures(monitors, following) == {}, "it was cleaned up"


def overrun(lab: Lab, plan: Plan) -> None:
    """Lets the freeze budget be over."""
    lab.blue_server.execute(
        plan.home, "UPDATE bluegreen.freeze_record SET deadline_at = clock_timestamp() - interval '1 s'"
    )
