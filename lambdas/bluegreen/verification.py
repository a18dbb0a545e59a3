"""The proof, while both sides stand still, that green holds what blue holds."""

from __future__ import annotations

from collections.abc import Sequence

from . import freeze
from .budget import time_left_s
from .errors import FreezeBudgetExceeded, RowCountsDiffer, SqlError
from .model import Cluster, Plan, Relation
from .postgres import Databases
from .session import QUERY_CANCELED, Session
from .verify import since
from .verify.comparing import at_once

COUNTED_BYTES = 16 * 2**20
"""In the freeze the rows of a database's changed tables are counted, the smallest first, until they are this large
together, which takes some 10 ms: more would make the freeze as long as the database is large."""

Counts = dict[Relation, int]


def verify_cutover(databases: Databases, plan: Plan, green: Cluster) -> dict[str, dict[str, int]]:
    """Compares each row that changed since it was proven equal, counts the rows of tables that changed, and proves once
    more that nobody can have written to blue since the freeze.

    Returns per database how many rows and tables had changed, and how many tables were counted. Raises ``DataDiffers``,
    ``RowCountsDiffer``, ``FreezeBudgetExceeded`` when that takes too long, or ``WritersRemain`` when a session turned
    up that the proof of the freeze had not seen.
    """
    left_s = time_left_s(databases, plan)

    def verify(database: str) -> dict[str, int]:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        try:
            with on_blue.patience(left_s), on_green.patience(left_s):
                found = since.compare_rest(databases, plan, green, database)
                counted = compare_row_counts(databases, plan, green, database, list(found))
        except SqlError as error:
            if error.sqlstate == QUERY_CANCELED:
                raise FreezeBudgetExceeded(
                    f"{database}: comparing what changed took longer than the {left_s:.1f} s left of the freeze budget."
                ) from error
            raise
        return since.totals(found) | {"counted_tables": counted}

    compared = databases.each(plan.databases, verify)
    freeze.prove_again(databases.on(plan.blue, plan.home), plan)
    return compared


def compare_row_counts(
    databases: Databases, plan: Plan, green: Cluster, database: str, changed: Sequence[Relation]
) -> int:
    """Compares the number of rows of changed tables on both sides, which stand still; not of large ones.

    Returns how many tables were counted. Raises ``RowCountsDiffer``.
    """
    on_blue, on_green = count_rows(databases, plan, green, database, changed)
    differing = [
        f"{database}.{table}: {rows} on blue, {on_green.get(table, 'no table')} on green"
        for table, rows in on_blue.items()
        if on_green.get(table) != rows
    ]
    if differing:
        raise RowCountsDiffer(f"{len(differing)} tables differ. {'; '.join(differing[:20])}.")
    return len(on_blue)


def count_rows(
    databases: Databases, plan: Plan, green: Cluster, database: str, tables: Sequence[Relation]
) -> tuple[Counts, Counts]:
    """The number of rows on blue and on green, of as many of these tables as may be counted."""
    if not tables:
        return {}, {}
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    sizes = on_blue.query("sizes_of_tables", **_arrays(tables))
    small = [Relation(row["schema"], row["name"]) for row in sizes if row["bytes_so_far"] <= COUNTED_BYTES]
    return at_once(on_blue, on_green, lambda session, _: _row_counts(session, small))


def _row_counts(session: Session, tables: Sequence[Relation]) -> Counts:
    rows = session.query("row_counts", **_arrays(tables))
    return {Relation(row["schema"], row["name"]): row["row_count"] for row in rows}


def _arrays(tables: Sequence[Relation]) -> dict[str, list[str]]:
    return {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}
