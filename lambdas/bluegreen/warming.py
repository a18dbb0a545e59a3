"""Warming: the functions of the freeze are started, with secrets read and connections open, before it begins.

A new session's first use of each table and function costs the server some milliseconds, and there is one freeze: so
each step's statements are rehearsed in the very sessions that will run them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .errors import AwsUnavailable, RecordChanged
from .model import Cluster, Plan, State
from .postgres import Databases
from .switchover import sequence_states
from .verification import count_rows

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statements:
    """What a step runs on blue and on green: in every database, and in the home database alone."""

    blue: Names = ()
    green: Names = ()
    blue_home: Names = ()
    green_home: Names = ()


_LOOKS = ("login_roles", "connect_grants", "connecting_roles", "client_sessions", "prepared_transactions")

REHEARSED = {
    "FreezeBlue": Statements(blue_home=("insert_freeze_record", "freeze_record", *_LOOKS)),
    "SyncSequences": Statements(blue_home=("freeze_record",), green=("set_sequences",)),
    "WaitForDrain": Statements(
        blue=("insert_lsn", "write_sentinel", "slot_lag"), green=("read_sentinel",), blue_home=("freeze_record",)
    ),
    "VerifyCutover": Statements(blue_home=("freeze_record", *_LOOKS)),
    "OpenGreen": Statements(blue_home=("intend_opening",), green_home=("decide_opening", "opening", "freeze_record")),
}
"""A test holds this to what the steps really run."""


def warm(lambda_client: Any, function_names: Sequence[str], state: State) -> int:
    """Calls each function with ``{"warm": "<its state>"}`` beside plan and green, all at once; how many answered."""

    def call(name: str) -> None:
        event = {"warm": name.rpartition("-")[2], "plan": state["plan"], "green": state["green"]}
        payload = json.dumps(event).encode()
        response = lambda_client.invoke(FunctionName=name, Payload=payload)
        if "FunctionError" in response:
            problem = json.loads(response["Payload"].read())
            message = f"{name} cannot be warmed: {problem.get('errorType')}: {problem.get('errorMessage')}"
            raise (RecordChanged if problem.get("errorType") == "RecordChanged" else AwsUnavailable)(message)

    with ThreadPoolExecutor(max_workers=len(function_names)) as pool:
        return len(list(pool.map(call, function_names)))


def rehearse(databases: Databases, plan: Plan, green: Cluster, state: str) -> None:
    """Opens the sessions of a step, and makes them ready for its statements; changes nothing."""
    statements = REHEARSED.get(state, Statements())

    def on_both(database: str) -> None:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        is_home = database == plan.home
        for name in (*statements.blue, *(statements.blue_home if is_home else ())):
            on_blue.rehearse(name)
        for name in (*statements.green, *(statements.green_home if is_home else ())):
            on_green.rehearse(name)
        if state == "SyncSequences":
            sequence_states(on_blue)
            sequence_states(on_green)
        if state == "VerifyCutover":
            count_rows(databases, plan, green, database)

    databases.each(plan.databases, on_both)
