"""What a script must not do to objects that are no tables, but that blue's rows or the switchover count on.

Their rules know no catalog: so they hold for all sequences but those that the script itself has made, all roles, and
all enumerations.
"""

from __future__ import annotations

from collections.abc import Iterator

from .parsing import Node, Statement, names, word

Name = tuple[str, ...]

_SEQUENCES = (
    "the values of blue's sequences are carried over after the approval, so only those that this script has made before"
    " may change; do it after the cutover"
)
_ROLES = "the switchover counts on the roles that there are; do it after the cutover"


def made_by(statement: Statement) -> set[Name]:
    """The sequence that a statement makes, by the name that the script gives it; it is sure to be new."""
    node = statement.node
    return {_named(node.sequence)} if statement.kind == "CreateSeqStmt" and not node.if_not_exists else set()


def reasons(statement: Statement, made: set[Name]) -> Iterator[str]:
    """Why a statement is refused; ``made`` are the sequences that the script has made before."""
    node = statement.node
    match statement.kind:
        case "AlterEnumStmt" if node.old_val:
            yield "RENAME VALUE: blue's rows go on bringing the old value, at which replication stops"
        case "DropRoleStmt":
            yield f"DROP ROLE: {_ROLES}"
        case "RenameStmt" if word(node, "rename_type") == "OBJECT_ROLE":
            yield f"RENAME of the role {node.subname}: {_ROLES}"
        case _:
            yield from (
                f"{'.'.join(name)} is a sequence: {_SEQUENCES}" for name in _changed_sequences(statement) - made
            )


def _changed_sequences(statement: Statement) -> set[Name]:
    node = statement.node
    match statement.kind:
        case "AlterSeqStmt":
            return {_named(node.sequence)}
        case "DropStmt" if word(node, "remove_type") == "OBJECT_SEQUENCE":
            return {tuple(names(each)) for each in node.objects}
        case "RenameStmt" if word(node, "rename_type") == "OBJECT_SEQUENCE":
            return {_named(node.relation)}
        case "AlterObjectSchemaStmt" if word(node, "object_type") == "OBJECT_SEQUENCE":
            return {_named(node.relation)}
        case "AlterTableStmt" if word(node, "objtype") == "OBJECT_SEQUENCE":
            commands = {word(each.alter_table_cmd, "subtype") for each in node.cmds}
            return {_named(node.relation)} if commands - {"AT_ChangeOwner"} else set()
    return set()


def _named(relation: Node) -> Name:
    return tuple(filter(None, (relation.schemaname, relation.relname)))
