"""Before the first script runs, all of them are read, taken apart, and held against the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ChangesRefused
from ..model import Cluster, Plan, Relation
from ..postgres import Databases
from . import parsing, rules, scripts
from .scripts import Script
from .units import Unit, units

TOLD = 40
"""How many problems are told; of the rest only the number is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A script that may run, and its parts."""

    script: Script
    units: tuple[Unit, ...]


def check_changes(databases: Databases, s3: Any, plan: Plan) -> dict[str, int]:
    """Checks the scripts against blue's tables, before anything is touched; returns how much there is to run."""
    ready = prepare(databases, s3, plan, plan.blue, None)
    return {"scripts": len(ready), "statements": sum(len(unit.statements) for each in ready for unit in each.units)}


def prepare(databases: Databases, s3: Any, plan: Plan, cluster: Cluster, subscription: str | None) -> list[Prepared]:
    """All scripts in their order. Raises ``ChangesRefused`` with every problem of every one of them."""
    found = scripts.read_all(s3, plan)
    names = sorted({script.database for script in found})

    def replicated(database: str) -> rules.Replicated:
        session = databases.on(cluster, database)
        tables, indexes = (
            [Relation(row["schema"], row["name"]) for row in session.query(name, subscription=subscription)]
            for name in ("replicated_tables", "unique_indexes")
        )
        return rules.Replicated(tables, indexes)

    return take_apart(found, databases.each(names, replicated) if names else {})


def take_apart(found: list[Script], replicated: Mapping[str, rules.Replicated]) -> list[Prepared]:
    """The scripts with their parts. Raises ``ChangesRefused``."""
    ready, problems = [], []
    for script in found:
        try:
            statements = parsing.statements(script.text())
            refused = rules.problems(statements, replicated[script.database])
            problems += [f"{script} line {problem.line}: {problem.reason}" for problem in refused]
            ready.append(Prepared(script, tuple(units(statements))))
        except parsing.Unparsable as error:
            problems.append(f"{script} line {error.line}: {error}")
        except UnicodeDecodeError as error:
            problems.append(f"{script} line {script.content[: error.start].count(10) + 1}: it is not UTF-8")
        except ValueError as error:
            problems.append(f"{script}: {error}")
    if problems:
        more = [f"and {len(problems) - TOLD} more"] if len(problems) > TOLD else []
        raise ChangesRefused("Scripts are refused; docs/changes.md says why.", *problems[:TOLD], *more)
    return ready
