"""The scripts run on green, each once, one after the other.

A script may take longer than a function may. So each of its transactions is one statement for the server
(``run_change``), which also writes down what came of it: whoever called it may be gone by then, and the next one finds
it running, done, or failed (docs/adr/0007-scripts-run-in-the-server.md).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import fingerprint, replication
from ..errors import ChangeFailed, ChangeRunning, ChangesRefused, DatabaseUnavailable, SqlError
from ..model import Cluster, Plan
from ..postgres import Databases
from ..session import Row, Session
from . import alone
from .checking import Prepared, prepare
from .units import Unit

LISTEN_S = 780.0
"""How long one call waits for a script; its function may take a little longer."""

_POLL_INTERVAL_S = 0.2
_NOTICES_KEPT = 100


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs the scripts of one release until ``deadline``, by the monotonic clock; then it leaves them to the server."""

    databases: Databases
    plan: Plan
    green: Cluster
    deadline: float

    @property
    def left_s(self) -> float:
        return self.deadline - time.monotonic()

    def run(self, prepared: Prepared) -> None:
        """Runs what is left of a script."""
        session = self.databases.on(self.green, prepared.script.database)
        with self._alone(session):
            try:
                if prepared.script.key not in _done(session):
                    self._run_rest(session, prepared)
            finally:
                if session.alive():  # else it may still be running, and whoever comes next sees to it
                    replication.resume(session, self.plan)

    def _run_rest(self, session: Session, prepared: Prepared) -> None:
        parts = _parts(session, prepared)
        for unit in prepared.units:
            part = parts.get(unit.number)
            if part and part["failure"] and not part["is_told"] and part["sha256"] == unit.sha256:
                raise _failed(session, prepared, unit, part)  # while nobody listened; asked again, it runs again
        for unit in prepared.units:
            if not (unit.number in parts and parts[unit.number]["is_done"]):
                self._run_unit(session, prepared, unit, parts.get(unit.number))
        session.query("end_script", key=prepared.script.key, sha256=prepared.script.sha256)

    @contextmanager
    def _alone(self, session: Session) -> Iterator[None]:
        while not session.one("try_change_lock")["is_ours"]:
            if self.left_s < 0:
                raise ChangeRunning(f"{session.address}: {_running(session)}.")
            time.sleep(_POLL_INTERVAL_S)
        try:
            yield
        finally:
            if session.alive():
                session.run("RESET ALL; RESET ROLE; SELECT pg_advisory_unlock_all()")

    def _run_unit(self, session: Session, prepared: Prepared, unit: Unit, before: Row | None) -> None:
        script = prepared.script
        attempts = session.one(
            "begin_change",
            key=script.key,
            number=unit.number,
            sha256=unit.sha256,
            script_sha256=script.sha256,
            version=script.version,
        )["attempts"]
        if unit.is_transaction:
            replication.pause(session, self.plan)  # at the first lock it would stand still; or it would be a deadlock
        else:
            replication.resume(session, self.plan)
            session.query("keep_facts", key=script.key, number=unit.number, subscription=self.plan.sql_name)
        _prepare_session(session, unit, is_first=attempts == 1)
        try:
            with session.listening(self.left_s):
                if unit.is_transaction:
                    texts = json.dumps([each.text for each in unit.statements])
                    arguments = {"key": script.key, "number": unit.number, "statements": texts}
                    arguments["roles"] = json.dumps(unit.roles)
                    session.query("run_change", **arguments, subscription=self.plan.sql_name)
                else:
                    for role in unit.roles:
                        session.run(role)
                    alone.run(session, unit, before)
            failure = None
        except DatabaseUnavailable as error:
            if self.left_s < 1:
                raise ChangeRunning(f"{script} line {unit.line} goes on in {script.database}.") from error
            raise
        except SqlError as error:
            failure = error.without_detail
        notices = session.notices[:_NOTICES_KEPT]
        session.run("RESET ALL; RESET ROLE")
        if not (failure or unit.is_transaction):
            failure = self._broken(session, script.key, unit.number)
        if failure or not unit.is_transaction:
            session.query("end_change", key=script.key, number=unit.number, failure=failure)
        session.query("keep_notices", key=script.key, number=unit.number, notices=json.dumps(notices))
        part = _parts(session, prepared)[unit.number]
        if part["failure"]:
            raise _failed(session, prepared, unit, part)

    def _broken(self, session: Session, key: str, number: int) -> str | None:
        """What replication or the comparison does not stand of a statement that nobody can roll back."""
        problems = session.one("broken_since", key=key, number=number, subscription=self.plan.sql_name)["problems"]
        if not problems:
            return None
        return (
            "replication or the comparison would not stand what it did, and it cannot be rolled back: undo it on green"
            f" and correct the script, or reject: {problems}"
        )


def apply_changes(
    databases: Databases, s3: Any, plan: Plan, green: Cluster, listen_s: float = LISTEN_S
) -> list[dict[str, Any]]:
    """Runs what has not run yet, and returns what was done.

    Raises ``ChangesRefused`` before the first runs, ``ChangeFailed`` when one fails, and ``ChangeRunning`` when one is
    still at work. What green holds before and after is kept, so that it is no drift.
    """
    deadline = time.monotonic() + listen_s
    ready = prepare(databases, s3, plan, green, plan.sql_name)
    databases.each(plan.databases, lambda name: _install(databases.on(green, name), plan, name))
    _require_unchanged(databases, green, ready)
    runner = _Runner(databases, plan, green, deadline)
    for prepared in ready:
        runner.run(prepared)
    databases.each(plan.databases, lambda name: fingerprint.keep(databases.on(green, name), plan, name, "after"))
    return [_summary(databases.on(green, each.script.database), each) for each in ready]


def _install(session: Session, plan: Plan, database: str) -> None:
    fingerprint.keep(session, plan, database, "before")
    with session.transaction(lock=plan.sql_name):
        session.query("install_changes")


def _require_unchanged(databases: Databases, green: Cluster, ready: list[Prepared]) -> None:
    """A script that is done stays as it is: what runs on green is what lies in S3."""
    changed = [
        f"{each.script}: it has run, and says something else now; put back the version that ran, and make a new script"
        for each in ready
        if _done(databases.on(green, each.script.database)).get(each.script.key, each.script.sha256)
        != each.script.sha256
    ]
    if changed:
        raise ChangesRefused(*changed)


def _done(session: Session) -> dict[str, str]:
    return {row["key"]: row["sha256"] for row in session.query("changed_scripts")}


def _parts(session: Session, prepared: Prepared) -> dict[int, Row]:
    """What is known of the parts of a script. Raises ``ChangesRefused`` when one says something else than what ran."""
    parts = {row["number"]: row for row in session.query("change_parts", key=prepared.script.key)}
    texts = {unit.number: unit for unit in prepared.units}
    for number, part in parts.items():
        if part["is_done"] and (number not in texts or texts[number].sha256 != part["sha256"]):
            line = f" line {texts[number].line}" if number in texts else ""
            raise ChangesRefused(
                f"{prepared.script}{line}: the first {number + 1} parts of this script have run for good; they have to"
                " stay as they were, only what follows can be corrected."
            )
    return parts


def _prepare_session(session: Session, unit: Unit, *, is_first: bool) -> None:
    """A session as scripts expect it, and with what the script has set so far.

    A notice to somebody who is gone ends the session, and the script with it: so a second attempt is silent.
    """
    path = session.one("script_search_path")["search_path"]
    session.run("SELECT set_config('search_path', :path, false)", path=path)
    session.run(
        "SET statement_timeout = 0; SET lock_timeout = 0; SET client_connection_check_interval = 0;"
        f" SET client_min_messages = {'notice' if is_first else 'error'}"
    )
    for setting in unit.settings:
        session.run(setting)


def _failed(session: Session, prepared: Prepared, unit: Unit, part: Row) -> ChangeFailed:
    session.query("note_told", key=prepared.script.key)
    at = part["failed_statement"]
    line = unit.line if at is None or at < 0 else unit.statements[min(at, len(unit.statements) - 1)].line
    if at == -1:
        return ChangeFailed(
            f"{prepared.script} line {line}: replication or the comparison would not stand what it does, so it was"
            f" rolled back: {part['failure']}"
        )
    return ChangeFailed(f"{prepared.script} line {line}: {part['failure']}")


def _running(session: Session) -> str:
    rows = session.query("change_runner")
    return f"a script runs in session {rows[0]['pid']} since {rows[0]['since']}" if rows else "a script has just ended"


def _summary(session: Session, prepared: Prepared) -> dict[str, Any]:
    """What is told of a script; small, since it travels through the state machine."""
    parts = session.query("change_parts", key=prepared.script.key)
    return {
        "database": prepared.script.database,
        "script": str(prepared.script),
        "version": prepared.script.version,
        "sha256": prepared.script.sha256[:16],
        "statements": sum(len(unit.statements) for unit in prepared.units),
        "rows": sum(sum(part["row_counts"] or ()) for part in parts),
        "notices": sum(len(part["notices"]) for part in parts),
        "seconds": round(sum(part["seconds"] or 0 for part in parts), 3),
    }
