"""What a script must not do while blue's changes are applied to green, as far as its text shows it.

A parser cannot see through functions and DO blocks, nor does it know types. So this is the early word, with line and
reason; the last word has green's catalog, before each transaction commits (``queries/changes/install_changes.sql``).
Whatever is refused here is explained in docs/changes.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model import SCHEMA, Relation
from . import objects
from .parsing import Node, Statement, names, word

DML = {"InsertStmt": "INSERT", "UpdateStmt": "UPDATE", "DeleteStmt": "DELETE", "MergeStmt": "MERGE"}

_WHOLE_KINDS = {
    "CreateSubscriptionStmt": "subscriptions are the release's",
    "AlterSubscriptionStmt": "subscriptions are the release's",
    "DropSubscriptionStmt": "subscriptions are the release's",
    "AlterSystemStmt": "settings of the server belong into its parameter group",
    "CreatedbStmt": "databases are neither created nor dropped by a release",
    "DropdbStmt": "databases are neither created nor dropped by a release",
    "AlterDatabaseStmt": "databases stay as they are",
    "CreateTableSpaceStmt": "Aurora has no tablespaces",
    "DropTableSpaceStmt": "Aurora has no tablespaces",
    "DropOwnedStmt": "it drops whatever a role owns, replicated tables as well",
}
"""Statements that no script may hold, whatever they are about."""

_FUNCTIONS = ("pg_replication_", "pg_logical_", "pg_create_", "pg_drop_replication_slot", "pg_copy_", "pg_sync_")
_SESSION_FUNCTIONS = frozenset({"pg_terminate_backend", "pg_cancel_backend"})
_OF_THE_SESSION = {
    "session_authorization": "the script runs as the release's role; SET ROLE is allowed",
    "session_replication_role": "triggers must fire as the application would have them fire",
}

_COMMANDS = {
    "AT_DropColumn": "a column of a replicated table is dropped, and blue's rows bring values for it",
    "AT_SetNotNull": "a row of blue may hold NULL here; set NOT NULL after the cutover",
    "AT_AddIndex": "a row of blue may break it; add it after the cutover",
    "AT_AddIndexConstraint": "a row of blue may break it; add it after the cutover",
    "AT_EnableAlwaysTrig": "the trigger would fire for blue's rows, which have been through blue's triggers",
    "AT_EnableReplicaTrig": "the trigger would fire for blue's rows, which have been through blue's triggers",
    "AT_ReplicaIdentity": "replication finds rows by the replica identity",
    "AT_SetUnLogged": "an unlogged table is empty after a failover",
    "AT_EnableRowSecurity": "replication is refused where policies apply; enable them after the cutover",
    "AT_ForceRowSecurity": "replication is refused where policies apply; enable them after the cutover",
    "AT_DropExpression": "replication brings no values for a column that blue computes",
    "AT_SetExpression": "the column would differ from blue's",
    "AT_DropIdentity": "the values of blue's sequences are carried over; do it after the cutover",
    "AT_SetIdentity": "the values of blue's sequences are carried over; do it after the cutover",
}
"""Parts of ALTER TABLE that a replicated table does not stand."""

_CONSTRAINTS = {
    "CONSTR_CHECK": "a row of blue may break it, and replication would stop; add it after the cutover",
    "CONSTR_PRIMARY": "a row of blue may break it, and replication would stop; add it after the cutover",
    "CONSTR_UNIQUE": "a row of blue may break it, and replication would stop; add it after the cutover",
    "CONSTR_EXCLUSION": "a row of blue may break it, and replication would stop; add it after the cutover",
    "CONSTR_NOTNULL": "a row of blue may hold NULL here; set NOT NULL after the cutover",
    "CONSTR_FOREIGN": "replication does not check it, and a TRUNCATE on blue would stop; add it after the cutover",
}

WIDER_TYPES = frozenset({"int4", "int8", "numeric", "varchar", "text"})
"""To what a type may be changed at all; whether the old one was narrower is for the catalog to say."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a script is refused, and by which line."""

    line: int
    reason: str


class Replicated:
    """The tables that replication fills, those that these are partitions of, and the unique indexes of them."""

    def __init__(self, tables: list[Relation], unique_indexes: list[Relation]) -> None:
        self._indexes = unique_indexes
        self._tables = frozenset(tables)
        self._names = frozenset(table.name for table in tables)
        self.schemas = frozenset(table.schema for table in tables)

    def has(self, schema: str, name: str) -> bool:
        """Whether a name may mean one of them; one without a schema means any of that name."""
        return Relation(schema, name) in self._tables if schema else name in self._names

    def has_index(self, schema: str, name: str) -> bool:
        """Whether a name may mean a unique index of theirs."""
        return any(index.name == name and schema in ("", index.schema) for index in self._indexes)


def problems(statements: list[Statement], replicated: Replicated) -> list[Problem]:
    """All that is refused in a script, in its order."""
    found, made = [], set[objects.Name]()
    for statement in statements:
        found += [*_of_statement(statement, replicated)]
        found += [Problem(statement.line, reason) for reason in objects.reasons(statement, made)]
        made |= objects.made_by(statement)
    return list(dict.fromkeys(found))


def _of_statement(statement: Statement, replicated: Replicated) -> Iterator[Problem]:
    node, kind = statement.node, statement.kind
    if kind in _WHOLE_KINDS:
        yield Problem(statement.line, _WHOLE_KINDS[kind])
    for reason in _OF_KIND[kind](node, replicated) if kind in _OF_KIND else ():
        yield Problem(statement.line, reason)
    if kind == "AlterTableStmt" and _means(node.relation, replicated):
        for command in node.cmds:
            yield from _of_command(statement, command.alter_table_cmd)
    for part in statement.nodes():
        yield from (Problem(statement.line_of(part), reason) for reason in _of_part(part, replicated))


def _means(relation: Node, replicated: Replicated) -> bool:
    return replicated.has(relation.schemaname, relation.relname)


def _of_part(part: Node, replicated: Replicated) -> Iterator[str]:
    """What is wrong wherever it stands: in a common table expression as well."""
    kind = type(part).__name__
    if kind in DML and _means(part.relation, replicated):
        yield f"{DML[kind]} on {_name(part.relation)}, whose rows come from blue"
    elif kind == "RangeVar" and part.schemaname == SCHEMA:
        yield f"the schema {SCHEMA} is the release's"
    elif kind == "Constraint" and part.HasField("pktable") and _means(part.pktable, replicated):
        yield f"FOREIGN KEY to {_name(part.pktable)}: {_CONSTRAINTS['CONSTR_FOREIGN']}"
    elif kind == "FuncCall":
        names = [each.string.sval for each in part.funcname]
        if names[-1] in _SESSION_FUNCTIONS or names[-1].startswith(_FUNCTIONS):
            yield f"{names[-1]}() reaches into replication or into other sessions"
        if names[0] == SCHEMA and len(names) > 1:
            yield f"the schema {SCHEMA} is the release's"


def _of_command(statement: Statement, command: Node) -> Iterator[Problem]:
    """What ALTER TABLE does to a replicated table."""
    kind = word(command, "subtype")
    definition = command.DESCRIPTOR and getattr(command, "def")
    if kind in _COMMANDS:
        yield Problem(statement.line, f"{_words(kind)} {command.name}".rstrip() + f": {_COMMANDS[kind]}")
    elif kind == "AT_AddConstraint" and (reason := _CONSTRAINTS.get(word(definition.constraint, "contype"))):
        yield Problem(statement.line_of(definition.constraint), f"ADD CONSTRAINT: {reason}")
    elif kind == "AT_AddColumn":
        yield from (
            Problem(statement.line_of(definition.column_def), f"ADD COLUMN {definition.column_def.colname}: {reason}")
            for reason in _of_new_column(definition.column_def)
        )
    elif kind == "AT_AlterColumnType" and (reason := _of_new_type(definition.column_def)):
        yield Problem(statement.line_of(definition.column_def), f"ALTER COLUMN {command.name} TYPE: {reason}")
    elif kind in ("AT_AttachPartition", "AT_DetachPartition", "AT_DetachPartitionFinalize"):
        yield Problem(statement.line, "partitions of a replicated table stay as they are on blue")


def _of_new_column(column: Node) -> Iterator[str]:
    kinds = {word(each.constraint, "contype") for each in column.constraints}
    is_serial = column.type_name.names and column.type_name.names[-1].string.sval in (
        *("serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"),
    )
    fills_itself = is_serial or kinds & {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"}
    if "CONSTR_NOTNULL" in kinds and not fills_itself:
        yield "NOT NULL without a default: blue's rows bring no value for it"
    for kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_FOREIGN"):
        if kind in kinds:
            yield _CONSTRAINTS[kind]


def _of_new_type(column: Node) -> str | None:
    if column.HasField("raw_default"):
        return "USING computes other values than blue's"
    name = column.type_name.names[-1].string.sval
    if name not in WIDER_TYPES or column.type_name.array_bounds:
        return f"a value of blue may not be the same as {name}"
    return None


def _drop(node: Node, replicated: Replicated) -> Iterator[str]:
    kind = word(node, "remove_type")
    for each in node.objects:
        parts = names(each)
        if kind == "OBJECT_TABLE" and replicated.has(*_qualified(parts)):
            yield f"DROP TABLE {'.'.join(parts)}: blue's rows have nowhere to go"
        elif kind == "OBJECT_INDEX" and replicated.has_index(*_qualified(parts)):
            yield f"DROP INDEX {'.'.join(parts)}: rows are found and compared by unique indexes; after the cutover"
        elif kind == "OBJECT_SCHEMA" and parts[0] in replicated.schemas:
            yield f"DROP SCHEMA {parts[0]}: it holds replicated tables"
        elif kind == "OBJECT_PUBLICATION" and parts[0].startswith(f"{SCHEMA}_"):
            yield f"the publication {parts[0]} is the release's"
        if SCHEMA in (parts[0] if len(parts) > 1 or kind == "OBJECT_SCHEMA" else "",):
            yield f"the schema {SCHEMA} is the release's"
    if node.concurrent and len(node.objects) > 1:
        yield "DROP INDEX CONCURRENTLY drops one index at a time"


def _rename(node: Node, replicated: Replicated) -> Iterator[str]:
    kind = word(node, "rename_type")
    if kind in ("OBJECT_TABLE", "OBJECT_COLUMN") and _means(node.relation, replicated):
        yield f"RENAME of {_name(node.relation)} or of its column: replication goes by names"
    elif kind == "OBJECT_SCHEMA" and node.subname in replicated.schemas | {SCHEMA}:
        yield f"RENAME of the schema {node.subname}: replication goes by names"
    elif kind in ("OBJECT_DATABASE", "OBJECT_SUBSCRIPTION"):
        yield "databases and subscriptions keep their names"


def _other_schema(node: Node, replicated: Replicated) -> Iterator[str]:
    if node.HasField("relation") and _means(node.relation, replicated):
        yield f"SET SCHEMA of {_name(node.relation)}: replication goes by names"


def _truncate(node: Node, replicated: Replicated) -> Iterator[str]:
    for each in node.relations:
        if _means(each.range_var, replicated):
            yield f"TRUNCATE of {_name(each.range_var)}, whose rows come from blue"


def _index(node: Node, replicated: Replicated) -> Iterator[str]:
    if node.unique and _means(node.relation, replicated):
        yield "UNIQUE INDEX: a row of blue may break it, and replication would stop; make it after the cutover"
    if node.concurrent and not node.idxname:
        yield "CREATE INDEX CONCURRENTLY needs a name, by which a second attempt finds what the first one left"


def _copy(node: Node, replicated: Replicated) -> Iterator[str]:
    if not node.filename:
        yield "COPY FROM STDIN or TO STDOUT: there is nobody to send or to read the rows; use INSERT"
    elif node.is_from and _means(node.relation, replicated):
        yield f"COPY into {_name(node.relation)}, whose rows come from blue"


def _select(node: Node, _replicated: Replicated) -> Iterator[str]:
    if node.HasField("into_clause"):
        yield "SELECT INTO cannot be told from an assignment where scripts run; use CREATE TABLE AS"


def _transaction(node: Node, _replicated: Replicated) -> Iterator[str]:
    if (kind := word(node, "kind")) not in ("TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT"):
        yield f"{kind.removeprefix('TRANS_STMT_').replace('_', ' ')}: a script may begin and commit, no more"


def _role(node: Node, _replicated: Replicated) -> Iterator[str]:
    options = {each.def_elem.defname: each.def_elem.arg.boolean.boolval for each in node.options}
    logs_in = hasattr(node, "stmt_type") and word(node, "stmt_type") == "ROLESTMT_USER"
    if options.get("canlogin", logs_in):
        yield "LOGIN: only replication may sign in to green before it is opened"


def _grant(node: Node, _replicated: Replicated) -> Iterator[str]:
    names = {each.access_priv.priv_name for each in node.privileges}
    if node.is_grant and word(node, "objtype") == "OBJECT_DATABASE" and (not names or "connect" in names):
        yield "GRANT CONNECT: only replication may sign in to green before it is opened"


def _set(node: Node, _replicated: Replicated) -> Iterator[str]:
    if reason := _OF_THE_SESSION.get(node.name):
        yield f"SET {node.name}: {reason}"


def _publication(node: Node, _replicated: Replicated) -> Iterator[str]:
    if node.pubname.startswith(f"{SCHEMA}_"):
        yield f"the publication {node.pubname} is the release's"


_OF_KIND = {
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterObjectSchemaStmt": _other_schema,
    "TruncateStmt": _truncate,
    "IndexStmt": _index,
    "CopyStmt": _copy,
    "SelectStmt": _select,
    "TransactionStmt": _transaction,
    "CreateRoleStmt": _role,
    "AlterRoleStmt": _role,
    "GrantStmt": _grant,
    "VariableSetStmt": _set,
    "CreatePublicationStmt": _publication,
    "AlterPublicationStmt": _publication,
}


def _qualified(names: list[str]) -> tuple[str, str]:
    return (names[-2] if len(names) > 1 else "", names[-1])


def _name(relation: Node) -> str:
    return ".".join(filter(None, (relation.schemaname, relation.relname)))


def _words(kind: str) -> str:
    """
    >>> _words("AT_SetNotNull")
    'SET NOT NULL'
    """
    return "".join(f" {each}" if each.isupper() else each for each in kind.removeprefix("AT_")).strip().upper()
