"""Which cluster a decommission is about, and whether it may go: decided on what is there, before anything is touched.

Safety invariant: a cluster ends only if no record leads to it, no release is under way with it, nobody is connected to
it, and it says itself that another one was opened in its place; or that it is a clone that was never opened. One that
cannot be asked, because it is stopped or has no instances, must have been found so before: it carries the tag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from .. import history, records
from ..errors import BlueNotFound, ClusterBusy, ClusterInUse, ExecutionNotOver, InputInvalid, ReleaseInProgress
from ..freeze_methods import AWS_ROLES
from ..inputs import validated
from ..model import RELEASE_TAG, Cluster
from ..postgres import Databases
from ..rds import aurora
from ..rds.global_database import Clients, global_cluster_of
from ..rds.removal import find_same, secondaries_of, tags_of
from ..session import Session
from .decommission import NO_SNAPSHOT, RETIRED_TAG, Decommission, End, require_not_production

STARTS_WITHIN = timedelta(hours=1)
"""After AWS has said that it is about to start a cluster that has been stopped for seven days."""


EXPECTED = 'Expected {"release_id": "…"} or {"cluster_identifier": "…", "end": "stop"} or "delete".'


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that is asked about a cluster: AWS, the databases, and what the stack is configured for."""

    rds: Clients
    region: str
    route53: Any
    dynamodb: Any
    databases: Databases
    lock_table: str
    release_table: str
    cluster_name: str
    cluster_pattern: str
    home: str
    """The database that holds what concerns the whole cluster, where the release did not say another one."""
    record_keys: Sequence[Mapping[str, Any]]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Wanted:
    identifier: str
    end: End
    home: str
    release_id: str | None
    restarted_at: datetime | None


def plan_decommission(around: Surroundings, asked: Any) -> Decommission | None:
    """What is to be done with which cluster; None when a cluster that AWS has started is not one of ours.

    Touches nothing but the note of it, which is kept: started again, the rest is done also of what has left its global
    cluster, or of a cluster that is gone itself.
    """
    wanted = _wanted(around, validated("decommission", asked, EXPECTED))
    _require_no_deployment(around)
    here = around.rds(around.region)
    cluster = aurora.describe_cluster(here, wanted.identifier)
    noted = history.find_end(around.dynamodb, around.release_table, around.cluster_name, wanted.identifier)
    if wanted.restarted_at and (cluster is None or not _is_restarted(cluster, wanted.restarted_at, around.now)):
        return None
    if cluster is None:
        if noted is None:
            raise BlueNotFound(f"There is no cluster {wanted.identifier} in this Region, and none was ended.")
        return replace(noted, end=wanted.end)
    if not fnmatchcase(wanted.identifier, around.cluster_pattern):
        raise InputInvalid(
            f"{wanted.identifier} does not match {around.cluster_pattern}, the clusters that this stack may touch."
        )
    where = aurora.endpoint(cluster)
    require_not_production(around.route53, around.record_keys, where)
    _require_no_release(around, wanted)
    plan = replace(_judged(around, wanted, cluster, where, noted), end=wanted.end)
    found = global_cluster_of(here, cluster["DBClusterArn"])
    earlier = noted if noted and noted.snapshot_identifier == plan.snapshot_identifier else None
    name = found["GlobalClusterIdentifier"] if found else earlier.global_cluster_identifier if earlier else ""
    members = {(each.region, each.identifier): each for each in (earlier.secondaries if earlier else ())}
    for member in secondaries_of(found, cluster["DBClusterArn"]) if found else ():
        if (secondary := aurora.describe_cluster(around.rds(member.region), member.identifier)) is not None:
            known = replace(member, resource_id=secondary["DbClusterResourceId"])
            members[member.region, member.identifier] = known
    plan = replace(plan, global_cluster_identifier=name, secondaries=tuple(members.values()))
    for member in plan.secondaries:  # also those that have left it
        if (secondary := find_same(around.rds(member.region), member)) is not None:
            require_not_production(around.route53, around.record_keys, aurora.endpoint(secondary))
    history.note_end(around.dynamodb, around.release_table, around.cluster_name, plan)
    return plan


def snapshot_name(identifier: str, now: datetime) -> str:
    """The final snapshot's, 63 characters at most. A cluster that somebody has taken back meanwhile gets a new one.

    >>> snapshot_name("shop-blue", datetime(2026, 11, 23, 4, 5, 6))
    'shop-blue-final-20261123-040506'
    """
    return f"{identifier[:40].rstrip('-')}-final-{now:%Y%m%d-%H%M%S}"


def _wanted(around: Surroundings, asked: Mapping[str, Any]) -> _Wanted:
    if asked.get("cluster", around.cluster_name) != around.cluster_name:
        raise InputInvalid(f"input.cluster must be {around.cluster_name}, whose clusters this state machine ends.")
    at = _time(asked["restarted_at"]) if "restarted_at" in asked else None
    if "cluster_identifier" in asked:
        return _Wanted(asked["cluster_identifier"], asked["end"], around.home, None, at)
    release_id = asked["release_id"]
    completed = history.find(around.dynamodb, around.release_table, around.cluster_name, release_id)
    if completed is None:
        raise BlueNotFound(f"No release {release_id} of {around.cluster_name} was completed: name the cluster itself.")
    end = asked.get("end", completed.plan.blue_end)
    if end == "keep":
        raise InputInvalid(f'Release {release_id} keeps its blue: say what becomes of it, "end": "stop" or "delete".')
    return _Wanted(completed.plan.blue.identifier, end, completed.plan.home, release_id, at)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputInvalid(f"input.restarted_at: there is no time {text}.") from error


def _is_restarted(cluster: aurora.Description, at: datetime, now: datetime) -> bool:
    """Whether AWS has started a cluster that was stopped by us; what is stopped an hour later somebody has stopped."""
    if RETIRED_TAG not in tags_of(cluster):
        return False
    if cluster["Status"] == "stopped":
        if now - at > STARTS_WITHIN:
            return False
        raise ClusterBusy(f"{cluster['DBClusterIdentifier']} is about to be started by AWS.")
    return True


def _require_no_deployment(around: Surroundings) -> None:
    """Functions are replaced meanwhile. One that begins later finds this execution at work, and is refused."""
    if by := records.deployment_under_way(around.dynamodb, around.lock_table, around.cluster_name):
        raise ExecutionNotOver(f"{around.cluster_name} is locked by a {by}.")


def _require_no_release(around: Surroundings, wanted: _Wanted) -> None:
    under_way = records.plan_under_way(around.dynamodb, around.lock_table, around.cluster_name)
    if under_way is None or wanted.identifier not in (under_way.blue.identifier, under_way.green_identifier):
        return
    if under_way.release_id == wanted.release_id:
        raise ExecutionNotOver(f"Release {under_way.release_id} is about to free its lock.")
    raise ReleaseInProgress(
        f"{wanted.identifier} is part of the release by {under_way.execution_arn}. Wait for it to end, or reject it."
    )


def _judged(
    around: Surroundings, wanted: _Wanted, cluster: aurora.Description, where: Cluster, noted: Decommission | None
) -> Decommission:
    """The plan of a cluster that may go. Raises ``ClusterInUse`` saying why it may not.

    noted  its end so far. It knows the release also of one that cannot be asked, and lost the tag when it was opened
    """
    tags = tags_of(cluster)
    instances = aurora.describe_instances(around.rds(around.region), wanted.identifier)
    if cluster["Status"] == "available" and any(each["DBInstanceStatus"] == "available" for each in instances):
        release_id, is_clone = _says(around, wanted, tags, where)
    elif cluster["Status"] not in ("available", "stopped", "deleting"):
        raise ClusterBusy(f"{wanted.identifier} is {cluster['Status']}.")
    elif RETIRED_TAG not in tags:
        raise ClusterInUse(
            f"{wanted.identifier} is {cluster['Status']} and no instance of it is available: it cannot be asked"
            " whether it was replaced. Start it, or give it an instance, then start this again."
        )
    else:
        known = noted.release_id if noted and noted.snapshot_identifier == tags[RETIRED_TAG] else ""
        release_id, is_clone = wanted.release_id or known or tags.get(RELEASE_TAG, ""), False
    snapshot = NO_SNAPSHOT if is_clone else tags.get(RETIRED_TAG, snapshot_name(wanted.identifier, around.now))
    return Decommission(
        release_id, around.region, where, wanted.end, snapshot, "", resource_id=cluster["DbClusterResourceId"]
    )


def _says(around: Surroundings, wanted: _Wanted, tags: Mapping[str, str], where: Cluster) -> tuple[str, bool]:
    """The release that replaced this cluster, or made it, and whether it is a clone that was never opened."""
    home = around.databases.find(where, wanted.home)
    if home is None or not home.query("schema_made_by"):
        raise ClusterInUse(
            f"No release has replaced {wanted.identifier}: its database {wanted.home} has no record of one."
        )
    last, made_by = home.query("last_switchover"), tags.get(RELEASE_TAG)
    if last and last[0]["is_replaced"]:
        release_id = last[0]["release_id"]
        if wanted.release_id not in (None, release_id):
            raise ClusterInUse(f"{wanted.identifier} was replaced by release {release_id}, not by {wanted.release_id}.")
        said = release_id, False
    elif made_by and home.one("never_opened", release_id=made_by)["never_opened"]:
        said = made_by, True
    else:
        raise ClusterInUse(f"{wanted.identifier} is not fenced: no release has opened another cluster in its place.")
    _require_nobody(home, wanted.identifier)
    return said


def _require_nobody(home: Session, identifier: str) -> None:
    if sessions := home.query("sessions_of_others", aws_roles=list(AWS_ROLES)):
        names = ", ".join(f"process {row['pid']} of {row['role']} in {row['database']}" for row in sessions[:5])
        raise ClusterInUse(f"Somebody uses {identifier}: {names}. End these sessions, then start this again.")
