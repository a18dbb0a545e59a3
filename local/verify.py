"""``python -m local verify``: whether two databases hold the same rows, whatever they are and wherever they run."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import pg8000.native
from rich.console import Console
from rich.markup import escape

from bluegreen.errors import BlueGreenError
from bluegreen.postgres import SETTINGS
from bluegreen.session import Session
from bluegreen.verify import whole
from bluegreen.verify.catalog import Catalog
from bluegreen.verify.chunks import CHUNK_ROWS
from bluegreen.verify.comparing import nothing
from bluegreen.verify.tables import BLUE, GREEN
from bluegreen.verify.working import Headway
from local.dsn import Dsn, DsnError

EQUAL, DIFFERENT, FAILED = 0, 1, 2

_OWN_SETTINGS = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
_SHOWN = 50
TOLD_EVERY_S = 2.0
"""How often a line about the progress is written where no terminal could replace it."""

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
    command.add_argument("--max-rows-per-s", type=_not_negative, default=0, metavar="N", help="no faster than that")
    command.add_argument(
        "--settle-s", type=_not_negative, default=0, metavar="S", help="how far green may lag behind blue (default: 0)"
    )
    command.add_argument("--no-values", action="store_true", help="name rows and columns, but show no values")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number from 1 on")
    return int(text)


def _not_negative(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError("expected a number from 0 on")
    return number


class NotComparedError(Exception):
    """The databases cannot be compared; the message says why."""


def verify(console: Console, options: argparse.Namespace) -> int:
    """Compares, reports, and returns the exit status."""
    try:
        ends = (Dsn.of(options.blue), Dsn.of(options.green))
        catalog, report = _compare(console, options, lambda side: _connect(ends[side]))
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


def _compare(console: Console, options: argparse.Namespace, connect: whole.Connect) -> tuple[Catalog, whole.Report]:
    catalog = _chosen(whole.catalog_of(connect), options.tables)
    encodings = []
    for side in (BLUE, GREEN):
        session = connect(side)
        encodings += session.run("SHOW server_encoding")
        session.close()
    if encodings[0] != encodings[1]:
        raise NotComparedError(f"the encodings differ: {' and '.join(row['server_encoding'] for row in encodings)}")
    with _progress(console) as progress:
        run = whole.Run(
            connect,
            options.workers,
            (lambda: time.sleep(options.settle_s)) if options.settle_s else nothing,
            progress,
            options.max_rows_per_s,
            with_values=not options.no_values,
            chunk_rows=options.chunk_rows,
        )
        return catalog, run(catalog)


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
def _progress(console: Console) -> Iterator[Callable[[Headway], None]]:
    """Shows how far it is: in one line on a terminal, in a line every two seconds elsewhere."""
    told_at = time.monotonic()
    with console.status("comparing") as status:

        def show(headway: Headway) -> None:
            nonlocal told_at
            if console.is_terminal:
                status.update(said(headway))
            elif time.monotonic() - told_at >= TOLD_EVERY_S:
                told_at = time.monotonic()
                console.print(said(headway), soft_wrap=True)

        yield show


def said(headway: Headway) -> str:
    """
    >>> said(Headway(rows=1_500_000, rows_left=3_000_000, elapsed_s=2.0))
    '1,500,000 rows compared, 750,000 rows/s, about 3,000,000 rows and 4 s left'
    """
    left_s = "an unknown time" if headway.left_s is None else f"{headway.left_s:,.0f} s"
    return (
        f"{headway.rows:,} rows compared, {headway.rows_per_s:,.0f} rows/s,"
        f" about {headway.rows_left:,} rows and {left_s} left"
    )


def _result(catalog: Catalog, report: whole.Report) -> dict[str, Any]:
    is_different = bool(catalog.problems or report.differing_rows)
    is_unknown = bool(report.failures or report.unsettled_rows)
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
    line(f"{report.rows:,} rows compared in {report.elapsed_s:.1f} s, {rate:,.0f} rows/s: {verdict(report)}.")


def verdict(report: whole.Report) -> str:
    """
    >>> verdict(whole.Report(rows=5)), verdict(whole.Report(failures=["public.t: no permission"]))
    ('no row differs', 'no row is known to differ, but not all could be compared')
    """
    if report.differing_rows:
        return f"{report.differing_rows} of them differ"
    if report.failures or report.unsettled_rows:
        return "no row is known to differ, but not all could be compared"
    return "no row differs"


def _value(text: str | None) -> str:
    return "NULL" if text is None else text
