"""What must hold before blue is touched. All findings at once, each with its remedy; nothing on blue is changed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AwsRefused, BlueUnfit, SqlError
from ..freeze_methods import AWS_ROLES
from ..lines import in_lines
from ..lsn import Lsn
from ..model import Plan, Relation, major
from ..postgres import Databases
from ..session import INVALID_CATALOG_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE, Row, Session
from .catalogue import BEFORE_ALL, BY_ID, CHECKS, OF_THE_SERVER
from .findings import Check, Finding, Found, gathered, tally, text_of
from .of_databases import IN_EACH_DATABASE
from .trials import much_log, refused_freeze, refused_preparation, refused_subscription

LOGIN_REFUSED = "28"
"""The beginning of the SQLSTATEs of a wrong password, and of a role that may not log in."""

DEFAULT_CRON_DATABASE = "postgres"

LONG_TRANSACTION_S = 60
"""A slot is not waited for as long as that; a transaction that is older already will hardly end in time."""

SESSIONS_PER_DATABASE = 22
"""That many functions, besides those that compare chunks, may keep one open on every database of blue."""

TEXT_LIMIT = 16_000
"""An execution's cause may have twice as many characters; a function's error has its stack trace beside the text."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found on blue, and what there is of it: tables, sequences and bytes of each database."""

    findings: list[Finding]
    inventory: dict[str, Row]

    def result(self, plan: Plan) -> dict[str, Any]:
        """What the state machine goes on with: figures only, or all of it when blue is only checked.

        Raises ``BlueUnfit`` with everything that stands in the way of a release.
        """
        stops = self.stopping(plan.accept)
        if plan.mode == "check":
            return {
                "inventory": self.inventory,
                "is_fit": not stops,
                "subject": f"Check of {plan.cluster_name[:40]}: {'not ' if stops else ''}fit for a release",
                "text": self._text(plan),
                "findings": [finding.to_state() for finding in self.findings],
            }
        if stops:
            text = _shortened(f"Blue cannot be released as it is: {tally(stops)}.\n{text_of(stops)}")
            raise BlueUnfit(*text.split("\n"))
        told = {severity: self._counts(severity) for severity in ("warning", "note")}
        return {
            "inventory": self.inventory,
            "modifies_green": plan.has_own_groups,
            "accepted": told["warning"],
            "notes": told["note"],
        }

    def stopping(self, accepted: Iterable[str]) -> list[Finding]:
        """What a release must not go on with: blockers, and warnings that are not accepted."""
        return [
            each
            for each in self.findings
            if each.severity == "blocker" or (each.severity == "warning" and each.id not in set(accepted))
        ]

    def _counts(self, severity: str) -> dict[str, int]:
        return {each.id: len(each.objects) for each in self.findings if each.severity == severity}

    def _text(self, plan: Plan) -> str:
        accepted = [each.id for each in self.findings if each.id in plan.accept]
        lines = [f"{plan.blue.identifier}, databases {', '.join(plan.databases)}: {tally(self.findings)}."]
        if accepted:
            lines.append(f"Accepted by {plan.requested_by}: {', '.join(accepted)}.")
        return _shortened(f"{in_lines([*lines, ''])}\n{text_of(self.findings)}")


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}\n… the log of CheckBlue has all of it."


def look_at_blue(databases: Databases, plan: Plan, found_in_aws: Iterable[Found] = ()) -> Report:
    """Looks for everything in the catalogue."""
    inventory: dict[str, Row] = {}
    parameters = _parameters(plan)
    found = list(found_in_aws)

    def look(database: str) -> None:
        try:
            session = databases.on(plan.blue, database)
        except SqlError as error:
            if error.sqlstate not in (INVALID_CATALOG_NAME, OBJECT_NOT_IN_PREREQUISITE_STATE):
                raise
            found.append(BY_ID["database-out-of-reach"].found(database, {"error": error}))
        else:
            inventory[database] = session.one("database_inventory")
            found.extend(_found(session, IN_EACH_DATABASE, database, parameters))
            found.extend(refused_preparation(session, plan, database))

    try:
        home = databases.find(plan.blue, plan.home)
    except AwsRefused as error:
        found.append(BY_ID["secret-not-readable"].found(plan.blue.identifier, {"error": error}))
        return Report(gathered(CHECKS, found), {})
    except SqlError as error:
        if not error.sqlstate.startswith(LOGIN_REFUSED):
            raise
        found.append(BY_ID["login-refused"].found(plan.blue.identifier, {"error": error}))
        return Report(gathered(CHECKS, found), {})
    wrong = _found(home, BEFORE_ALL, plan.blue.identifier, parameters) if home else []
    if wrong:  # of such a server the rest cannot be asked
        return Report(gathered(CHECKS, found + wrong), {})
    if home:
        started, lsn = time.monotonic(), Lsn.parse(home.one("insert_lsn")["lsn"])
    databases.each(plan.databases, look)
    if home:
        found += _found(home, OF_THE_SERVER, plan.blue.identifier, parameters)
        found += refused_freeze(home, plan)
        found += refused_subscription(databases, plan)
        found += [BY_ID["cron-job"].found(row["kept_in"], row) for row in cron_jobs(databases, plan)]
        data_bytes = sum(row["size_bytes"] for row in inventory.values())
        again = databases.on(plan.blue, plan.home)  # a subscription that failed has spent the session
        found += much_log(again, plan, lsn, time.monotonic() - started, data_bytes)
    return Report(gathered(CHECKS, found), {name: inventory[name] for name in plan.databases if name in inventory})


def found_again(session: Session, plan: Plan, database: str) -> list[Found]:
    """What a database has right before the freeze that would be lost on green, or write there; but what is accepted."""
    checks = [check for check in IN_EACH_DATABASE if check.is_rechecked and check.id not in plan.accept]
    return _found(session, checks, database, _parameters(plan))


def tables_without_identity(session: Session) -> list[Relation]:
    """Tables of a database whose UPDATE and DELETE would fail once they are published."""
    return [Relation(row["schema"], row["name"]) for row in session.query("table-without-replica-identity")]


def cron_jobs(databases: Databases, plan: Plan) -> list[Row]:
    """Active jobs of pg_cron in the databases of the release; they are kept in one database, which may be another."""
    setting = databases.on(plan.blue, plan.home).one("cron_database")["name"]
    if setting is None:  # its library is not loaded: no job runs
        return []
    kept_in = setting or DEFAULT_CRON_DATABASE
    session = databases.find(plan.blue, kept_in)
    if session is None or not session.one("cron_installed")["is_installed"]:
        return []
    return [row | {"kept_in": kept_in} for row in session.query("cron_jobs", databases=list(plan.databases))]


def _parameters(plan: Plan) -> dict[str, Any]:
    """What the catalogue's queries may ask for."""
    return {
        "release": plan.sql_name,
        "databases": list(plan.databases),
        "our_slots": [slot for database in plan.databases for slot in (plan.slot(database), plan.recorder(database))],
        "aws_roles": list(AWS_ROLES),
        "sessions": SESSIONS_PER_DATABASE + plan.verify_workers,
        "long_s": LONG_TRANSACTION_S,
        "target": major(plan.engine_version) if plan.engine_version else 0,
    }


def _found(session: Session, checks: Sequence[Check], place: str, parameters: dict[str, Any]) -> list[Found]:
    return [check.found(place, row) for check in checks for row in session.query(check.id, **parameters)]
