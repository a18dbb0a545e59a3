"""The end of green when a release comes to nothing: its secondaries first, then its global cluster, then green."""

from __future__ import annotations

from typing import Any

from .aurora import Description, describe_cluster, describe_instances
from .errors import GreenFailed, GreenNotGone
from .global_database import Clients, describe_global_cluster
from .model import RELEASE_TAG, Plan


def delete_green(rds: Clients, plan: Plan) -> None:
    """Deletes what a release made of clusters; ``GreenNotGone`` until it is gone. All Regions go on side by side.

    Never anything else: each cluster must carry this release's tag, and must not be blue. A secondary leaves the global
    cluster before it is deleted, and the global cluster goes when it is empty (Aurora User Guide, "Deleting an Amazon
    Aurora global database"). A secondary that a late function makes meanwhile keeps its primary from leaving, so it is
    seen the next time; later than that there is no global cluster that it could join.
    """
    left = [each.region for each in plan.secondaries if not _gone(rds(each.region), rds(), plan, each.identifier)]
    if left:
        raise GreenNotGone(f"{plan.green_identifier} is being deleted in {', '.join(left)}.")
    if not _gone(rds(), rds(), plan, plan.blue.identifier):
        raise GreenNotGone(f"{plan.green_identifier} is being deleted.")
    _delete_if_empty(rds(), plan)


def _gone(rds: Any, home: Any, plan: Plan, blues: str) -> bool:
    """Does what can be done now to delete green's cluster of a Region, where blue has ``blues``; whether it is gone."""
    cluster = describe_cluster(rds, plan.green_identifier)
    if cluster is None:
        return True
    _require_ours(plan, plan.green_identifier, cluster, blues)
    gone = rds.exceptions
    try:
        if not _is_leaving(rds, plan, cluster):
            _delete_if_empty(home, plan)
            _delete(rds, plan, cluster)
    except (
        gone.InvalidDBClusterStateFault,
        gone.InvalidGlobalClusterStateFault,
        gone.DBClusterNotFoundFault,
        gone.GlobalClusterNotFoundFault,
        gone.InvalidDBInstanceStateFault,
        gone.DBInstanceNotFoundFault,
    ):  # it is not that far yet, or another attempt does it at the same time
        return False
    return False


def _require_ours(plan: Plan, identifier: str, described: Description, blues: str) -> None:
    tags = {tag["Key"]: tag["Value"] for tag in described.get("TagList", [])}
    if identifier == blues or tags.get(RELEASE_TAG) != plan.release_id:
        raise GreenFailed(f"{identifier} does not carry the tag {RELEASE_TAG}={plan.release_id}: not deleted.")


def _is_leaving(rds: Any, plan: Plan, cluster: Description) -> bool:
    """Takes a cluster out of green's global cluster; whether that is going on."""
    whole = describe_global_cluster(rds, plan.green_global_cluster)
    members = [member["DBClusterArn"] for member in whole["GlobalClusterMembers"]] if whole else []
    if cluster["DBClusterArn"] not in members:
        return False
    rds.remove_from_global_cluster(
        GlobalClusterIdentifier=plan.green_global_cluster, DbClusterIdentifier=cluster["DBClusterArn"]
    )
    return True


def _delete_if_empty(home: Any, plan: Plan) -> None:
    whole = describe_global_cluster(home, plan.green_global_cluster)
    if whole is None or whole["GlobalClusterMembers"]:
        return
    _require_ours(plan, plan.green_global_cluster, whole, plan.blue_global_cluster)
    if whole.get("DeletionProtection"):
        home.modify_global_cluster(GlobalClusterIdentifier=plan.green_global_cluster, DeletionProtection=False)
    home.delete_global_cluster(GlobalClusterIdentifier=plan.green_global_cluster)


def _delete(rds: Any, plan: Plan, green: Description) -> None:
    for instance in describe_instances(rds, plan.green_identifier):
        if instance["DBInstanceStatus"] != "deleting":
            rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"])
    if green["Status"] == "deleting":
        return
    if green.get("DeletionProtection"):
        rds.modify_db_cluster(
            DBClusterIdentifier=plan.green_identifier, DeletionProtection=False, ApplyImmediately=True
        )
    rds.delete_db_cluster(DBClusterIdentifier=plan.green_identifier, SkipFinalSnapshot=True)
