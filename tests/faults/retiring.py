"""What an operator does days after a release: the old production cluster goes, its secondary first."""

from __future__ import annotations

from typing import Any

from local.world import World
from tests.waiting import eventually


def retire(running: World, name: str) -> None:
    """Takes a cluster away, and with it its global cluster, if it is the primary of one."""
    rds = running.emulator.client("rds")
    if running.away:
        _end_global_cluster(rds, running.emulator.client("rds", running.away.region), name)
    _delete(rds, name)


def _end_global_cluster(rds: Any, away: Any, primary: str) -> None:
    """Secondaries leave first; the primary leaves an empty global cluster, which can be deleted."""
    (whole,) = (
        each
        for each in rds.describe_global_clusters()["GlobalClusters"]
        if any(member["IsWriter"] and _name(member) == primary for member in each["GlobalClusterMembers"])
    )
    identifier = whole["GlobalClusterIdentifier"]
    for member in sorted(whole["GlobalClusterMembers"], key=lambda each: bool(each["IsWriter"])):
        arn = member["DBClusterArn"]
        rds.remove_from_global_cluster(GlobalClusterIdentifier=identifier, DbClusterIdentifier=arn)
        eventually(lambda arn=arn: arn not in _members(rds, identifier))  # type: ignore[misc]
        if not member["IsWriter"]:
            _delete(away, _name(member))
    rds.modify_global_cluster(GlobalClusterIdentifier=identifier, DeletionProtection=False)
    rds.delete_global_cluster(GlobalClusterIdentifier=identifier)


def _name(member: dict[str, Any]) -> str:
    return str(member["DBClusterArn"]).rsplit(":", 1)[1]


def _members(rds: Any, identifier: str) -> list[str]:
    (whole,) = rds.describe_global_clusters(GlobalClusterIdentifier=identifier)["GlobalClusters"]
    return [each["DBClusterArn"] for each in whole["GlobalClusterMembers"]]


def _delete(rds: Any, name: str) -> None:
    def there() -> bool:
        return name in [cluster["DBClusterIdentifier"] for cluster in rds.describe_db_clusters()["DBClusters"]]

    def available() -> bool:
        return bool(rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]["Status"] == "available")

    eventually(available)
    rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)
    for instance in rds.describe_db_instances()["DBInstances"]:
        if instance["DBClusterIdentifier"] == name:
            rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    eventually(lambda: not there())
