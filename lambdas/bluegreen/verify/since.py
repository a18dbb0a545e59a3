"""What changed since it was compared is compared again: while writes go on, and for the last time in the freeze."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..errors import GreenWrittenTo
from ..model import Cluster, Plan, Relation
from ..postgres import Databases
from ..session import Session
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

PASSES = 3
"""A slot that is let go of much log at once moves only to the first place in it from where reading may begin, and
further when that is read again [tried]."""

ANY_ROW: Key = ()
"""Left in place of keys: all of a table has to be looked at, which is done once, when the whole log is read."""


class _Sides(NamedTuple):
    """A database on blue and on green."""

    databases: Databases
    plan: Plan
    green: Cluster
    database: str

    @property
    def on_blue(self) -> Session:
        return self.databases.on(self.plan.blue, self.database)

    @property
    def on_green(self) -> Session:
        return self.databases.on(self.green, self.database)


def compare_changed(databases: Databases, plan: Plan, green: Cluster) -> dict[str, Found]:
    """Compares what changed on either side since it was last compared, and lets the recorders forget that.

    Returns what came out for each table of each database that changed. Rows that kept changing while they were looked
    at are left for the next time. Raises ``DataDiffers`` for what is not equal, or ``GreenWrittenTo``.
    """

    def compare(database: str) -> Found:
        sides = _Sides(databases, plan, green, database)
        found: Found = {}
        with sides.on_blue.patience(live.CHUNK_TIMEOUT_S), sides.on_green.patience(live.CHUNK_TIMEOUT_S):
            is_all = False
            while not is_all:
                part, is_all = _compare_part(sides)
                for relation, comparison in part.items():
                    before = found.get(relation, Comparison(0))
                    found[relation] = replace(comparison, rows=before.rows + comparison.rows)
        return found

    with live.alone(databases, plan, green):  # what one left unsettled another would overlook
        return databases.each(plan.databases, compare)


def _compare_part(sides: _Sides) -> tuple[Found, bool]:
    """Compares what a part of the logs names, and whether that was all; what a call that dies has done stays done."""
    queue = Queue(sides.on_green)
    settle = live.settle(*sides)
    settle()  # else what blue changed just now would be in green's log the next time
    schema = _read_schema(sides, [])
    now = shapes.read(sides.on_blue, sides.on_green)
    recorded = recorder.read(*sides, schema.full_identity, PART_BYTES)
    found = _compare(sides, schema, now, recorded.changes, settle, is_last=recorded.is_all)
    _require_equal(sides.database, found, recorded)
    with sides.on_green.transaction(lock=sides.plan.sql_name):
        queue.forget_unsettled()
        for relation, comparison in found.items():
            queue.leave(relation, comparison.unsettled)
        queue.keep_shapes(now)
    recorder.forget(*sides, recorded.upto)
    return found, recorded.is_all


def compare_rest(databases: Databases, plan: Plan, green: Cluster, database: str) -> Found:
    """In the freeze, when green is drained: compares whatever was not proven equal before, which then has to be equal.

    What it takes depends on what changed since the last time and not on how much there is. Raises ``DataDiffers``.
    """
    sides = _Sides(databases, plan, green, database)
    now = shapes.read(sides.on_blue, sides.on_green)
    schema = sides.on_blue.memory.get(sides.on_green)
    if schema is None or not schema.holds(now):
        schema = _read_schema(sides, [])
    recorded = recorder.read(*sides, schema.full_identity)
    found = _compare(sides, schema, now, recorded.changes, nothing)
    _require_equal(database, found, recorded)
    return found


def prime(databases: Databases, plan: Plan, green: Cluster) -> dict[str, Found]:
    """Compares what has changed until now, and keeps for ``compare_rest`` what that would have to read of catalogs.

    Returns what came out for the tables that had changed. Raises ``NotReadyToFreeze`` when the freeze would have to
    read too much log.
    """
    changed: dict[str, Found] = {database: {} for database in plan.databases}
    for _ in range(PASSES):
        recorder.bring_forward(databases, plan, green)
        for database, found in compare_changed(databases, plan, green).items():
            changed[database] |= found
        if not recorder.far_back(databases, plan, green):
            break
    recorder.require_near(databases, plan, green)

    def remember(database: str) -> None:
        sides = _Sides(databases, plan, green, database)
        on_blue, on_green = sides.on_blue, sides.on_green
        before = on_blue.memory[on_green].busy if on_green in on_blue.memory else ()
        now = shapes.read(on_blue, on_green)
        schema = _read_schema(sides, list(dict.fromkeys((*before, *changed[database]))))
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


def _read_schema(sides: _Sides, relations: Sequence[Relation]) -> _Schema:
    """Of some tables; the sessions are fit for comparing then."""
    keys = {
        Relation(row["schema"], row["name"]): tuple(row["key"]) for row in sides.on_blue.query("keys_of_full_identity")
    }
    tables = live.look(*sides, relations).tables
    return _Schema(keys, {table.relation: table for table in tables})


def _compare(
    sides: _Sides, schema: _Schema, now: shapes.Shapes, changes: Changes, settle: Settle, *, is_last: bool = True
) -> Found:
    """What came out for each table that changed; of one that is needed as a whole, only once the log is read."""
    on_blue, on_green = sides.on_blue, sides.on_green
    queue = Queue(on_green)
    unsettled, reshaped = queue.unsettled(), shapes.reshaped(queue.shapes(), now)
    changes = changes | {relation: Changed(is_whole=True) for relation in reshaped}
    relations = [*changes, *(relation for relation in unsettled if relation not in changes)]
    tables = schema.tables
    if unknown := [relation for relation in relations if relation not in tables or relation in reshaped]:
        tables = tables | _read_schema(sides, unknown).tables
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
