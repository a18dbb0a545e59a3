"""What stands in the way of the engine version and the parameters that green is to get, as far as RDS knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..model import Plan
from ..rds import parameter_groups
from ..rds.aurora import Description
from ..rds.engines import describe_version, target_of
from ..rds.parameter_groups import OF_CLUSTERS, OF_INSTANCES, Kind
from .findings import Check, Found

FOR_AN_UPGRADE = NOT_A_TARGET, NOT_SETTABLE, DIFFERENT_GROUPS, LEFT_BEHIND = (
    Check(
        "engine-version-not-a-target",
        "blocker",
        "RDS does not upgrade from blue's engine version to this one in one step.",
        "set engine_version in the input to one of: {targets}",
        name="{version}, from {current}",
    ),
    Check(
        "parameter-not-settable",
        "blocker",
        "The input sets a parameter that the family of green's parameter group does not have, or does not let be set.",
        "correct or remove input.parameters.{name}",
        name="{name} in {family}",
    ),
    Check(
        "instances-of-different-groups",
        "warning",
        "Green's instances get one parameter group, made after the writer's: RDS takes no more with a major upgrade, "
        "and blue's own cannot be used in another account.",
        "give all instances of blue one parameter group, or change those of green's after the release",
        name="{instances} of {group}, not of {writers_group}",
    ),
    Check(
        "parameter-left-behind",
        "note",
        "Green's parameter group is of a newer family, in which this setting of blue's has no place.",
        "see the release notes of PostgreSQL for what has taken its place, and set that by input.parameters",
        name="{what}",
    ),
)
"""Asked of RDS, when green is to get another engine version or other parameters."""


def look(rds: Any, plan: Plan, blue: Description, instances: list[Description]) -> Iterator[Found]:
    """Nothing, when green is to be as blue is."""
    name = blue["DBClusterIdentifier"]
    if not plan.has_own_groups:
        return
    if plan.engine_version not in ("", blue["EngineVersion"]):
        targets = _targets(rds, blue)
        if plan.engine_version not in targets:
            told = ", ".join(targets) or "none"
            row = {"version": plan.engine_version, "current": blue["EngineVersion"], "targets": told}
            yield NOT_A_TARGET.found(name, row)
            return
    target = target_of(rds, plan, blue)
    settable = OF_CLUSTERS.settable(rds, target.family)
    for parameter in plan.parameters:
        if not settable.get(parameter):
            row = {"name": parameter, "family": target.family}
            yield NOT_SETTABLE.found(name, row)
    if target.is_major:
        yield from _left_behind(rds, OF_CLUSTERS, blue["DBClusterParameterGroup"], target.family)
        yield from _left_behind(rds, OF_INSTANCES, _group(instances[0]), target.family)
        yield from different_groups(name, instances)


def different_groups(place: str, instances: list[Description]) -> Iterator[Found]:
    """Instances whose parameter group is not the writer's, who comes first."""
    groups = {each["DBInstanceIdentifier"]: _group(each) for each in instances}
    writers = next(iter(groups.values()))
    for group in sorted(set(groups.values()) - {writers}):
        members = ", ".join(sorted(each for each, own in groups.items() if own == group))
        yield DIFFERENT_GROUPS.found(place, {"instances": members, "group": group, "writers_group": writers})


def _targets(rds: Any, blue: Description) -> list[str]:
    described = describe_version(rds, blue["Engine"], blue["EngineVersion"]) or {}
    found = {each["EngineVersion"] for each in described.get("ValidUpgradeTarget", [])}
    return sorted(found, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])


def _group(instance: Description) -> str:
    return str(instance["DBParameterGroups"][0]["DBParameterGroupName"])


def _left_behind(rds: Any, kind: Kind, group: str, family: str) -> Iterator[Found]:
    for what in parameter_groups.read(rds, kind, group, family).left_behind.values():
        yield LEFT_BEHIND.found(group, {"what": what})
