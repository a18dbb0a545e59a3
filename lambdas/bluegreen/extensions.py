"""Extensions of green after an engine upgrade: RDS leaves them at the versions that they had."""

from __future__ import annotations

from .errors import SqlError
from .model import Cluster, Plan
from .postgres import Databases
from .quoting import identifier
from .session import Session


def update_extensions(databases: Databases, plan: Plan, green: Cluster) -> dict[str, dict[str, list[str]]]:
    """Brings extensions to the version that green's new engine comes with; what PostgreSQL refuses is told."""

    def update(session: Session) -> dict[str, list[str]]:
        updated, left = [], []
        for row in session.query("outdated_extensions"):
            change = f"{row['name']} {row['installed']} to {row['available']}"
            try:
                session.run(f"ALTER EXTENSION {identifier(row['name'])} UPDATE")
            except SqlError as error:
                left.append(f"{change}: {error}")
            else:
                updated.append(change)
        return {"updated": updated, "left": left}

    return databases.each(plan.databases, lambda database: update(databases.on(green, database)))
