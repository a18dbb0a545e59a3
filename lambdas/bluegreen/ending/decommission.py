"""The end of a cluster that a release has replaced: final snapshot, out of its global cluster, stopped or deleted.

Each step looks first, acts, and raises ``ClusterBusy`` until it has come to its end, so that it can be asked again and
again, by any number of executions. Safety: before a cluster is stopped or deleted it carries ``RETIRED_TAG``, which it
gets only when its snapshot is available; each step that takes something away wants that tag and that snapshot, and asks
whether a record leads to the cluster. IAM wants the tag as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from .. import dns
from ..errors import ClusterBusy, ClusterInUse, GreenNotGone, SnapshotFailed
from ..hosted_zones import read
from ..lines import in_lines
from ..model import RELEASE_TAG, Cluster, RecordKey, State
from ..rds import removal
from ..rds.aurora import Description, describe_instances
from ..rds.global_database import Clients, describe_global_cluster, global_cluster_of
from ..rds.parameter_groups import delete_groups_of
from ..rds.removal import (
    Member,
    delete_cluster,
    find_same,
    leave_global_cluster,
    members_of,
    not_yet,
    remove_all,
    tags_of,
)

RETIRED_TAG = "bluegreen:retired"
"""On a cluster that is being ended, its instances, secondaries and global cluster; the value is the name of its final
snapshot."""

NO_SNAPSHOT = "no-snapshot"
"""The tag's value on a clone that was abandoned: all that it holds is on blue."""


End = Literal["stop", "delete"]


@dataclass(frozen=True, slots=True)
class Decommission:
    """Which cluster ends, and how. It travels through the state machine as ``$.plan``."""

    release_id: str
    """The release that replaced the cluster, or whose clone it is."""
    region: str
    cluster: Cluster
    end: End
    snapshot_identifier: str
    """``NO_SNAPSHOT`` for a clone that was abandoned."""
    global_cluster_identifier: str
    """Empty when it is in none."""
    secondaries: tuple[Member, ...] = ()
    resource_id: str = ""
    """Of the cluster: one that is made later under its name is another one."""

    @property
    def primary(self) -> Member:
        """The cluster as it is found."""
        return Member(self.region, self.cluster.identifier, self.resource_id)

    @classmethod
    def of(cls, state: State) -> Self:
        """The plan of a running decommission."""
        fields = dict(state["plan"])
        fields["cluster"] = Cluster(**fields["cluster"])
        fields["secondaries"] = tuple(Member(**member) for member in fields["secondaries"])
        return cls(**fields)

    def to_state(self) -> dict[str, Any]:
        """The plan as JSON for the state machine."""
        return asdict(self) | {"secondaries": list(map(asdict, self.secondaries))}


def require_not_production(
    route53: Any, keys: Sequence[Mapping[str, Any]], cluster: Cluster, resolve: dns.Resolve = dns.addresses
) -> None:
    """Raises ``ClusterInUse`` naming a record by which applications find this cluster. ``keys`` are ``RecordKey``s."""
    for record in read(route53, [RecordKey(**key) for key in keys]):
        if dns.leads_to(record, cluster, resolve):
            raise ClusterInUse(f"The record {record.name} leads to {cluster.identifier}: it is production.")


def in_words(plan: Decommission) -> str:
    """What became of the cluster, for the mail."""
    gone = [f"its secondary {each.identifier} in {each.region}" for each in plan.secondaries]
    if plan.global_cluster_identifier:
        gone.append(f"its global cluster {plan.global_cluster_identifier}")
    lines = [f"{plan.cluster.identifier} is {'stopped' if plan.end == 'stop' else 'deleted'}."]
    if gone:
        lines.append(f"Deleted: {', '.join(gone)}.")
    if plan.snapshot_identifier != NO_SNAPSHOT:
        lines.append(f"Left: its final snapshot {plan.snapshot_identifier}, which costs until you delete it.")
    if plan.end == "stop":
        lines.append("AWS starts a stopped cluster after seven days; it is then stopped again. Its storage costs.")
    return in_lines(lines)


# The final snapshot


def find_snapshot(rds: Any, identifier: str) -> Description | None:
    """A snapshot of a cluster, or None when there is none of that name."""
    try:
        snapshots = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=identifier)["DBClusterSnapshots"]
    except rds.exceptions.DBClusterSnapshotNotFoundFault:
        return None
    return snapshots[0] if snapshots else None


def take_snapshot(rds: Any, plan: Decommission) -> None:
    """Begins the final snapshot, unless an earlier attempt has."""
    if find_snapshot(rds, plan.snapshot_identifier) is not None:
        return
    cluster = find_same(rds, plan.primary)
    if cluster is None or cluster["Status"] == "stopped":
        raise SnapshotFailed(
            f"{plan.cluster.identifier} is {'gone' if cluster is None else 'stopped'} and its final snapshot"
            f" {plan.snapshot_identifier} is not there. Start the cluster if there is one, then this again."
        )
    kept = [tag for tag in cluster.get("TagList", []) if not tag["Key"].startswith(("aws:", "rds:", "bluegreen:"))]
    with not_yet(rds, plan.cluster.identifier):
        rds.create_db_cluster_snapshot(
            DBClusterIdentifier=plan.cluster.identifier,
            DBClusterSnapshotIdentifier=plan.snapshot_identifier,
            Tags=[*kept, {"Key": RELEASE_TAG, "Value": plan.release_id}],
        )


def require_snapshot(rds: Any, plan: Decommission) -> None:
    """Returns once the final snapshot is available. Raises ``SnapshotFailed`` when it never will be."""
    if plan.snapshot_identifier == NO_SNAPSHOT:
        return
    snapshot = find_snapshot(rds, plan.snapshot_identifier)
    if snapshot is None or snapshot["Status"] not in ("available", "creating"):
        raise SnapshotFailed(
            f"The final snapshot {plan.snapshot_identifier} of {plan.cluster.identifier} is"
            f" {snapshot['Status'] if snapshot else 'gone'}. Delete it if it is there, then start this again."
        )
    if snapshot["Status"] != "available":
        done = f"{snapshot.get('PercentProgress', 0)} %"
        raise ClusterBusy(f"The final snapshot {plan.snapshot_identifier} is being made: {done}.")


def retire(rds: Clients, plan: Decommission) -> None:
    """Marks cluster, instances, secondaries and their global cluster as those that may be stopped and deleted now.

    Raises ``ClusterInUse`` when the global cluster has a member that is not to be ended: nothing is marked then.
    """
    require_snapshot(rds(plan.region), plan)
    tag = [{"Key": RETIRED_TAG, "Value": plan.snapshot_identifier}]
    found = ((member, find_same(rds(member.region), member)) for member in (plan.primary, *plan.secondaries))
    clusters = [(member, cluster) for member, cluster in found if cluster is not None]
    if (whole := _global_cluster(rds(plan.region), plan)) is not None:
        if others := set(members_of(whole)) - {cluster["DBClusterArn"] for _, cluster in clusters}:
            raise ClusterInUse(_others(plan.global_cluster_identifier, sorted(others)))
        rds(plan.region).add_tags_to_resource(ResourceName=whole["GlobalClusterArn"], Tags=tag)
    for member, cluster in clusters:
        there = rds(member.region)
        instances = describe_instances(there, member.identifier)
        for arn in (cluster["DBClusterArn"], *(instance["DBInstanceArn"] for instance in instances)):
            there.add_tags_to_resource(ResourceName=arn, Tags=tag)


def _global_cluster(rds: Any, plan: Decommission) -> Description | None:
    name = plan.global_cluster_identifier
    return describe_global_cluster(rds, name) if name else None


def _others(name: str, arns: Sequence[str]) -> str:
    return f"The global cluster {name} got another member meanwhile: {', '.join(arns)}. Start this again."


def _retired(rds: Clients, plan: Decommission, member: Member) -> Description | None:
    """A cluster that may be stopped or deleted; None when it is gone. Raises ``ClusterInUse`` for one not marked so."""
    cluster = find_same(rds(member.region), member)
    if cluster is not None:
        _require_retired(plan, member.identifier, cluster)
    return cluster


def _require_retired(plan: Decommission, name: str, described: Description) -> None:
    if tags_of(described).get(RETIRED_TAG) != plan.snapshot_identifier:
        raise ClusterInUse(f"{name} does not carry the tag {RETIRED_TAG}={plan.snapshot_identifier}: left as it is.")


def _retired_primary(rds: Clients, plan: Decommission) -> Description | None:
    """The cluster that ends, by its tag and its snapshot."""
    require_snapshot(rds(plan.region), plan)
    return _retired(rds, plan, plan.primary)


# Out of the global cluster


def remove_secondaries(rds: Clients, plan: Decommission) -> None:
    """Takes the secondaries out of the global cluster and deletes them, side by side: the primary has all of it."""
    require_snapshot(rds(plan.region), plan)
    remove_all(rds, {member: _retired(rds, plan, member) for member in plan.secondaries})


def remove_from_global_cluster(rds: Clients, plan: Decommission) -> None:
    """Takes the primary out, which has to be the last member."""
    if (cluster := _retired_primary(rds, plan)) is None:
        return
    arn, here = cluster["DBClusterArn"], rds(plan.region)
    found = global_cluster_of(here, arn)
    if found is not None and (others := [each for each in members_of(found) if each != arn]):
        raise ClusterInUse(_others(found["GlobalClusterIdentifier"], others))
    leave_global_cluster(here, arn)


def delete_global_cluster(rds: Any, plan: Decommission) -> None:
    """Deletes the global cluster, which is empty, once it is marked; ``ClusterBusy`` until it is gone."""
    if (whole := _global_cluster(rds, plan)) is not None:
        _require_retired(plan, plan.global_cluster_identifier, whole)
        removal.delete_global_cluster(rds, plan.global_cluster_identifier)


# Stopped, or deleted


def stop(rds: Clients, plan: Decommission) -> None:
    """Returns once the cluster is stopped. AWS starts it after seven days, and then this is done again."""
    cluster = _retired_primary(rds, plan)
    if cluster is None:
        raise ClusterInUse(f"{plan.cluster.identifier} was deleted by somebody else: there is nothing to stop.")
    if cluster["Status"] == "stopped":
        return
    if cluster["Status"] == "available":
        with not_yet(rds(plan.region), plan.cluster.identifier):
            rds(plan.region).stop_db_cluster(DBClusterIdentifier=plan.cluster.identifier)
    raise ClusterBusy(f"{plan.cluster.identifier} is being stopped.")


def delete(rds: Clients, plan: Decommission) -> None:
    """Returns once the cluster is gone, and with it the parameter groups that a release once made for it.

    Its snapshot was taken before, so RDS need not take another.
    """
    if (cluster := _retired_primary(rds, plan)) is not None:
        delete_cluster(rds(plan.region), cluster)
    try:
        for member in (plan.primary, *plan.secondaries):
            delete_groups_of(rds(member.region), member.identifier)
    except GreenNotGone as error:
        raise ClusterBusy(str(error)) from error
