"""What changed since it was compared is compared again: while writes go on, and for the last time in the freeze."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ..errors import GreenWrittenTo
from ..model import Cluster, Plan, Relation
from ..postgres import Databases
from . import live, recorder, shapes
from .changes import Changed, Changes
from .chunks import Key
from .comparing import Comparison, Settle, compare_chunk, compare_keys, nothing
from .planning import plan_chunks
from .queue import NAMED, Queue, described
from .tables import Table

Found = dict[Relation, Comparison]

PART_BYTES = 2**30
"""So much of a log is read at once: what is decoded lies on the server's disk until it is fetched."""

ANY_ROW: Key = ()
"""Left in place of keys: all of a table has to be looked at, which is done once, when the whole log is read."""


def compare_changed(databases: Databases, plan: Plan, green: Cluster) -> dict[str, Found]:
    """Compares what changed on either side since it was last compared, and lets the recorders forget that.

    Returns what came out for each table of each database that changed. Rows that kept changing while they were looked
    at are left for the next time. Raises ``DataDiffers`` for what is not equal, or ``GreenWrittenTo``.
    """

    def compare(database: str) -> Found:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        found: Found = {}
        with on_blue.patience(live.CHUNK_TIMEOUT_S), on_green.patience(live.CHUNK_TIMEOUT_S):
            is_all = False
            while not is_all:
                part, is_all = _compare_part(databases, plan, green, database)
                for relation, comparison in part.items():
                    before = found.get(relation, Comparison(0))
                    found[relation] = replace(comparison, rows=before.rows + comparison.rows)
        return found

    with live.alone(databases, plan, green):  # what one left unsettled another would overlook
        return databases.each(plan.databases, compare)


def _compare_part(databases: Databases, plan: Plan, green: Cluster, database: str) -> tuple[Found, bool]:
    """Compares what a part of the logs names, and whether that was all; what a call that dies has done stays done."""
    queue = Queue(databases.on(green, database))
    settle = live.settle(databases, plan, green, database)
    settle()  # else what blue changed just now would be in green's log the next time
    schema = _read_schema(databases, plan, green, database, [])
    now = shapes.read(databases.on(plan.blue, database), databases.on(green, database))
    recorded = recorder.read(databases, plan, green, database, schema.full_identity, PART_BYTES)
    found = _compare(databases, plan, green, database, schema, now, recorded.changes, settle, is_last=recorded.is_all)
    _require_equal(database, found, recorded)
    with databases.on(green, database).transaction(lock=plan.sql_name):
        queue.forget_unsettled()
        for relation, comparison in found.items():
            queue.leave(relation, comparison.unsettled)
        queue.keep_shapes(now)
    recorder.forget(databases, plan, green, database, recorded.upto)
    return found, recorded.is_all


def compare_rest(databases: Databases, plan: Plan, green: Cluster, database: str) -> Found:
    """In the freeze, when green is drained: compares whatever was not proven equal before, which then has to be equal.

    What it takes depends on what changed since the last time and not on how much there is. Raises ``DataDiffers``.
    """
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    now = shapes.read(on_blue, on_green)
    schema = on_blue.memory.get(on_green)
    if schema is None or not schema.holds(now):
        schema = _read_schema(databases, plan, green, database, [])
    recorded = recorder.read(databases, plan, green, database, schema.full_identity)
    found = _compare(databases, plan, green, database, schema, now, recorded.changes, nothing)
    _require_equal(database, found, recorded)
    return found


def prime(databases: Databases, plan: Plan, green: Cluster) -> dict[str, Found]:
    """Compares what has changed until now, and keeps for ``compare_rest`` what that would have to read of catalogs.

    Returns what came out for the tables that had changed. Raises ``NotReadyToFreeze`` when the freeze would have to
    read too much log.
    """
    recorder.bring_forward(databases, plan, green)
    changed = compare_changed(databases, plan, green)
    recorder.require_near(databases, plan, green)

    def remember(database: str) -> None:
        on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
        before = on_blue.memory[on_green].busy if on_green in on_blue.memory else ()
        now = shapes.read(on_blue, on_green)
        schema = _read_schema(databases, plan, green, database, list(dict.fromkeys((*before, *changed[database]))))
        busy = [relation for relation, table in schema.tables.items() if table.key]
        compare_keys(on_blue, on_green, [(schema.tables[relation], ()) for relation in busy])  # it is planned now
        on_blue.memory[on_green] = replace(schema, busy=tuple(busy), read_with=now)

    databases.each(plan.databases, remember)
    return changed


@dataclass(frozen=True, slots=True)
class _Schema:
    """What comparing has to know of a database."""

    full_identity: recorder.Keys
    tables: dict[Relation, Table]
    busy: tuple[Relation, ...] = ()
    """Of these tables, which have a key, the freeze compares rows in one statement that is planned."""
    read_with: shapes.Shapes = field(default_factory=dict)
    """The shapes of all tables, from before these were read."""

    def holds(self, now: shapes.Shapes) -> bool:
        """Whether the tables are as they were read. Another process may have been the last to prime."""
        return all(self.read_with.get(relation) == now.get(relation) for relation in self.tables)


def _read_schema(
    databases: Databases, plan: Plan, green: Cluster, database: str, relations: Sequence[Relation]
) -> _Schema:
    """Of some tables; the sessions are fit for comparing then."""
    keys = {
        Relation(row["schema"], row["name"]): tuple(row["key"])
        for row in databases.on(plan.blue, database).query("keys_of_full_identity")
    }
    tables = live.look(databases, plan, green, database, relations).tables
    return _Schema(keys, {table.relation: table for table in tables})


def _compare(
    databases: Databases,
    plan: Plan,
    green: Cluster,
    database: str,
    schema: _Schema,
    now: shapes.Shapes,
    changes: Changes,
    settle: Settle,
    *,
    is_last: bool = True,
) -> Found:
    on_blue, on_green = databases.on(plan.blue, database), databases.on(green, database)
    queue = Queue(on_green)
    unsettled, reshaped = queue.unsettled(), shapes.reshaped(queue.shapes(), now)
    changes = changes | {relation: Changed(is_whole=True) for relation in reshaped}
    relations = [*changes, *(relation for relation in unsettled if relation not in changes)]
    tables = schema.tables
    if unknown := [relation for relation in relations if relation not in tables or relation in reshaped]:
        tables = tables | _read_schema(databases, plan, green, database, unknown).tables
    found: Found = {}
    by_key: dict[Relation, list[Key]] = {}
    for relation in relations:
        if (table := tables.get(relation)) is None:
            if None in now.get(relation, ()):
                found[relation] = Comparison(0, differing_rows=1)  # it is on one side only
            continue  # it was dropped, or is an extension's
        keys = _keys(table, changes.get(relation, Changed(table.key)), unsettled.get(relation, set()))
        if keys is None and not is_last:
            found[relation] = Comparison(0, unsettled=(ANY_ROW,))
        elif keys is None:
            chunks = plan_chunks(on_blue, on_green, table)
            parts = [compare_chunk(on_blue, on_green, table, chunk, settle, with_values=False) for chunk in chunks]
            found[relation] = sum(parts, Comparison(0))
        else:
            by_key[relation] = keys
    others = [relation for relation in by_key if relation not in schema.busy]
    for group in (schema.busy, others):
        wanted = [(tables[relation], by_key.get(relation, ())) for relation in group]
        compared = compare_keys(on_blue, on_green, wanted, settle, with_values=False)
        found |= {relation: compared[relation] for relation in group if relation in by_key}
    return found


def _keys(table: Table, changed: Changed, unsettled: Collection[Key]) -> list[Key] | None:
    """The rows to be looked at, in the order of the table's key; None when all have to be."""
    if changed.is_whole or ANY_ROW in unsettled or not table.key or table.key_names != frozenset(changed.columns):
        return None
    places = [changed.columns.index(name) for name in table.key]
    return sorted({tuple(key[place] for place in places) for key in changed.keys} | set(unsettled))


def _require_equal(database: str, found: Found, recorded: recorder.Recorded) -> None:
    """Raises ``DataDiffers``; or ``GreenWrittenTo`` when somebody wrote to green, though it came out equal."""
    names = [name for relation, comparison in found.items() for name in described(relation, comparison)]
    differing = sum(comparison.differing_rows for comparison in found.values())
    live.require_equal({database: (differing, tuple(names[:NAMED]))})
    if recorded.written_on_green:
        tables = ", ".join(sorted(map(str, recorded.written_on_green)))
        raise GreenWrittenTo(
            f"{database}: somebody wrote to {tables} on green. A green that was tested cannot take over: release again,"
            " which makes a new one."
        )


def totals(found: Found) -> dict[str, int]:
    """In numbers: tables and rows that had changed, and rows that kept changing."""
    return {
        "tables": len(found),
        "rows": sum(comparison.rows for comparison in found.values()),
        "unsettled": sum(len(comparison.unsettled) for comparison in found.values()),
    }
