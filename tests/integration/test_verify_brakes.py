"""The comparison does not hurt blue: it stands back, keeps to its rate, and ends when it cannot get on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.errors import ReplicationLagging, VerificationStalled
from bluegreen.postgres import Databases
from bluegreen.quoting import identifier
from bluegreen.verify import live, rounds, working
from bluegreen.verify.chunks import Chunk
from bluegreen.verify.queue import Queue
from bluegreen.verify.working import PAUSE_S, Brake, Headway
from tests.integration.conftest import APP, Lab, with_plan
from tests.integration.writing import writing
from tests.waiting import eventually

WORK_S = 60
SHORT_S = 4
"""Of a worker that is to stand back all the time: enough to begin."""


class Told(list[dict[str, Any]]):
    """What a worker said each time that it stood back."""

    def __call__(self, what: str, **figures: Any) -> None:
        if what == "stands back":
            self.append(figures)


@contextmanager
def lagging(lab: Lab) -> Iterator[None]:
    """Green does not apply what is committed meanwhile, which is more than it may."""
    assert lab.green_server
    subscription = f"ALTER SUBSCRIPTION {identifier(lab.plan.sql_name)}"
    lab.green_server.execute(APP, f"{subscription} DISABLE")
    lab.blue_server.execute(APP, "INSERT INTO orders (note) SELECT repeat('x', 500) FROM generate_series(1, 100)")
    with_plan(lab, max_lag_bytes=10_000)
    yield
    lab.green_server.execute(APP, f"{subscription} ENABLE")


def test_a_worker_stands_back_while_blue_is_busy_and_says_so(following: Lab) -> None:
    lab, told = following, Told()
    plan = with_plan(lab, verify_max_active_sessions=1)
    on_blue = lab.databases.on(plan.blue, APP)
    assert live.pressure(plan, APP, on_blue) is None, "its own sessions do not count"
    with writing(lab, "SELECT pg_sleep(0.5)", "SELECT pg_sleep(0.5)", "SELECT pg_sleep(0.5)"):
        eventually(lambda: live.pressure(plan, APP, on_blue) is not None)
        done = live.compare(lab.databases, plan, lab.green, 0, SHORT_S, told)
        assert live.pressure(with_plan(lab, verify_max_active_sessions=0), APP, on_blue) is None, "the usual number"
    assert done["stood_back_s"] > 0
    assert told[0]["database"] == APP
    assert told[0]["reason"].endswith("active sessions, 1 are allowed")
    assert live.compare(lab.databases, lab.plan, lab.green, 0, WORK_S)["rows"] > 1000


def test_a_green_that_lags_for_ever_ends_the_comparison(following: Lab) -> None:
    lab, told = following, Told()
    with lagging(lab):
        plan = replace(lab.plan, databases=(APP,))
        done = live.compare(lab.databases, plan, lab.green, 0, SHORT_S, told)
        assert (done["rows"], done["chunks"]) == (0, 0)
        assert "bytes behind, 10000 are allowed" in told[0]["reason"]
        compared: dict[str, Any] = {}
        for _ in range(3):
            compared = rounds.sum_up(lab.databases, plan, lab.green, compared)
        assert compared["idle_rounds"] == 2, "the first has nothing before it"
        with pytest.raises(VerificationStalled, match=r"green is \d+ bytes behind.*max_lag_bytes"):
            rounds.sum_up(lab.databases, plan, lab.green, compared)
    live.compare(lab.databases, plan, lab.green, 0, WORK_S)
    assert rounds.sum_up(lab.databases, plan, lab.green, compared)["idle_rounds"] == 0


def test_an_execution_has_room_for_so_many_rounds(following: Lab) -> None:
    lab = following
    before = {"rounds": rounds.most_rounds(lab.plan.verify_workers) - 1}
    with pytest.raises(VerificationStalled, match="no room for more"):
        rounds.sum_up(lab.databases, lab.plan, lab.green, before)
    live.compare(lab.databases, lab.plan, lab.green, 0, WORK_S)
    summed = rounds.sum_up(lab.databases, lab.plan, lab.green, before)
    assert (summed["chunks_left"], summed["rows_left"], summed["left_s"]) == (0, 0, 0)
    assert summed["rows_per_s"] > 0


def test_a_row_that_does_not_arrive_is_waited_for(following: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, told, attempts = following, Told(), iter([True, False])

    def settle(*_: object) -> Any:
        def wait() -> None:
            if next(attempts, False):
                raise ReplicationLagging("not yet")

        return wait

    lab.databases.on(lab.green, APP).run("DELETE FROM public.orders WHERE id = 7")
    monkeypatch.setattr(live, "settle", settle)
    monkeypatch.setattr(working, "PAUSE_S", 0)
    live.compare(lab.databases, lab.plan, lab.green, 0, WORK_S, told)
    assert told[0] == {"database": APP, "reason": "not yet"}
    found = Queue(lab.databases.on(lab.green, APP)).progress()
    assert (found.chunks_left, found.differences) == (0, ("public.orders (7): *",))


def test_a_worker_waits_for_the_chunks_of_a_table_that_another_divides(following: Lab) -> None:
    lab = following
    with closing(Databases(lab.databases.credentials, "disable")) as others:
        queue, other = Queue(lab.databases.on(lab.green, APP)), Queue(others.on(lab.green, APP))
        with other.take() as table:
            assert table
            assert table.chunk is None
            while True:
                with queue.take() as work:
                    if work is None:
                        break
                    queue.divide(work, [])
            assert queue.is_dividing()
            other.divide(table, (Chunk((str(n),), (str(n + 1),), 5) for n in range(25_000)))
        assert not queue.is_dividing()
        with queue.take() as work:
            assert work
            assert work.chunk == Chunk(("0",), ("1",), 5)
        progress = queue.progress()
    assert (progress.chunks_left, progress.rows_left) == (25_000, 125_000)


def test_a_rate_is_kept_over_chunks_and_the_time_bounds_every_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(working, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    brake = Brake(rows_per_s=1000, deadline=120.0)
    assert brake.may_go_on(0, 0)
    assert now == 100
    assert brake.may_go_on(5000, 2.0)
    assert now == 103, "5 s at this rate, of which it has worked 2"
    assert brake.may_go_on(1000, 5.0)
    assert now == 103
    assert not brake.may_go_on(50_000, 1.0)
    assert now == 120
    busy = Brake(pressure=lambda: "busy" if now < 122 else None)
    assert busy.may_go_on(10**9, 0)
    assert (now, busy.stood_back_s) == (122, 2 * PAUSE_S)


def test_nothing_is_known_of_the_time_before_the_first_chunk() -> None:
    assert Headway(0, 1000, 5.0).left_s is None
    assert Headway(0, 0, 0.0).left_s == 0
