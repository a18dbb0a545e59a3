"""Priming: nothing is used for the first time in the freeze.

A new session's first use of each table, function and operator costs the server some milliseconds, and there is one
freeze. So when the functions are warmed, each step's statements are planned and prepared in the very sessions that will
run them, and those that only look are run. What has changed until then is compared, and sequences are carried
to green, so that little is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from .freeze_methods import method_of
from .model import Cluster, Plan
from .postgres import Databases
from .switchover import carry_sequences
from .verification import count_rows
from .verify import since

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """What a step runs on blue and on green: in every database, and in the home database alone."""

    blue: Names = ()
    green: Names = ()
    blue_home: Names = ()
    green_home: Names = ()


PRIMED = {
    "FreezeBlue": Statements(
        blue_home=(
            "starting_sessions",
            "insert_freeze_record",
            "freeze_record",
            "client_sessions",
            "prepared_transactions",
        )
    ),
    "SyncSequences": Statements(
        blue_home=("freeze_record",), green=("set_sequences", "states_of_sequences"), green_home=("opening",)
    ),
    "WaitForDrain": Statements(
        blue=("insert_lsn", "write_sentinel", "slot_lag"), green=("read_sentinel",), blue_home=("freeze_record",)
    ),
    "VerifyCutover": Statements(
        blue=("sizes_of_tables", "row_counts"),
        green=("row_counts",),
        blue_home=("freeze_record", "client_sessions", "prepared_transactions"),
    ),
    "OpenGreen": Statements(blue_home=("intend_opening",), green_home=("decide_opening", "opening", "freeze_record")),
}
"""By the names of states; a test holds it to what the steps really run."""

CARRYING_TIMEOUT_S = 30

IN_EVERY_DATABASE = frozenset({"SyncSequences", "WaitForDrain", "VerifyCutover"})
"""The others need the home database alone: connections of blue are the application's, who needs most of them now."""


def prime(databases: Databases, plan: Plan, green: Cluster, state: str) -> None:
    """Opens a step's sessions and makes them ready for its statements. Of other states, only opens."""
    statements = PRIMED.get(state, Statements())

    def in_database(database: str) -> None:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        on_blue.keep_plans()
        on_green.keep_plans()
        is_home = database == plan.home
        for name in (*statements.blue, *(statements.blue_home if is_home else ())):
            on_blue.prime(name)
        for name in (*statements.green, *(statements.green_home if is_home else ())):
            on_green.prime(name)
        if state in ("FreezeBlue", "VerifyCutover") and is_home:
            method_of(plan).look(on_blue, plan)
            method_of(plan).prove(on_blue, plan)

    databases.each(plan.databases if state in IN_EVERY_DATABASE else [plan.home], in_database)
    if state == "SyncSequences":
        carry_sequences(databases, plan, green, CARRYING_TIMEOUT_S)
    if state == "VerifyCutover":
        changed = since.prime(databases, plan, green)
        databases.each(
            plan.databases, lambda database: count_rows(databases, plan, green, database, list(changed[database]))
        )
