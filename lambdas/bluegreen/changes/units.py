"""In which transactions a script runs.

All of it is one transaction, unless it holds a statement that PostgreSQL runs in none, or begins and commits
transactions by itself. Then each statement, or what stands between BEGIN and COMMIT, is a unit: it is done or not, and
that is kept, so that a second attempt goes on with the next one. What a script SETs holds for all that follows, also
when that runs in another session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .parsing import Node, Statement


@dataclass(frozen=True, slots=True)
class Unit:
    """Statements that are done together, or one that runs outside of transactions."""

    number: int
    statements: tuple[Statement, ...]
    settings: tuple[str, ...]
    """What the script had SET before."""
    roles: tuple[str, ...]
    """What it had SET of the role before: under that, its statements run, and nothing of ours."""
    is_transaction: bool

    @property
    def sha256(self) -> str:
        """Of its text: what ran is told by it from what was corrected."""
        return hashlib.sha256("\0;".join(each.text for each in self.statements).encode()).hexdigest()

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.statements[0].line


def units(statements: Sequence[Statement]) -> list[Unit]:
    """The units of a script. Raises ``ValueError`` with a line when BEGIN and COMMIT do not match."""
    if not any(_runs_alone(each) or each.kind == "TransactionStmt" for each in statements):
        return [Unit(0, tuple(statements), (), (), is_transaction=True)] if statements else []
    return list(_one_by_one(statements))


def _one_by_one(statements: Sequence[Statement]) -> Iterator[Unit]:
    open_since: Statement | None = None
    together: list[Statement] = []
    settings: list[Statement] = []
    number = 0
    for each in statements:
        if each.kind == "TransactionStmt":
            begins = each.node.kind != _COMMIT
            if begins == (open_since is not None):
                raise ValueError(
                    f"line {each.line}: {'BEGIN within a transaction' if begins else 'COMMIT without BEGIN'}"
                )
            open_since = each if begins else None
            ready, together = (tuple(together), []) if not begins else ((), together)
        elif open_since is not None:
            if _runs_alone(each):
                raise ValueError(f"line {each.line}: it cannot run between BEGIN and COMMIT")
            together.append(each)
            continue
        elif each.kind == "VariableSetStmt":
            settings.append(each)
            continue
        else:
            ready = (each,)
        if ready:
            alone = len(ready) == 1 and _runs_alone(ready[0])
            yield Unit(
                number,
                ready,
                tuple(one.text for one in settings if one.node.name != "role"),
                tuple(one.text for one in settings if one.node.name == "role"),
                is_transaction=not alone,
            )
            number += 1
            settings += [one for one in ready if one.kind == "VariableSetStmt" and not one.node.is_local]
    if open_since is not None:
        raise ValueError(f"line {open_since.line}: BEGIN without COMMIT")


_COMMIT = 3
"""TRANS_STMT_COMMIT."""


def _runs_alone(statement: Statement) -> bool:
    """Whether PostgreSQL refuses a statement within a transaction."""
    node = statement.node
    match statement.kind:
        case "IndexStmt" | "DropStmt":
            return bool(node.concurrent)
        case "VacuumStmt":
            return bool(node.is_vacuumcmd)
        case "ReindexStmt":
            return bool(node.name) or _has_option(node.params, "concurrently")
        case "ClusterStmt":
            return not node.HasField("relation")
        case "AlterTableStmt":
            return any(getattr(each.alter_table_cmd, "def").partition_cmd.concurrent for each in node.cmds)
    return False


def _has_option(options: Sequence[Node], name: str) -> bool:
    return any(each.def_elem.defname == name for each in options)
