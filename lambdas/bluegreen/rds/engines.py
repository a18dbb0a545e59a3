"""Engine versions: what green is brought to, and whether RDS goes there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import GreenFailed
from ..model import Plan, major
from .aurora import Description
from .parameter_groups import OF_CLUSTERS


@dataclass(frozen=True, slots=True)
class Target:
    """What green is brought to."""

    version: str
    family: str
    is_upgrade: bool
    """Whether it is not the version that blue has: else green only gets parameters of its own."""
    is_major: bool


def target_of(rds: Any, plan: Plan, blue: Description) -> Target:
    """The version that green gets, blue's own when the input names none, and the family of its parameter groups."""
    version = plan.engine_version or blue["EngineVersion"]
    if major(version) == major(blue["EngineVersion"]):
        family = OF_CLUSTERS.family(rds, blue["DBClusterParameterGroup"])
        return Target(version, family, is_upgrade=version != blue["EngineVersion"], is_major=False)
    found = describe_version(rds, blue["Engine"], version)
    if found is None:
        raise GreenFailed(f"RDS knows no {blue['Engine']} {version}.")
    return Target(version, found["DBParameterGroupFamily"], is_upgrade=True, is_major=True)


def describe_version(rds: Any, engine: str, version: str) -> Description | None:
    """An engine version as DescribeDBEngineVersions returns it, with what it can be upgraded to."""
    pages = rds.get_paginator("describe_db_engine_versions").paginate(Engine=engine, EngineVersion=version)
    return next((each for page in pages for each in page["DBEngineVersions"]), None)
