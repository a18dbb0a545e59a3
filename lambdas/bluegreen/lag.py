"""Lag is three things: bytes, seconds end to end, and health. Bytes alone read zero when a table is skipped."""

from __future__ import annotations

import time

from .errors import ReplicationBroken, ReplicationLagging
from .model import Cluster, Lag, Plan, Relation
from .postgres import Databases
from .session import Session

SENTINEL_TIMEOUT_S = 5.0
"""How long one measurement waits for its sentinel to arrive on green."""

POLL_INTERVAL_S, SELDOM_S = 0.002, 0.5


def measure(databases: Databases, plan: Plan, green: Cluster) -> list[Lag]:
    """Measures all databases, side by side."""
    return list(databases.each(plan.databases, lambda name: _measure_database(databases, plan, green, name)).values())


def _measure_database(databases: Databases, plan: Plan, green: Cluster, database: str) -> Lag:
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    slots = on_blue.query("slot_lag", slot=plan.slot(database))
    problems = health_problems(on_blue, on_green, plan, database)
    return Lag(
        database=database,
        lag_bytes=slots[0]["lag_bytes"] if slots else -1,
        lag_s=None if problems else sentinel_round_trip_s(on_blue, on_green, plan.release_id),
        problems=tuple(problems),
    )


def health_problems(on_blue: Session, on_green: Session, plan: Plan, database: str) -> list[str]:
    """What keeps one database from being replicated, in words."""
    slots = on_blue.query("slot_lag", slot=plan.slot(database))
    subscriptions = on_green.query("subscription_health", name=plan.sql_name)
    if not slots:
        return [f"the slot {plan.slot(database)} is gone from blue (a failover loses slots)"]
    if not subscriptions:
        return ["the subscription is gone from green"]
    (slot,), (subscription,) = slots, subscriptions
    problems = []
    if slot["wal_status"] not in ("reserved", "extended"):
        problems.append(f"the slot's log is {slot['wal_status']} (max_slot_wal_keep_size)")
    if not subscription["enabled"]:
        problems.append("the subscription is disabled: applying failed, see green's log for the row and table")
    if subscription["apply_errors"]:
        problems.append(f"{subscription['apply_errors']} errors while applying, see green's log")
    if subscription["conflicts"]:
        problems.append(f"{subscription['conflicts']} conflicts while applying, see green's log")
    published = {Relation(**row) for row in on_blue.query("published_tables")}
    followed = {Relation(**row) for row in on_green.query("subscribed_tables", name=plan.sql_name)}
    if missed := published - followed:
        problems.append(f"tables on blue that green does not follow: {', '.join(sorted(map(str, missed)))}")
    return problems


def sentinel_round_trip_s(
    on_blue: Session,
    on_green: Session,
    release_id: str,
    timeout_s: float | None = None,
    poll_interval_s: float = POLL_INTERVAL_S,
) -> float | None:
    """Seconds from the commit of a row on blue to its sight on green; None if it did not arrive in time.

    Green is asked in intervals that grow to half a second: who waits long need not know to the millisecond.
    """
    patience_s = SENTINEL_TIMEOUT_S if timeout_s is None else timeout_s
    beat = on_blue.one("write_sentinel", release_id=release_id)["beat"]
    committed = time.monotonic()
    while not arrived(on_green, release_id, beat):
        if time.monotonic() - committed > patience_s:
            return None
        time.sleep(poll_interval_s)
        poll_interval_s = min(1.2 * poll_interval_s, SELDOM_S)
    return time.monotonic() - committed


def arrived(on_green: Session, release_id: str, beat: int) -> bool:
    """Whether green has seen a sentinel."""
    rows = on_green.query("read_sentinel", release_id=release_id)
    return bool(rows) and rows[0]["beat"] >= beat


def require_small(lags: list[Lag], max_lag_bytes: int, max_lag_s: float) -> None:
    """Raises ``ReplicationBroken`` for what waiting does not cure, ``ReplicationLagging`` for what it does.

    >>> require_small([Lag("app", 100, 0.01, ())], max_lag_bytes=1000, max_lag_s=1.0)
    >>> require_small([Lag("app", 5000, 0.01, ())], max_lag_bytes=1000, max_lag_s=1.0)
    Traceback (most recent call last):
    bluegreen.errors.ReplicationLagging: app is 5000 bytes behind, 1000 are allowed.
    """
    if broken := [f"{lag.database}: {'; '.join(lag.problems)}" for lag in lags if lag.problems]:
        raise ReplicationBroken(f"Replication does not work. {'. '.join(broken)}.")
    for lag in lags:
        if lag.lag_bytes > max_lag_bytes:
            raise ReplicationLagging(f"{lag.database} is {lag.lag_bytes} bytes behind, {max_lag_bytes} are allowed.")
        if lag.lag_s is None or lag.lag_s > max_lag_s:
            seconds = "no sentinel arrived" if lag.lag_s is None else f"{lag.lag_s:.2f} s behind"
            raise ReplicationLagging(f"{lag.database}: {seconds}, {max_lag_s} s are allowed.")
