"""The proof, while both sides stand still, that green holds what blue holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import freeze
from .budget import time_left_s
from .errors import FreezeBudgetExceeded, RowCountsDiffer, SqlError
from .model import Cluster, Plan, Relation
from .postgres import QUERY_CANCELED, Databases, Session
from .verify import since

COUNTED_BYTES = 16 * 2**20
"""In the freeze the rows of a database's changed tables are counted, the smallest first, until they are this large
together, which takes some 10 ms: more would make the freeze as long as the database is large."""

Counts = dict[Relation, int]


def verify_cutover(databases: Databases, plan: Plan, green: Cluster) -> dict[str, dict[str, int]]:
    """Compares each row that changed since it was proven equal, counts the rows of tables that changed, and proves once
    more that nobody can have written to blue since the freeze.

    Returns per database how many rows and tables had changed, and how many tables were counted. Raises ``DataDiffers``,
    ``RowCountsDiffer``, or ``WritersRemain`` when a session turned up that the proof of the freeze had not seen.
    """
    compared = since.compare_rest(databases, plan, green)
    counted = compare_row_counts(
        databases, plan, green, {database: list(found) for database, found in compared.items()}
    )
    freeze.prove_again(databases.on(plan.blue, plan.home), plan)
    return {
        database: since.totals(found) | {"counted_tables": counted[database]} for database, found in compared.items()
    }


def compare_row_counts(
    databases: Databases, plan: Plan, green: Cluster, changed: Mapping[str, Sequence[Relation]]
) -> dict[str, int]:
    """Compares the number of rows of changed tables on both sides, which stand still; not of large ones.

    Returns how many tables were counted in each database.
    """
    left_s = time_left_s(databases, plan)

    def compare(database: str) -> int:
        if not changed[database]:
            return 0
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        sizes = on_blue.query("sizes_of_tables", **_arrays(changed[database]))
        small = [Relation(row["schema"], row["name"]) for row in sizes if row["bytes_so_far"] <= COUNTED_BYTES]
        counts = databases.each([0, 1], lambda side: _row_counts((on_blue, on_green)[side], small, left_s))
        differing = [
            f"{database}.{table}: {rows} on blue, {counts[1].get(table, 'no table')} on green"
            for table, rows in counts[0].items()
            if counts[1].get(table) != rows
        ]
        if differing:
            raise RowCountsDiffer(f"{len(differing)} tables differ. {'; '.join(differing[:20])}.")
        return len(small)

    return databases.each(plan.databases, compare)


def _row_counts(session: Session, tables: Sequence[Relation], limit_s: float) -> Counts:
    try:
        with session.patience(limit_s):
            rows = session.query("row_counts", **_arrays(tables))
    except SqlError as error:
        if error.sqlstate == QUERY_CANCELED:
            raise FreezeBudgetExceeded(
                f"{session.address}: counting rows took longer than the {limit_s:.1f} s left of the freeze budget."
            ) from error
        raise
    return {Relation(row["schema"], row["name"]): row["row_count"] for row in rows}


def _arrays(tables: Sequence[Relation]) -> dict[str, list[str]]:
    return {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}
