"""``python -m local verify``: whether two databases hold the same rows, whatever they are and wherever they run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import pg8000.native
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bluegreen.errors import BlueGreenError
from bluegreen.postgres import SETTINGS, Session
from bluegreen.verify import whole
from bluegreen.verify.catalog import Catalog
from bluegreen.verify.chunks import CHUNK_ROWS
from bluegreen.verify.tables import Side
from local.dsn import Dsn, DsnError

EQUAL, DIFFERENT, FAILED = 0, 1, 2

_OWN_SETTINGS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
_SHOWN = 50
_DESCRIPTION = """\
Compares all rows of all tables of two databases, and names the rows and columns that differ. The first DSN is blue, the
second green: postgresql://user@host:port/database?sslmode=verify-full, with the password in PGPASSWORD or a passfile.
Nothing is written to either. Sequences are not compared. Exit status 0 if they are equal, 1 if they differ, 2 if that
could not be found out.
"""


def add_command(commands: Any) -> None:
    """The command line of `verify`."""
    command = commands.add_parser(
        "verify",
        help="compare all rows of two databases",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("blue", metavar="DSN", help="the one that is right")
    command.add_argument("green", metavar="DSN", help="the one that is compared with it")
    command.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    command.add_argument("--tables", metavar="SCHEMA.NAME,…", help="these only (default: all)")
    command.add_argument("--workers", type=_positive, default=2, metavar="N", help="connections to each (default: 2)")
    command.add_argument("--chunk-rows", type=_positive, default=CHUNK_ROWS, metavar="N", help=argparse.SUPPRESS)
    command.add_argument("--max-rows-per-s", type=float, metavar="N", help="no faster than that")
    command.add_argument(
        "--settle-s", type=float, default=0, metavar="S", help="how far green may lag behind blue (default: 0)"
    )
    command.add_argument("--no-values", action="store_true", help="name rows and columns, but show no values")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number from 1 on")
    return int(text)


class NotComparedError(Exception):
    """The databases cannot be compared; the message says why."""


def verify(console: Console, options: argparse.Namespace) -> int:
    """Compares, reports, and returns the exit status."""
    try:
        ends = (Dsn.of(options.blue), Dsn.of(options.green))
        catalog, report = _compare(console, options, lambda side, _: _connect(ends[side]))
    except (DsnError, NotComparedError, BlueGreenError) as error:
        if options.json:
            print(json.dumps({"equal": None, "error": str(error)}))
        console.print(escape(str(error)), style="red")
        return FAILED
    result = _result(catalog, report)
    if options.json:
        print(json.dumps(result))
    _show(console, catalog, report, not options.no_values)
    if result["equal"] is None:
        return FAILED
    return EQUAL if result["equal"] else DIFFERENT


def _connect(dsn: Dsn) -> Session:
    try:
        return Session(dsn.connect(SETTINGS | _OWN_SETTINGS), str(dsn))
    except pg8000.native.DatabaseError as error:
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        raise NotComparedError(f"{dsn}: {fields.get('M', error)}") from error
    except (pg8000.native.InterfaceError, OSError) as error:
        raise NotComparedError(f"{dsn}: no connection: {error}") from error


def _compare(
    console: Console, options: argparse.Namespace, connect: Callable[[Side, str], Session]
) -> tuple[Catalog, whole.Report]:
    catalog = _chosen(whole.read_catalogs(connect, [""])[""], options.tables)
    encodings = []
    for side in (0, 1):
        session = connect(side, "")
        encodings += session.run("SHOW server_encoding")
        session.close()
    if encodings[0] != encodings[1]:
        raise NotComparedError(f"the encodings differ: {' and '.join(row['server_encoding'] for row in encodings)}")
    with _bar(console, sum(table.row_estimate for table in catalog.tables)) as progress:
        run = whole.Run(
            connect,
            whole.MemoryStore(whole.plan(connect, {"": catalog}, options.chunk_rows)),
            workers=options.workers,
            settle=(lambda _: time.sleep(options.settle_s)) if options.settle_s else None,
            progress=progress,
            max_rows_per_s=options.max_rows_per_s,
            with_values=not options.no_values,
        )
        return catalog, run()


def _chosen(catalog: Catalog, names: str | None) -> Catalog:
    if names is None:
        return catalog
    asked = set(names.split(","))
    tables = tuple(table for table in catalog.tables if str(table.relation) in asked)
    if unknown := asked - {str(table.relation) for table in tables}:
        raise NotComparedError(f"not on both sides, or not to be compared: {', '.join(sorted(unknown))}")
    problems = tuple(problem for problem in catalog.problems if problem.split(": column ")[0] in asked)
    return replace(catalog, tables=tables, problems=problems)


@contextmanager
def _bar(console: Console, rows: int) -> Iterator[Callable[[whole.Progress], None]]:
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.fields[rate]} rows/s"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=max(rows, 1), rate="0")
        yield lambda now: shown.update(task, completed=min(now.rows, rows), rate=f"{now.rows_per_s:,.0f}")


def _result(catalog: Catalog, report: whole.Report) -> dict[str, Any]:
    is_different = bool(catalog.problems or report.differing_rows)
    is_unknown = bool(report.failures or report.stopped or report.unsettled_rows)
    return {
        "equal": False if is_different else None if is_unknown else True,
        "tables": len(catalog.tables),
        "rows": report.rows,
        "seconds": round(report.elapsed_s, 3),
        "rows_per_s": round(report.rows / max(report.elapsed_s, 1e-9)),
        "differing_rows": report.differing_rows,
        "differences": [
            {"table": str(found.relation), **asdict(difference)}
            for found in report.found
            for difference in found.comparison.differences
        ],
        "unsettled": [
            {"table": str(found.relation), "key": key} for found in report.found for key in found.comparison.unsettled
        ],
        "problems": list(catalog.problems),
        "notes": list(catalog.notes),
        "failures": report.failures,
        "stopped": report.stopped,
    }


def _show(console: Console, catalog: Catalog, report: whole.Report, with_values: bool) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(escape(text), style=style, soft_wrap=True)

    for note in catalog.notes:
        line(f"not compared: {note}", "dim")
    for problem in catalog.problems:
        line(problem, "red")
    shown = 0
    for found in report.found:
        for difference in found.comparison.differences[: max(0, _SHOWN - shown)]:
            values = (
                f"{_value(difference.blue)} on blue, {_value(difference.green)} on green" if with_values else "differs"
            )
            line(f"{found.relation} ({', '.join(difference.key)}) {difference.column}: {values}", "red")
            shown += 1
        for key in found.comparison.unsettled[:5]:
            line(f"{found.relation} ({', '.join(key)}): changing all the time, nothing is known", "yellow")
    for failure in report.failures:
        line(failure, "red")
    rate = report.rows / max(report.elapsed_s, 1e-9)
    verdict = f"{report.differing_rows} of them differ" if report.differing_rows else "no row differs"
    line(f"{report.rows:,} rows compared in {report.elapsed_s:.1f} s, {rate:,.0f} rows/s: {verdict}.")


def _value(text: str | None) -> str:
    return "NULL" if text is None else text
