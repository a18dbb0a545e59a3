"""Scripts on green, on real servers: run once, refused, corrected, left alone and found again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pg8000.native
import pytest

from bluegreen import drift, lag
from bluegreen.changes.applying import apply_changes
from bluegreen.model import Change
from bluegreen.verify import live
from tests.integration.conftest import APP, Lab, with_plan
from tests.integration.scripting import Bucket
from tests.integration.writing import writing

INSERT = "INSERT INTO orders (note) VALUES ('meanwhile')"


@pytest.fixture
def green(lab: Lab) -> Lab:
    """Green in step with blue."""
    lab.follow()
    return lab


def run(lab: Lab, scripts: str | Bucket, database: str = APP, **listening: float) -> list[dict[str, Any]]:
    """Runs all scripts of a bucket; a text is one script."""
    bucket = scripts if isinstance(scripts, Bucket) else Bucket(one=scripts)
    names = sorted(bucket.scripts)
    with_plan(lab, changes=tuple(Change(database, "scripts", name) for name in names))
    return apply_changes(lab.databases, bucket, lab.plan, lab.green, **listening)


def on_green(lab: Lab, sql: str, database: str = APP) -> Any:
    assert lab.green_server
    return lab.green_server.execute(database, sql)


@contextmanager
def held(lab: Lab, number: int) -> Iterator[pg8000.native.Connection]:
    """A lock on green that a script can wait for."""
    assert lab.green_server
    connection = lab.green_server.connect(APP)
    connection.run(f"SELECT pg_advisory_lock({number})")
    try:
        yield connection
    finally:
        connection.close()


def test_a_script_runs_once_and_what_it_did_is_told(green: Lab) -> None:
    bucket = Bucket(
        one="CREATE TABLE added (id int);\nINSERT INTO added VALUES (1), (2);\nDROP TABLE IF EXISTS nothing"
    )
    (first,) = run(green, bucket)
    assert (first["database"], first["statements"], first["rows"], first["notices"]) == (APP, 3, 2, 1)
    (again,) = run(green, bucket)
    assert again == first
    assert on_green(green, "SELECT count(*) FROM added") == [[2]]


def test_a_column_and_indexes_are_added_while_rows_come_and_nothing_is_lost(green: Lab) -> None:
    script = """
        ALTER TABLE orders ADD COLUMN source text NOT NULL DEFAULT 'web';
        CREATE INDEX CONCURRENTLY orders_by_source ON orders (source);
        CREATE TABLE tallies (day date PRIMARY KEY, orders bigint GENERATED ALWAYS AS IDENTITY);
    """
    with writing(green, INSERT):
        run(green, script)
    assert on_green(green, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'orders_by_source'::regclass") == [
        [True]
    ]
    lags = lag.measure(green.databases, green.plan, green.green)
    lag.require_small(lags, green.plan.max_lag_bytes, 60)
    drift.require_none(drift.find(green.databases, green.plan, green.green))
    live.start(green.databases, green.plan, green.green)
    assert green.blue_server.execute(APP, "SELECT count(*) FROM orders") == on_green(
        green, "SELECT count(*) FROM orders"
    )
