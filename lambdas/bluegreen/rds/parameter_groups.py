"""Parameter groups of green, made after blue's: in the family of the version that green gets, with new values on top.

A group of an older family cannot be used by an upgraded cluster, and blue's own group must not be changed for green's
sake. What blue's group sets by itself is carried over, as far as the new family knows it and lets it be set. All
functions take the client of the Region whose groups are meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import GreenFailed, GreenNotGone
from ..model import RELEASE_TAG, Plan
from .aurora import Description, describe_instances

AT_ONCE = 20
"""Parameters that one request may change (API reference of ModifyDBClusterParameterGroup)."""

DEFAULT = "default."
"""Names of groups that RDS has for each family, and nobody can change."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Groups of clusters, or of instances: the operations are the same, under different names."""

    operation: str
    """What the names of the operations have in common."""
    member: str
    """What the names of their members have in common."""
    defaults: str
    """The operation that lists the parameters of a family."""

    def family(self, rds: Any, name: str) -> str:
        """The family that a group is of."""
        found = getattr(rds, f"describe_{self.operation}s")(**self._named(name))[f"{self.member}s"]
        return str(found[0]["DBParameterGroupFamily"])

    def set_by_user(self, rds: Any, name: str) -> dict[str, str]:
        """What a group says that is neither the engine's default nor RDS's own."""
        paginator = rds.get_paginator(f"describe_{self.operation.removesuffix('_group')}s")
        pages = paginator.paginate(**self._named(name), Source="user")
        found = (each for page in pages for each in page["Parameters"])
        return {each["ParameterName"]: each["ParameterValue"] for each in found if "ParameterValue" in each}

    def settable(self, rds: Any, family: str) -> dict[str, bool]:
        """All parameters of a family, and whether they can be set."""
        pages = rds.get_paginator(self.defaults).paginate(DBParameterGroupFamily=family)
        found = (each for page in pages for each in page["EngineDefaults"].get("Parameters", []))
        return {each["ParameterName"]: bool(each.get("IsModifiable")) for each in found}

    def find(self, rds: Any, name: str) -> str | None:
        """The ARN of a group, or None when there is none of that name."""
        pages = rds.get_paginator(f"describe_{self.operation}s").paginate()
        found = (each for page in pages for each in page[f"{self.member}s"])
        return next((each[f"{self.member}Arn"] for each in found if each[f"{self.member}Name"] == name), None)

    def make(self, rds: Any, plan: Plan, family: str, parameters: Mapping[str, str]) -> str:
        """Green's group, with exactly these values; made before, or by another attempt at the same time, it is kept."""
        name = plan.green_identifier
        with suppress(rds.exceptions.DBParameterGroupAlreadyExistsFault):
            getattr(rds, f"create_{self.operation}")(
                **self._named(name),
                DBParameterGroupFamily=family,
                Description=f"Made by release {plan.release_id} for {name}",
                Tags=[{"Key": RELEASE_TAG, "Value": plan.release_id}],
            )
        self._require_ours(rds, plan, self.find(rds, name))
        settings = [  # at the next start: nobody uses the group yet, and every parameter can be set so
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for key, value in sorted(parameters.items())
        ]
        for first in range(0, len(settings), AT_ONCE):
            modify = getattr(rds, f"modify_{self.operation}")
            modify(**self._named(name), Parameters=settings[first : first + AT_ONCE])
        return name

    def delete(self, rds: Any, plan: Plan) -> None:
        """Removes green's group, if there is one; never one that does not carry this release's tag."""
        if arn := self.find(rds, plan.green_identifier):
            self._require_ours(rds, plan, arn)
            self._delete(rds, plan.green_identifier)

    def delete_made(self, rds: Any, name: str) -> None:
        """Removes a group of that name if some release has made it."""
        if (arn := self.find(rds, name)) and RELEASE_TAG in _tags(rds, arn):
            self._delete(rds, name)

    def _delete(self, rds: Any, name: str) -> None:
        with suppress(rds.exceptions.DBParameterGroupNotFoundFault):  # another attempt was faster
            try:
                getattr(rds, f"delete_{self.operation}")(**self._named(name))
            except rds.exceptions.InvalidDBParameterGroupStateFault as error:  # the cluster is hardly gone
                raise GreenNotGone(f"The parameter group {name} is in use still.") from error

    def _named(self, name: str) -> dict[str, str]:
        return {f"{self.member}Name": name}

    @staticmethod
    def _require_ours(rds: Any, plan: Plan, arn: str | None) -> None:
        if arn is None or _tags(rds, arn).get(RELEASE_TAG) != plan.release_id:
            raise GreenFailed(
                f"The parameter group {plan.green_identifier} does not carry the tag {RELEASE_TAG}={plan.release_id}:"
                " not touched. Look who made it, and delete it."
            )


def _tags(rds: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in rds.list_tags_for_resource(ResourceName=arn)["TagList"]}


OF_CLUSTERS = Kind(
    "db_cluster_parameter_group", "DBClusterParameterGroup", "describe_engine_default_cluster_parameters"
)
OF_INSTANCES = Kind("db_parameter_group", "DBParameterGroup", "describe_engine_default_parameters")


@dataclass(frozen=True, slots=True)
class Source:
    """A group of blue that green's is made after, and what of it can be carried over into a family."""

    kind: Kind
    name: str
    carried: Mapping[str, str]
    left_behind: Mapping[str, str]
    """What blue's group sets and green's cannot, with the reason."""


def read(rds: Any, kind: Kind, name: str, family: str) -> Source:
    """What a group of blue sets, parted by what can be set in a family."""
    if name.startswith(DEFAULT):
        return Source(kind, name, {}, {})
    known, values = kind.settable(rds, family), kind.set_by_user(rds, name)
    reasons = {
        key: "cannot be set" if key in known else "does not exist" for key in sorted(values) if not known.get(key)
    }
    carried = {key: value for key, value in values.items() if key not in reasons}
    left = {key: f"{key} = {values[key]} {reason} in {family}" for key, reason in reasons.items()}
    return Source(kind, name, carried, left)


def make(rds: Any, plan: Plan, source: Source, family: str, new: Mapping[str, str]) -> str:
    """The name of green's group: one made after blue's, or RDS's own of the family where blue has that as well."""
    if source.name.startswith(DEFAULT) and not new:
        return f"{DEFAULT}{family}"
    return source.kind.make(rds, plan, family, {**source.carried, **new})


def make_after(
    rds: Any, plan: Plan, source: Description, family: str, *, with_instances: bool
) -> tuple[dict[str, str], list[str]]:
    """Green's groups after those of a cluster of blue's in the same Region, as ModifyDBCluster names them.

    Also what they leave behind. With a major upgrade RDS takes one group for all instances: it is made after the
    writer's. A cluster without an instance has none.
    """
    cluster = read(rds, OF_CLUSTERS, source["DBClusterParameterGroup"], family)
    made = {"DBClusterParameterGroupName": make(rds, plan, cluster, family, plan.parameters)}
    left = list(cluster.left_behind.values())
    if with_instances and (name := instance_group(rds, source["DBClusterIdentifier"])):
        instances = read(rds, OF_INSTANCES, name, family)
        made["DBInstanceParameterGroupName"] = make(rds, plan, instances, family, {})
        left += instances.left_behind.values()
    return made, left


def instance_group(rds: Any, cluster_identifier: str) -> str:
    """The parameter group of a cluster's writer; empty when the cluster has no instance."""
    for instance in describe_instances(rds, cluster_identifier):
        return str(instance["DBParameterGroups"][0]["DBParameterGroupName"])
    return ""


def delete_groups(rds: Any, plan: Plan) -> None:
    """Removes the groups of a green that is gone."""
    for kind in (OF_CLUSTERS, OF_INSTANCES):
        kind.delete(rds, plan)


def delete_groups_of(rds: Any, cluster_identifier: str) -> None:
    """Removes the groups that an earlier release made for a cluster that is gone now."""
    for kind in (OF_CLUSTERS, OF_INSTANCES):
        kind.delete_made(rds, cluster_identifier)
