"""Taking clusters away: out of their global cluster, with their instances; and a clone that came to nothing.

Whether a cluster may go is asked by ``delete_green`` for the clone, by ``decommission`` for what was replaced. All of
it looks first, acts, and raises ``ClusterBusy`` until it has come to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import ClientError

from ..errors import ClusterBusy, ClusterInUse, GreenFailed, GreenNotGone
from ..model import RELEASE_TAG, Plan
from .aurora import Description, describe_cluster, describe_instances
from .global_database import Clients, describe_global_cluster, global_cluster_of


@dataclass(frozen=True, slots=True)
class Member:
    """A secondary cluster of a global cluster."""

    region: str
    identifier: str
    resource_id: str = ""
    """What tells it from a cluster of the same name that was made later; empty when it is not known yet."""

    @classmethod
    def of_arn(cls, arn: str) -> Self:
        """
        >>> Member.of_arn("arn:aws:rds:eu-west-1:123456789012:cluster:shop-blue-eu")
        Member(region='eu-west-1', identifier='shop-blue-eu', resource_id='')
        """
        _, _, _, region, _, _, identifier = arn.split(":")
        return cls(region, identifier)


def find_same(rds: Any, member: Member) -> Description | None:
    """The cluster itself, by the client of its Region; None when it is gone, also when another has its name by now."""
    cluster = describe_cluster(rds, member.identifier)
    is_other = cluster and member.resource_id and cluster["DbClusterResourceId"] != member.resource_id
    return None if is_other else cluster


def tags_of(description: Description) -> dict[str, str]:
    """The tags of a cluster or an instance."""
    return {tag["Key"]: tag["Value"] for tag in description.get("TagList", [])}


def members_of(global_cluster: Description) -> list[str]:
    """The ARNs of all members."""
    return [member["DBClusterArn"] for member in global_cluster.get("GlobalClusterMembers", [])]


def secondaries_of(global_cluster: Description, arn: str) -> tuple[Member, ...]:
    """All members but that one."""
    return tuple(Member.of_arn(member) for member in members_of(global_cluster) if member != arn)


def remove_all(rds: Clients, clusters: Mapping[Member, Description | None]) -> None:
    """Ends clusters that hold nothing of their own; raises ``ClusterBusy`` until all are gone."""
    there = {member: cluster for member, cluster in clusters.items() if cluster is not None}
    for member, cluster in there.items():
        with suppress(ClusterBusy):
            leave_global_cluster(rds(member.region), cluster["DBClusterArn"])
            delete_cluster(rds(member.region), cluster)
    if there:
        raise ClusterBusy(f"Being removed: {', '.join(f'{each.identifier} in {each.region}' for each in there)}.")


def leave_global_cluster(rds: Any, arn: str) -> None:
    """Returns once a cluster is no member of any global cluster; ``ClusterBusy`` until then."""
    found = global_cluster_of(rds, arn)
    if found is None:
        return
    name = found["GlobalClusterIdentifier"]
    with not_yet(rds, arn):
        rds.remove_from_global_cluster(GlobalClusterIdentifier=name, DbClusterIdentifier=arn)
    raise ClusterBusy(f"{arn} is leaving the global cluster {name}.")


def delete_global_cluster(rds: Any, name: str) -> None:
    """Deletes an empty global cluster. Raises ``ClusterInUse`` when it has members; RDS would refuse it as well."""
    found = describe_global_cluster(rds, name)
    if found is None:
        return
    if members := members_of(found):
        raise ClusterInUse(f"The global cluster {name} has members: {', '.join(members)}.")
    try:
        with not_yet(rds, name):
            if found.get("DeletionProtection"):
                rds.modify_global_cluster(GlobalClusterIdentifier=name, DeletionProtection=False)
            rds.delete_global_cluster(GlobalClusterIdentifier=name)
    except ClientError:  # IAM asks for its tag, and refuses when another attempt has just deleted it
        if describe_global_cluster(rds, name) is not None:
            raise
    raise ClusterBusy(f"The global cluster {name} is being deleted.")


def delete_cluster(rds: Any, cluster: Description) -> None:
    """Deletes a cluster with its instances, without a snapshot; raises ``ClusterBusy``, as it takes its time.

    Protection goes right before. A cluster that is stopped is started, for its instances cannot be deleted else
    (Aurora User Guide, "Stopping and starting an Amazon Aurora DB cluster").
    """
    identifier = cluster["DBClusterIdentifier"]
    with not_yet(rds, identifier):
        if cluster["Status"] == "stopped":
            rds.start_db_cluster(DBClusterIdentifier=identifier)
            raise ClusterBusy(f"{identifier} is stopped, and started to be deleted.")
        for instance in describe_instances(rds, identifier):
            if instance["DBInstanceStatus"] != "deleting":
                rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"])
        if cluster["Status"] != "deleting":
            if cluster.get("DeletionProtection"):
                rds.modify_db_cluster(DBClusterIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)
            rds.delete_db_cluster(DBClusterIdentifier=identifier, SkipFinalSnapshot=True)
    raise ClusterBusy(f"{identifier} is being deleted.")


@contextmanager
def not_yet(rds: Any, name: str) -> Iterator[None]:
    """What RDS refuses because it is not that far yet, or another attempt does it at the same time."""
    codes = rds.exceptions
    try:
        yield
    except (
        codes.InvalidDBClusterStateFault,
        codes.InvalidDBInstanceStateFault,
        codes.InvalidGlobalClusterStateFault,
        codes.DBClusterNotFoundFault,
        codes.DBInstanceNotFoundFault,
        codes.GlobalClusterNotFoundFault,
        codes.DBClusterSnapshotAlreadyExistsFault,
    ) as error:
        raise ClusterBusy(f"{name} is changing: {error.response['Error']['Code']}.") from error


# A clone that came to nothing


def delete_green(rds: Clients, plan: Plan) -> None:
    """Deletes what a release made of clusters; ``GreenNotGone`` until it is gone. All Regions go on side by side.

    rds  the clients of green's account

    Never anything else: each cluster must carry this release's tag, and must not be blue. A secondary leaves the global
    cluster before it is deleted, and the global cluster goes when it is empty (Aurora User Guide, "Deleting an Amazon
    Aurora global database"). A secondary that a late function makes meanwhile keeps its primary from leaving, so it is
    seen the next time; later than that there is no global cluster that it could join. All that the clone holds is on
    blue, so there is no final snapshot.
    """

    def ours(region: str, blues: str) -> Description | None:
        return _ours(plan, plan.green_identifier, describe_cluster(rds(region), plan.green_identifier), blues)

    green = ours("", plan.blue.identifier)
    secondaries = {Member(each.region, plan.green_identifier): each.identifier for each in plan.secondaries}
    try:
        remove_all(rds, {member: ours(member.region, blues) for member, blues in secondaries.items()})
        if green is not None:
            leave_global_cluster(rds(), green["DBClusterArn"])
        name = plan.green_global_cluster
        if _ours(plan, name, describe_global_cluster(rds(), name), plan.blue_global_cluster):
            delete_global_cluster(rds(), name)
        if green is not None:
            delete_cluster(rds(), green)
    except ClusterBusy as busy:
        raise GreenNotGone(str(busy)) from busy


def _ours(plan: Plan, identifier: str, described: Description | None, blues: str) -> Description | None:
    if described is not None and (identifier == blues or tags_of(described).get(RELEASE_TAG) != plan.release_id):
        raise GreenFailed(f"{identifier} does not carry the tag {RELEASE_TAG}={plan.release_id}: not deleted.")
    return described
