"""Parameter groups of green, made after blue's: in the family of the version that green gets, with new values on top.

A group of an older family cannot be used by an upgraded cluster, and blue's own group must not be changed for green's
sake. What blue's group sets by itself is carried over, as far as the new family knows it and lets it be set. All
functions take the client, or both sides' clients, of the Region whose groups are meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import GreenFailed, GreenNotGone
from ..model import RELEASE_TAG, Plan
from .aurora import Description, describe_instances
from .sides import Rds

AT_ONCE = 20
"""Parameters that one request may change (API reference of ModifyDBClusterParameterGroup)."""

MADE_BY_TAG = "bluegreen:made-by"
"""On the parameter groups of a green that was opened: the release that made them. IAM lets only the end of their
cluster act by it."""

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

    def make(self, rds: Any, plan: Plan, name: str, family: str, parameters: Mapping[str, str]) -> str:
        """Green's group, with exactly these values; made before, or by another attempt at the same time, it is kept."""
        with suppress(rds.exceptions.DBParameterGroupAlreadyExistsFault):
            getattr(rds, f"create_{self.operation}")(
                **self._named(name),
                DBParameterGroupFamily=family,
                Description=f"Made by release {plan.release_id} for {plan.green_identifier}",
                Tags=[{"Key": RELEASE_TAG, "Value": plan.release_id}],
            )
        self._require_ours(rds, plan, name, self.find(rds, name))
        settings = [  # at the next start: nobody uses the group yet, and every parameter can be set so
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
            for key, value in sorted(parameters.items())
        ]
        for first in range(0, len(settings), AT_ONCE):
            modify = getattr(rds, f"modify_{self.operation}")
            modify(**self._named(name), Parameters=settings[first : first + AT_ONCE])
        return name

    def delete(self, rds: Any, plan: Plan, name: str) -> None:
        """Removes a group of green's, if there is one; never one that does not carry this release's tag."""
        if arn := self.find(rds, name):
            self._require_ours(rds, plan, name, arn)
            self._delete(rds, name)

    def delete_made(self, rds: Any, name: str) -> None:
        """Removes a group of that name if some release has made it, whether its cluster was opened or not."""
        if (arn := self.find(rds, name)) and _tags(rds, arn).keys() & {RELEASE_TAG, MADE_BY_TAG}:
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
    def _require_ours(rds: Any, plan: Plan, name: str, arn: str | None) -> None:
        if arn is None or _tags(rds, arn).get(RELEASE_TAG) != plan.release_id:
            raise GreenFailed(
                f"The parameter group {name} does not carry the tag {RELEASE_TAG}={plan.release_id}:"
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


def make(rds: Any, plan: Plan, source: Source, name: str, family: str, new: Mapping[str, str]) -> str:
    """The name of green's group: one made after blue's, or RDS's own of the family where blue has that as well."""
    if source.name.startswith(DEFAULT) and not new:
        return f"{DEFAULT}{family}"
    return source.kind.make(rds, plan, name, family, {**source.carried, **new})


def make_after(
    rds: Rds, plan: Plan, source: Description, family: str, *, with_instances: bool
) -> tuple[dict[str, str], list[str]]:
    """Green's groups after those of a cluster of blue's in the same Region, as ModifyDBCluster names them.

    Also what they leave behind. With a major upgrade RDS takes one group for all instances: it is made after the
    writer's. A cluster without an instance has none.
    """
    cluster, name = read(rds.blue, OF_CLUSTERS, source["DBClusterParameterGroup"], family), plan.green_identifier
    made = {"DBClusterParameterGroupName": make(rds.green, plan, cluster, name, family, plan.parameters)}
    left = list(cluster.left_behind.values())
    if with_instances and (group := instance_group(rds.blue, source["DBClusterIdentifier"])):
        instances = read(rds.blue, OF_INSTANCES, group, family)
        made["DBInstanceParameterGroupName"] = make(rds.green, plan, instances, name, family, {})
        left += instances.left_behind.values()
    return made, left


def of_clone(identifier: str) -> str:
    """The name of the groups that a cluster begins with in another account than blue's; an upgrade gives it others."""
    return f"{identifier}-clone"


def make_for_clone(rds: Rds, plan: Plan, blue: Description) -> None:
    """Groups in green's account for a clone of a blue that is in another one, whose groups cannot be used there.

    They say what blue's do, in blue's family.
    """
    for kind, name in _groups_of(rds.blue, blue).items():
        if name and not name.startswith(DEFAULT):
            family = kind.family(rds.blue, name)
            kind.make(
                rds.green, plan, of_clone(plan.green_identifier), family, read(rds.blue, kind, name, family).carried
            )


def names_for_clone(blues: Any, plan: Plan, blue: Description) -> dict[str, str]:
    """The names of these groups, or of RDS's own where blue has those; all instances get one, after the writer's."""
    cluster, instances = (
        name if name.startswith(DEFAULT) else of_clone(plan.green_identifier)
        for name in _groups_of(blues, blue).values()
    )
    return {"DBClusterParameterGroupName": cluster, "DBInstanceParameterGroupName": instances}


def _groups_of(blues: Any, blue: Description) -> dict[Kind, str]:
    return {
        OF_CLUSTERS: str(blue["DBClusterParameterGroup"]),
        OF_INSTANCES: instance_group(blues, blue["DBClusterIdentifier"]),
    }


def instance_group(rds: Any, cluster_identifier: str) -> str:
    """The parameter group of a cluster's writer; empty when the cluster has no instance."""
    for instance in describe_instances(rds, cluster_identifier):
        return str(instance["DBParameterGroups"][0]["DBParameterGroupName"])
    return ""


def delete_groups(rds: Any, plan: Plan) -> None:
    """Removes the groups of a green that is gone."""
    for kind, name in _made_for(plan.green_identifier):
        kind.delete(rds, plan, name)


def delete_groups_of(rds: Any, cluster_identifier: str) -> None:
    """Removes the groups that an earlier release made for a cluster that is gone now."""
    for kind, name in _made_for(cluster_identifier):
        kind.delete_made(rds, name)


def groups_of_a_release(rds: Any, cluster_identifier: str) -> list[str]:
    """The ARNs of a cluster's groups that carry the tag of releases, by which a release may change and delete them."""
    found = (kind.find(rds, name) for kind, name in _made_for(cluster_identifier))
    return [arn for arn in found if arn and RELEASE_TAG in _tags(rds, arn)]


def hand_over_group(rds: Any, plan: Plan, arn: str) -> None:
    """Tags a group of production for the one who will delete it with its cluster; no release acts by this tag."""
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": MADE_BY_TAG, "Value": plan.release_id}])


def _made_for(identifier: str) -> list[tuple[Kind, str]]:
    """All groups that a release may have made for a cluster, by kind and name."""
    return [(kind, name) for kind in (OF_CLUSTERS, OF_INSTANCES) for name in (identifier, of_clone(identifier))]
