"""What is measured of each database while green follows blue. It looks; all it writes is a sentinel of its own.

It never stands in the way of a release: statements wait for three seconds at most, nothing is held between two of them,
the sentinel is not the one that the release writes, and nothing begins while a freeze is under way. What has begun then
asks green for its sentinel, ever more seldom, for ten seconds at most. Its sessions are of the release's role, which
the freeze leaves alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import lag, replication
from ..errors import DatabaseUnavailable, SqlError
from ..model import Cluster, Plan
from ..postgres import Databases
from ..session import Row, Session

STATEMENT_TIMEOUT_S = 3
POLL_INTERVAL_S = 0.02

LITTLE_ROOM_BYTES = 2**30
"""So much log and no more may still be written before the server gives a slot up (``max_slot_wal_keep_size``)."""

WAL_STATUSES = ("reserved", "extended", "unreserved", "lost", "missing")
"""Of a slot's log, from good to bad; the last is ours: there is no such slot."""

METRICS = {
    "ReplicationLagBytes": "Bytes",
    "ReplicationLag": "Seconds",
    "ApplyErrors": "Count",
    "RetainedOnBlue": "Bytes",
    "RetainedOnGreen": "Bytes",
    "SlotsIdle": "Count",
    "SlotsInDanger": "Count",
    "MonitorFailures": "Count",
}
"""The metrics and their units. A figure that could not be measured is not published."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The release's slots in one database of one side, taken together."""

    wal_status: str
    """That of the worst."""
    retained_bytes: int
    """What the server keeps for the one that is furthest back."""
    in_danger: int
    """How many have lost their log, or soon will."""

    @classmethod
    def of(cls, rows: Iterable[Row], expected: str = "") -> Slots:
        """From ``our_slots``; without the slot that is expected something is wrong, whatever else is there."""
        found = {row["slot_name"]: row for row in rows}
        statuses = [row["wal_status"] or "lost" for row in found.values()]
        statuses += ["missing"] if expected and expected not in found else []
        little_room = [row for row in found.values() if (row["safe_wal_size"] or LITTLE_ROOM_BYTES) < LITTLE_ROOM_BYTES]
        bad = [status for status in statuses if WAL_STATUSES.index(status) > WAL_STATUSES.index("extended")]
        return cls(
            max(statuses, key=WAL_STATUSES.index, default="reserved"),
            max((row["retained_bytes"] for row in found.values()), default=0),
            max(len(bad), len(little_room)),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """One database, measured."""

    database: str
    blue: Slots
    lag_bytes: int | None
    slot_active: bool
    green: Slots | None = None
    apply_errors: int | None = None
    lag_s: float | None = None
    """Seconds from blue to green; when it was not seen to the end, the age of what green has, up to a minute more."""
    failure: str = ""
    """Why green was not measured."""

    def sample(self) -> dict[str, Any]:
        """As the report reads it."""
        sides = [side for side in (self.blue, self.green) if side]
        return {
            "lag_bytes": -1 if self.lag_bytes is None else self.lag_bytes,
            "lag_s": None if self.lag_s is None else round(self.lag_s, 4),
            "apply_errors": self.apply_errors or 0,
            "retained_bytes": max(side.retained_bytes for side in sides),
            "slot_active": self.slot_active,
            "wal_status": max((side.wal_status for side in sides), key=WAL_STATUSES.index),
        }

    def metrics(self) -> dict[str, float]:
        """By the names in ``METRICS``, as far as they are known."""
        known = {
            "ReplicationLagBytes": self.lag_bytes,
            "ReplicationLag": self.lag_s,
            "ApplyErrors": self.apply_errors,
            "RetainedOnBlue": self.blue.retained_bytes,
            "RetainedOnGreen": self.green.retained_bytes if self.green else None,
            "SlotsIdle": int(not self.slot_active),
            "SlotsInDanger": self.blue.in_danger + (self.green.in_danger if self.green else 0),
            "MonitorFailures": int(bool(self.failure)),
        }
        return {name: float(value) for name, value in known.items() if value is not None}


def measure(databases: Databases, plan: Plan, green: Cluster, patience_s: float) -> list[Figures]:
    """Measures all databases, side by side; none while a freeze is under way, or once the release was cleaned up.

    Sentinels are waited for as long as ``patience_s``, all databases together. Raises ``DatabaseUnavailable`` or
    ``SqlError`` when blue does not answer; that green does not is in the figures.
    """
    home = databases.on(plan.blue, plan.home)
    with home.patience(STATEMENT_TIMEOUT_S):
        if not replication.made_schema(home, plan):
            return []
        freeze = home.one("freeze_under_way", release_id=plan.release_id)
    if freeze["is_under_way"]:
        return []

    ends_at = time.monotonic() + patience_s

    def measure_database(database: str) -> Figures | None:
        left_s = max(0.0, ends_at - time.monotonic())
        return _measure_database(databases, plan, green, database, left_s, is_frozen=freeze["is_frozen"])

    return [each for each in databases.each(plan.databases, measure_database).values() if each]


def _measure_database(
    databases: Databases, plan: Plan, green: Cluster, database: str, patience_s: float, *, is_frozen: bool
) -> Figures | None:
    """None for a database that green was taken off after it was opened: its slots were dropped."""
    on_blue, names = databases.on(plan.blue, database), [plan.slot(database), plan.recorder(database)]
    with on_blue.patience(STATEMENT_TIMEOUT_S):
        rows = on_blue.query("our_slots", slots=names)
    if is_frozen and not rows:
        return None
    slot = next((row for row in rows if row["slot_name"] == names[0]), None)
    blue = Slots.of(rows, expected=names[0])
    lag_bytes, slot_active = (slot["lag_bytes"], slot["active"]) if slot else (None, False)
    try:
        on_green = databases.on(green, database)
        with on_green.patience(STATEMENT_TIMEOUT_S):
            on_green_slots = Slots.of(on_green.query("our_slots", slots=names))
            health = on_green.query("subscription_health", name=plan.sql_name)
            errors = health[0]["apply_errors"] + health[0]["conflicts"] if health else None
            lag_s = None if is_frozen else _lag_s(on_blue, on_green, f"{plan.release_id}/monitor", patience_s)
    except (DatabaseUnavailable, SqlError) as error:
        return Figures(database, blue, lag_bytes, slot_active, failure=str(error))
    failure = "" if health or is_frozen else "the subscription is gone from green"
    return Figures(database, blue, lag_bytes, slot_active, on_green_slots, errors, lag_s, failure)


def _lag_s(on_blue: Session, on_green: Session, key: str, patience_s: float) -> float | None:
    """Seconds for a row from blue to green. Of one that does not arrive in time it is known how old the last one is
    that did: no less than the lag, and at most as much more as lies between two measurements. None before the first."""
    with on_blue.patience(STATEMENT_TIMEOUT_S):
        seconds = lag.sentinel_round_trip_s(on_blue, on_green, key, patience_s, POLL_INTERVAL_S)
        if seconds is not None:
            return seconds
        arrived = on_green.query("sentinel_written_at", release_id=key)
        return on_blue.one("seconds_since", instant=arrived[0]["written_at"])["seconds"] if arrived else None
