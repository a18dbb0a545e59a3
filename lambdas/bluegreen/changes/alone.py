"""Statements that PostgreSQL runs in no transaction: CREATE INDEX CONCURRENTLY and its like, VACUUM.

One that breaks off leaves something behind: an index that is not valid. And one whose caller was gone may have been
done all the same. So what an earlier attempt left is looked at first.
"""

from __future__ import annotations

from ..errors import SqlError
from ..quoting import identifier
from ..session import Row, Session
from .parsing import Node
from .units import Unit

UNDEFINED_TABLE = "42P01"
UNDEFINED_OBJECT = "42704"


def run(session: Session, unit: Unit, before: Row | None) -> None:
    """Runs the one statement of a unit; ``before`` is what is known of an earlier attempt."""
    (statement,) = unit.statements
    if before is not None and _is_done(session, statement.kind, statement.node, is_unknown=not before["failure"]):
        return
    try:
        session.run(statement.text)
    except SqlError as error:
        was_dropped = before is not None and statement.kind == "DropStmt" and not before["failure"]
        if not was_dropped or error.sqlstate not in (UNDEFINED_TABLE, UNDEFINED_OBJECT):
            raise


def _is_done(session: Session, kind: str, node: Node, *, is_unknown: bool) -> bool:
    """Removes what an attempt left half made; whether it had been done, when nobody knows how it ended."""
    if kind == "IndexStmt":
        relation = ".".join(identifier(each) for each in (node.relation.schemaname, node.relation.relname) if each)
        for row in session.query("index_left", index=node.idxname, relation=relation):
            if row["is_valid"]:
                return is_unknown
            session.run(f"DROP INDEX CONCURRENTLY {row['name']}")
    if kind == "ReindexStmt":
        for row in session.query("reindexing_left"):
            session.run(f"DROP INDEX CONCURRENTLY IF EXISTS {row['name']}")
    return False
