"""Green's planner statistics and cache before the freeze, so that its first transactions are as quick as blue's were.

A clone starts with empty buffers, and a major upgrade below 18 leaves no statistics. Both would meet the application at
the worst moment. All of it is done before the approval is asked for, nothing in the freeze, and whatever is slow or not
permitted is left out and counted: a cold relation is no reason not to release.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import SqlError
from .model import SCHEMA, Cluster, Plan, Relation, State
from .postgres import Databases
from .quoting import identifier
from .session import Session

TIME_LIMIT_S = 600
"""After this no table is analysed and no relation loaded any more. The function may take longer, by one statement."""

STATEMENT_LIMIT_S = 120
"""The longest that one table's ANALYZE, or one portion of a relation, may take, waiting for locks included."""

BUFFER_SHARE = 0.8
"""How much of green's shared buffers is filled; with more, what is loaded last drives out what was loaded first."""

PORTION_BLOCKS = 16_384
"""How much is loaded by one statement, 128 MB: the clock is looked at in between."""

_BROKEN = ("XX", "58", "53")
"""Beginnings of SQLSTATEs that speak of the server and not of one table: internal, system, out of resources."""


@dataclass(frozen=True, slots=True)
class HotRelation:
    """A table, index or toast table as it is on green; ``accesses`` of its blocks were counted on blue."""

    oid: int
    schema: str
    name: str
    kind: str
    """``pg_class.relkind``."""
    accesses: int
    blocks: int


@dataclass(slots=True)
class Warmth:
    """What was done in one database. ``skipped`` counts relations by the reason why they were left cold."""

    tables_analysed: int = 0
    tables_without_statistics: int = 0
    relations_loaded: int = 0
    bytes_loaded: int = 0
    views_refreshed: int = 0
    views_left: int = 0
    """Materialized views that are as of the clone still: not permitted, too slow, or a function fails."""
    skipped: Counter[str] = field(default_factory=Counter)

    def to_state(self) -> dict[str, object]:
        """Small figures for the state machine."""
        return {name: getattr(self, name) for name in self.__slots__} | {"skipped": dict(self.skipped)}


def sentence(warmth: State) -> str:
    """What the approver is told of ``$.warmth``.

    >>> done = {"tables_analysed": 3, "tables_without_statistics": 0, "relations_loaded": 40, "bytes_loaded": 2_500_000}
    >>> sentence({"app": done | {"skipped": {}}})
    '40 of the hottest relations (2.5 MB) are in its cache; 3 tables lacked statistics and were analysed'
    >>> sentence({"app": done | {"skipped": {"over_size_limit": 2}, "tables_without_statistics": 1}}).split("; ", 2)[2]
    '1 table has none still; left cold: over_size_limit 2'
    """
    total: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for figures in warmth.values():
        total.update({name: figure for name, figure in figures.items() if name != "skipped"})
        skipped.update(figures["skipped"])
    clauses = [
        f"{total['relations_loaded']} of the hottest relations ({total['bytes_loaded'] / 1e6:.1f} MB) are in its cache",
        f"{total['tables_analysed']} tables lacked statistics and were analysed",
    ]
    if lacking := total["tables_without_statistics"]:
        clauses.append(f"{lacking} {'table has' if lacking == 1 else 'tables have'} none still")
    if refreshed := total["views_refreshed"]:
        clauses.append(
            f"{refreshed} {'materialized view was' if refreshed == 1 else 'materialized views were'} refreshed"
        )
    if left := total["views_left"]:
        clauses.append(f"{left} could not be, and {'is' if left == 1 else 'are'} as of the clone")
    if skipped:
        clauses.append(f"left cold: {', '.join(f'{reason} {count}' for reason, count in sorted(skipped.items()))}")
    return "; ".join(clauses)


def choose(
    hot: Mapping[str, Sequence[HotRelation]], limit_blocks: int
) -> tuple[dict[str, list[HotRelation]], dict[str, int]]:
    """Which relations of each database to load, hottest first, and how many did not fit.

    The buffers belong to all databases together. Hot is what was asked for often for its size: of the relations that
    fit, those save the most reads.

    >>> big = HotRelation(1, "public", "history", "r", accesses=900, blocks=90)
    >>> small, other = (HotRelation(oid, "public", "t", "r", accesses=500, blocks=10) for oid in (2, 3))
    >>> chosen, left = choose({"app": [big, small], "crm": [other]}, limit_blocks=100)
    >>> [relation.oid for relation in chosen["app"]], [relation.oid for relation in chosen["crm"]], left
    ([2], [3], {'app': 1, 'crm': 0})
    """
    chosen: dict[str, list[HotRelation]] = {database: [] for database in hot}
    left = dict.fromkeys(hot, 0)
    ranked = sorted(
        ((database, relation) for database, relations in hot.items() for relation in relations if relation.blocks),
        key=lambda ranked: ranked[1].accesses / ranked[1].blocks,
        reverse=True,
    )
    for database, relation in ranked:
        if relation.blocks <= limit_blocks:
            limit_blocks -= relation.blocks
            chosen[database].append(relation)
        else:
            left[database] += 1
    return chosen, left


def warm_green(
    databases: Databases,
    plan: Plan,
    green: Cluster,
    *,
    time_limit_s: float = TIME_LIMIT_S,
    buffer_share: float = BUFFER_SHARE,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Warmth]:
    """Refreshes materialized views, which are not replicated, analyses what lacks statistics, then loads the relations
    that are hottest on blue; databases side by side.

    Of blue only its counters are read. A second run finds the statistics there and the blocks in the buffers.
    """
    deadline = clock() + time_limit_s

    def in_time() -> bool:
        return clock() < deadline

    def prepare(database: str) -> Warmth:
        session = databases.on(green, database)
        refreshed, left = _refresh(session, in_time)
        warmth = _analyse(session, in_time)
        warmth.views_refreshed, warmth.views_left = refreshed, left
        return warmth

    warmths = databases.each(plan.databases, prepare)
    prewarm = databases.each(plan.databases, lambda name: _prewarm_schema(databases.on(green, name), plan))

    def look(database: str) -> list[HotRelation]:
        hot = _hot(databases.on(plan.blue, database), databases.on(green, database))
        loadable = [relation for relation in hot if relation.kind != "i" or prewarm[database] is not None]
        warmths[database].skipped["needs_pg_prewarm"] = len(hot) - len(loadable)
        return loadable

    buffers = databases.on(green, plan.home).one("shared_buffers")
    chosen, left = choose(databases.each(plan.databases, look), int(buffers["blocks"] * buffer_share))

    def load(database: str) -> None:
        warmth = warmths[database]
        warmth.skipped["over_size_limit"] = left[database]
        blocks = _load_all(databases.on(green, database), prewarm[database], chosen[database], warmth, in_time)
        warmth.bytes_loaded = blocks * buffers["block_bytes"]
        warmth.skipped = +warmth.skipped  # without the zeros

    databases.each(plan.databases, load)
    return warmths


def _refresh(session: Session, in_time: Callable[[], bool]) -> tuple[int, int]:
    """Refreshes materialized views, in the order in which they read one another; returns how many were and were not."""
    views = session.query("materialized_views")
    failures: Counter[str] = Counter()
    refreshed = 0
    with session.patience(STATEMENT_LIMIT_S):
        for view in views:
            if in_time():
                with _forgiving(failures):
                    session.run(f"REFRESH MATERIALIZED VIEW {identifier(view['schema'])}.{identifier(view['name'])}")
                    refreshed += 1
    return refreshed, len(views) - refreshed


def _analyse(session: Session, in_time: Callable[[], bool]) -> Warmth:
    """Analyses the tables without statistics.

    Partitioned ones come first, because ANALYZE of one goes on to its partitions. For a table that it may not analyse
    PostgreSQL has a warning and no error, and a locked one is not waited for: looking again tells what was done.
    """
    lacking = _without_statistics(session)
    with session.patience(STATEMENT_LIMIT_S):
        for are_partitioned in (True, False):
            for table, is_partitioned in _without_statistics(session).items():
                if is_partitioned == are_partitioned and in_time():
                    with _forgiving(Counter()):
                        session.run(f"ANALYZE (SKIP_LOCKED) {identifier(table.schema)}.{identifier(table.name)}")
        still = lacking.keys() & _without_statistics(session).keys()
    return Warmth(tables_analysed=len(lacking) - len(still), tables_without_statistics=len(still))


def _without_statistics(session: Session) -> dict[Relation, bool]:
    """Tables without statistics, and whether they are partitioned."""
    rows = session.query("tables_without_statistics")
    return {Relation(row["schema"], row["name"]): row["is_partitioned"] for row in rows}


def _hot(on_blue: Session, on_green: Session) -> list[HotRelation]:
    """What was asked for on blue, as it is on green. Found by name: an upgrade may give out other numbers."""
    heat = on_blue.query("relation_heat")
    columns = {key: [row[key] for row in heat] for key in ("schema", "name", "part", "accesses")}
    rows = on_green.query("hot_relations", **columns)
    return [HotRelation(**row) for row in rows]


def _load_all(
    session: Session,
    prewarm: str | None,
    relations: Sequence[HotRelation],
    warmth: Warmth,
    in_time: Callable[[], bool],
) -> int:
    """Loads relations in this order until time is up, and returns how many blocks that were."""
    blocks = 0
    with session.patience(STATEMENT_LIMIT_S):
        for relation in relations:
            with _forgiving(warmth.skipped):
                for first in range(0, relation.blocks, PORTION_BLOCKS):
                    if not in_time():
                        warmth.skipped["over_time_limit"] += 1
                        break
                    _load(session, prewarm, relation, first)
                    blocks += min(PORTION_BLOCKS, relation.blocks - first)
                else:
                    warmth.relations_loaded += 1
    return blocks


def _load(session: Session, prewarm: str | None, relation: HotRelation, first: int) -> None:
    """Reads one portion of a relation into the buffers.

    Without pg_prewarm by a scan of a range of row addresses, which a table and its toast have and an index has not. A
    sequential scan of a table of more than a quarter of the buffers would go through a ring of 256 kB and leave
    nothing behind [PostgreSQL: src/backend/access/heap/heapam.c, initscan].
    """
    beyond = first + PORTION_BLOCKS
    if prewarm is not None:
        session.run(
            f"SELECT {prewarm}.pg_prewarm(:oid::oid::regclass, 'buffer', 'main', :first::bigint, :last::bigint)",
            oid=relation.oid,
            first=first,
            last=beyond - 1 if beyond < relation.blocks else None,
        )
        return
    with session.transaction():
        session.run("SET LOCAL enable_seqscan = off")
        table = f"{identifier(relation.schema)}.{identifier(relation.name)}"
        session.run(
            f"SELECT count(*) FROM ONLY {table} WHERE ctid >= :first::tid AND ctid < :beyond::tid",  # noqa: S608 - quoted
            first=f"({first},0)",
            beyond=f"({beyond},0)",
        )


def _prewarm_schema(session: Session, plan: Plan) -> str | None:
    """The schema, quoted, that has pg_prewarm on green, or None where it cannot be had.

    Ours goes to the release's own schema and is gone with it.
    """
    try:
        with session.transaction(lock=plan.sql_name):
            extension = session.one("prewarm_extension")
            if extension["quoted_schema"] is not None:
                return str(extension["quoted_schema"])
            if not extension["is_available"]:
                return None
            session.run(f"CREATE EXTENSION pg_prewarm SCHEMA {SCHEMA}")
            return SCHEMA
    except SqlError:  # not permitted (rds.allowed_extensions), or its library is missing: do without
        return None


@contextmanager
def _forgiving(reasons: Counter[str]) -> Iterator[None]:
    """Goes on after an error that concerns one relation: not permitted, too slow, a function of an index that fails."""
    try:
        yield
    except SqlError as error:
        if error.sqlstate.startswith(_BROKEN):
            raise
        reasons[f"sqlstate_{error.sqlstate}"] += 1
