"""``python -m local check``: what stands in the way of a release of a server's databases, wherever it runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pg8000.native
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bluegreen.errors import BlueGreenError, DatabaseUnavailable, InputInvalid, SqlError
from bluegreen.model import Cluster, Plan
from bluegreen.planning import accepted
from bluegreen.postgres import SETTINGS, Credentials, Databases
from bluegreen.preflight import Report, look_at_blue
from bluegreen.preflight.findings import Severity, tally
from bluegreen.session import Session
from local.dsn import Dsn, DsnError

FIT, UNFIT, FAILED = 0, 1, 2

STYLES: dict[Severity, str] = {"blocker": "bold red", "warning": "yellow", "note": "dim"}

_DESCRIPTION = """\
Looks at databases of one server for everything that a release would stumble over, and names what puts it right
(docs/findings.md). Log in as the release's role, whose rights are looked at too. Nothing is changed; what RDS and EC2
know is left out. Exit status 0 if nothing blocks a release and all warnings are accepted, 1 if not, 2 if that could not
be found out.
"""


def add_command(commands: Any) -> None:
    """The command line of `check`."""
    command = commands.add_parser(
        "check",
        help="find what would stop a release of a database",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "dsns",
        metavar="DSN",
        nargs="+",
        help="postgresql://user@host:port/database, of one server; password: PGPASSWORD",
    )
    command.add_argument("--accept", metavar="ID,…", type=_warnings, default=(), help="warnings that are known")
    command.add_argument("--json", action="store_true", help="the findings as JSON on standard output")


def _warnings(text: str) -> tuple[str, ...]:
    try:
        return accepted(text.split(","))
    except InputInvalid as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("input.accept: ")) from error


def check(console: Console, options: argparse.Namespace) -> int:
    """Looks, reports, and returns the exit status."""
    try:
        report = _look([Dsn.of(text) for text in options.dsns])
    except (DsnError, BlueGreenError, pg8000.native.InterfaceError, OSError) as error:
        console.print(escape(str(error)), style="red")
        return FAILED
    if options.json:
        print(json.dumps([finding.to_state() for finding in report.findings], indent=2))
    else:
        show(console, report)
    return UNFIT if report.stopping(options.accept) else FIT


@dataclass(slots=True)
class _Server(Databases):
    """The databases of the server that a DSN leads to, with its login and its TLS."""

    end: Dsn = field(kw_only=True)

    def _connect(self, cluster: Cluster, database: str) -> Session:
        end = replace(self.end, database=database)
        try:
            return Session(end.connect(SETTINGS), str(end))
        except pg8000.native.DatabaseError as error:
            fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            raise SqlError(fields.get("C", "XX000"), f"{end}: {fields.get('M', error)}") from error
        except (pg8000.native.InterfaceError, OSError) as error:
            raise DatabaseUnavailable(f"{end}: no connection: {error}") from error


def _look(ends: list[Dsn]) -> Report:
    if len({(end.host, end.port) for end in ends}) > 1:
        raise DsnError("databases of one server are expected")
    first = ends[0]
    server = Cluster(f"{first.host}:{first.port}", first.host, first.port)
    tls = "disable" if first.sslmode in ("disable", "prefer") else "verify-full"
    databases = _Server(lambda _: [Credentials(first.user, first.password or "")], tls, end=first)
    try:
        databases.find(server, first.database)  # a login that is refused is no finding: nothing could be looked at
        return look_at_blue(databases, _plan(server, tuple(dict.fromkeys(end.database for end in ends))))
    finally:
        databases.close()


def _plan(server: Cluster, names: tuple[str, ...]) -> Plan:
    """A release that nobody will make."""
    return Plan(
        release_id="check",
        cluster_name="",
        execution_arn="",
        requested_by="",
        reason="",
        blue=server,
        green_identifier="",
        databases=names,
        records=(),
        switchover_ttl_s=0,
        approval_timeout_s=0,
        freeze_budget_s=0,
        max_attempts=1,
        max_lag_bytes=0,
        max_lag_s=0,
        mode="check",
    )


def show(console: Console, report: Report) -> None:
    """The findings as a table."""
    table = Table(show_lines=True)
    for column in ("finding", "object", "what puts it right"):
        table.add_column(column, overflow="fold")
    for finding in report.findings:
        style = STYLES[finding.severity]
        table.add_row(
            Text.assemble((finding.severity, style), f"\n{finding.id}\n", (finding.why, "dim")),
            Text("\n".join(map(str, finding.objects))),  # no markup: a name may be :x: or [red]
            Text("\n".join(dict.fromkeys(each.fix for each in finding.objects))),
        )
    if report.findings:
        console.print(table)
    console.print(f"{tally(report.findings)}.")
