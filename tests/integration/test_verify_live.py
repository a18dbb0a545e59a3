"""Blue is written to while it is compared with a green that follows: nothing is reported but what differs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import closing

from bluegreen import lag
from bluegreen.session import Session
from bluegreen.verify.chunks import Chunk
from bluegreen.verify.comparing import Comparison, Difference, Settle, compare_chunk, compare_keys
from bluegreen.verify.planning import plan_chunks
from bluegreen.verify.tables import Table, fix_output
from tests.integration.conftest import APP, Lab
from tests.integration.pairs import table_of
from tests.integration.writing import writing

ROWS = 3000
HOT = 5

TABLES = f"""
CREATE TABLE busy (id int PRIMARY KEY, n int NOT NULL, at timestamptz NOT NULL DEFAULT now());
INSERT INTO busy SELECT n, 0 FROM generate_series(1, {ROWS}) n;
CREATE TABLE busy_log (n int, t text);
ALTER TABLE busy_log REPLICA IDENTITY FULL;
INSERT INTO busy_log SELECT n % 10, 'x' FROM generate_series(1, 100) n;
ANALYZE
"""


def sweep() -> Iterator[str]:
    """Goes through all rows."""
    return (
        f"UPDATE busy SET n = n + 1, at = clock_timestamp() WHERE id = {n % ROWS};"
        f" INSERT INTO busy_log VALUES ({n}, 'y');"
        f" DELETE FROM busy WHERE id = {ROWS + n - 50}; INSERT INTO busy VALUES ({ROWS + n}, 0)"
        for n in itertools.count(1)
    )


def hot() -> Iterator[str]:
    """Changes a few rows all the time."""
    return (f"UPDATE busy SET n = n + 1 WHERE id = {-(n % HOT)}" for n in itertools.count())


def settled(lab: Lab) -> Settle:
    """Waits for a sentinel."""
    blue, green = lab.databases.on(lab.plan.blue, APP), lab.databases.on(lab.green, APP)

    def settle() -> None:
        assert lag.sentinel_round_trip_s(blue, green, lab.plan.release_id) is not None

    return settle


def compare_all(blue: Session, green: Session, table: Table, settle: Settle) -> list[Comparison]:
    return [compare_chunk(blue, green, table, chunk, settle) for chunk in plan_chunks(blue, green, table, 500)]


def test_a_comparison_while_blue_is_written_to(lab: Lab) -> None:
    lab.blue_server.execute(APP, TABLES)
    lab.blue_server.execute(APP, f"INSERT INTO busy SELECT -n, 0 FROM generate_series(0, {HOT - 1}) n")
    lab.follow()
    assert lab.green_server
    settle = settled(lab)
    with (
        closing(Session(lab.blue_server.connect(APP), "blue")) as blue,
        closing(Session(lab.green_server.connect(APP), "green")) as green,
    ):
        fix_output(blue)
        fix_output(green)
        busy, log = table_of(blue, green, "busy"), table_of(blue, green, "busy_log")
        hot_keys = {(str(-n),) for n in range(HOT)}
        with writing(lab, sweep(), hot()):
            began = time.monotonic()
            while time.monotonic() - began < 1:
                comparisons = compare_all(blue, green, busy, settle)
                assert [c.differences for c in comparisons] == [()] * len(comparisons)
                assert {key for c in comparisons for key in c.unsettled} <= hot_keys
            assert compare_chunk(blue, green, log, Chunk(), settle).differences == ()

            # what was lost on green is found among all that changes
            lab.green_server.execute(APP, "DELETE FROM busy WHERE id = 1500")
            lab.blue_server.execute(APP, "INSERT INTO busy_log VALUES (-1, 'lost')")
            settle()
            lab.green_server.execute(APP, "DELETE FROM busy_log WHERE n = -1")
            found = [d for c in compare_all(blue, green, busy, settle) for d in c.differences]
            assert found == [Difference(("1500",), "*", "one row", "no row")]
            in_log = compare_chunk(blue, green, log, Chunk(), settle)
            assert in_log.differences == (Difference(("-1, lost",), "*", "one row", "no row"),)
        settle()
        assert compare_keys(blue, green, [(busy, sorted(hot_keys))], settle)[busy.relation].is_equal
        assert compare_chunk(blue, green, busy, Chunk(("1501",), None), settle).is_equal
