"""Which tables of a database are compared, read from the catalogs of both sides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..model import Relation
from ..session import Row, Session
from .row_hash import NATIVE_TYPES
from .tables import Column, Table


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables of one database that both sides have, and what only one of them has."""

    tables: tuple[Table, ...]
    problems: tuple[str, ...]
    """What of blue is absent on green: differences."""
    notes: tuple[str, ...]
    """What is not compared: what green has in addition, for instance."""


def read_catalog(
    blue: Session, green: Session, relations: Sequence[Relation] | None = None, *, by_partition: bool = False
) -> Catalog:
    """The tables of a database on both sides, or some; a partitioned one as a whole, or each partition by itself."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_read, green, relations, by_partition)
        on_blue, on_green = _read(blue, relations, by_partition), reading.result()
    tables, problems, notes = [], [], []
    for relation, row in on_blue.items():
        if (other := on_green.get(relation)) is None:
            problems.append(f"{relation} is on blue only")
            continue
        table = _match(relation, row, other)
        names = {column.name for column in table.columns}
        problems += [f"{relation}: column {name} is on blue only" for name in _comparable(row) if name not in names]
        notes += [f"{relation}: column {name} is on green only" for name in _comparable(other) if name not in names]
        tables.append(table)
    notes += [f"{relation} is on green only" for relation in on_green if relation not in on_blue]
    return Catalog(tuple(tables), tuple(problems), tuple(notes))


def _read(session: Session, relations: Sequence[Relation] | None, by_partition: bool) -> dict[Relation, Row]:
    names = None if relations is None else json.dumps([[each.schema, each.name] for each in relations])
    rows = session.query("verify_tables", by_partition=by_partition, names=names)
    return {Relation(row["schema"], row["name"]): row for row in rows}


def _comparable(row: Row) -> dict[str, Mapping[str, Any]]:
    """Columns by name, but those that are computed when they are read."""
    return {column["name"]: column for column in row["columns"] if column["generated"] != "v"}


def _match(relation: Relation, blue: Row, green: Row) -> Table:
    others = _comparable(green)
    columns = tuple(_pairs(_comparable(blue), others))
    names = {column.name for column in columns}
    key = blue["key"] if all(part["name"] in names for part in blue["key"]) else []
    return Table(
        relation,
        columns,
        tuple(part["name"] for part in key),
        tuple(part["operators"] for part in key),
        (blue["is_partitioned"], green["is_partitioned"]),
        blue["row_estimate"],
        blue["bytes"],
    )


def _pairs(blue: Mapping[str, Mapping[str, Any]], green: Mapping[str, Mapping[str, Any]]) -> Iterator[Column]:
    for name, column in blue.items():
        if (other := green.get(name)) is None:
            continue
        native = column["native"] if column["native"] in NATIVE_TYPES else None
        if column["type"] != other["type"] or (native == "bpchar" and not column["has_typmod"]):
            native = None  # the same value is written in another way, or padded by blanks that the hash ignores
        yield Column(
            name,
            native,
            column["is_nullable"] or other["is_nullable"],
            (column["type"], other["type"]),
            (column["is_domain"], other["is_domain"]),
            (column["output"], other["output"]),
        )
