"""The proof, while both sides stand still, that green holds what blue holds."""

from __future__ import annotations

from collections.abc import Sequence

from . import freeze
from .budget import time_left_s
from .errors import FreezeBudgetExceeded, RowCountsDiffer, SqlError
from .model import Cluster, Plan, Relation
from .postgres import QUERY_CANCELED, Databases, Session

COUNTED_BYTES = 128 * 2**20
"""In the freeze the rows of a database's tables are counted, the smallest first, until they are this large together:
more would make the freeze as long as the database is large."""

Counts = dict[Relation, int]


def compare_row_counts(databases: Databases, plan: Plan, green: Cluster) -> dict[str, dict[str, int]]:
    """Compares the number of rows of tables on both sides, which stand still; not of the largest (``COUNTED_BYTES``).

    Returns per database how many tables and rows were compared, and how many tables were too large for that.
    """
    left_s = time_left_s(databases, plan)

    def compare(database: str) -> dict[str, int]:
        on_blue, on_green, uncounted = count_rows(databases, plan, green, database, left_s)
        differing = [
            f"{database}.{table}: {rows} on blue, {on_green.get(table, 'no table')} on green"
            for table, rows in on_blue.items()
            if on_green.get(table) != rows
        ]
        if differing:
            raise RowCountsDiffer(f"{len(differing)} tables differ. {'; '.join(differing[:20])}.")
        return {"tables": len(on_blue), "rows": sum(on_blue.values()), "uncounted_tables": uncounted}

    return databases.each(plan.databases, compare)


def count_rows(
    databases: Databases, plan: Plan, green: Cluster, database: str, limit_s: float | None = None
) -> tuple[Counts, Counts, int]:
    """Rows of the tables on blue and on green, counted side by side, and how many tables are too large for that."""
    tables = databases.on(plan.blue, database).query("replicated_tables")
    small = [Relation(row["schema"], row["name"]) for row in tables if row["bytes_so_far"] <= COUNTED_BYTES]
    sides = {"blue": plan.blue, "green": green}
    counts = databases.each(
        list(sides),
        lambda side: _row_counts(databases.on(sides[side], database), small, limit_s or plan.freeze_budget_s),
    )
    return counts["blue"], counts["green"], len(tables) - len(small)


def verify_cutover(databases: Databases, plan: Plan, green: Cluster) -> dict[str, dict[str, int]]:
    """Compares row counts, then proves once more that nobody can have written to blue since the freeze.

    Raises ``RowCountsDiffer``, or ``WritersRemain`` when a session turned up that the proof of the freeze had not seen.
    """
    counts = compare_row_counts(databases, plan, green)
    freeze.prove_again(databases.on(plan.blue, plan.home), plan)
    return counts


def _row_counts(session: Session, tables: Sequence[Relation], limit_s: float) -> Counts:
    try:
        with session.patience(limit_s):
            rows = session.query(
                "row_counts", schemas=[table.schema for table in tables], names=[table.name for table in tables]
            )
    except SqlError as error:
        if error.sqlstate == QUERY_CANCELED:
            raise FreezeBudgetExceeded(
                f"{session.address}: counting rows took longer than the {limit_s:.1f} s left of the freeze budget."
            ) from error
        raise
    return {Relation(row["schema"], row["name"]): row["row_count"] for row in rows}
