"""Green's global database: a global cluster of its own, with a secondary in every Region in which blue has one.

Everything can be asked again, by another attempt or at the same time: what is there is not made twice. ``NotYet`` is
raised until it is as it has to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import BlueNotFound, GreenFailed, GreenNotReady, ReplicationLagging
from ..model import Cluster, Plan, RecordKey, Secondary
from ..postgres import Databases
from . import mirroring, parameter_groups
from .aurora import Description, describe_cluster, make_instances, require_available, require_mirror
from .engines import target_of
from .sides import Rds


class Clients(Protocol):
    """RDS of a Region, or of the stack's own."""

    def __call__(self, region: str = "") -> Any: ...


def global_cluster_of(rds: Any, cluster_arn: str) -> Description | None:
    """The global cluster that a cluster is a member of."""
    for page in rds.get_paginator("describe_global_clusters").paginate():
        for each in page["GlobalClusters"]:
            if any(member["DBClusterArn"] == cluster_arn for member in each["GlobalClusterMembers"]):
                found: Description = each
                return found
    return None


def describe_global_cluster(rds: Any, identifier: str) -> Description | None:
    """One global cluster, or None when there is none of that name."""
    try:
        found: list[Description] = rds.describe_global_clusters(GlobalClusterIdentifier=identifier)["GlobalClusters"]
    except rds.exceptions.GlobalClusterNotFoundFault:
        return None
    return found[0] if found else None


def secondaries_of(whole: Description, primary_arn: str) -> tuple[Secondary, ...]:
    """The members of a global cluster but its primary, from their ARNs, by Region.

    >>> arns = ["arn:aws:rds:eu-west-2:1:cluster:shop", "arn:aws:rds:eu-west-1:1:cluster:shop-ireland"]
    >>> secondaries_of({"GlobalClusterMembers": [{"DBClusterArn": arn} for arn in arns]}, arns[0])
    (Secondary(region='eu-west-1', identifier='shop-ireland'),)
    """
    arns = [member["DBClusterArn"] for member in whole["GlobalClusterMembers"]]
    parts = [arn.split(":") for arn in arns if arn != primary_arn]
    return tuple(sorted(Secondary(region=each[3], identifier=each[6]) for each in parts))


def blues_readers(rds: Clients, secondaries: Sequence[Secondary], keys: Sequence[RecordKey]) -> dict[str, str]:
    """The reader endpoints of blue's secondaries in the Regions that records lead to."""
    readers = {}
    for secondary in secondaries:
        if any(key.region == secondary.region for key in keys):
            cluster = describe_cluster(rds(secondary.region), secondary.identifier)
            if cluster is None or not cluster.get("ReaderEndpoint"):
                raise BlueNotFound(
                    f"{secondary.identifier} has no reader endpoint in {secondary.region} for the records there."
                )
            readers[secondary.region] = cluster["ReaderEndpoint"]
    return readers


def with_secondaries(rds: Clients, plan: Plan, green: Cluster) -> Cluster:
    """Green with the reader endpoints of its secondaries that records lead to.

    A Region that does not answer is passed over: a recovery must not wait for it, and leaves its records alone.
    """
    readers = {}
    for region in {record.region for record in plan.records if record.region}:
        with suppress(BotoCoreError, ClientError):
            cluster = describe_cluster(rds(region), plan.green_identifier)
            if cluster and cluster.get("ReaderEndpoint"):
                readers[region] = cluster["ReaderEndpoint"]
    return replace(green, secondary_readers=readers)


def create_global_cluster(rds: Any, plan: Plan) -> str:
    """Makes green the primary of a global cluster, protected as blue's; returns its name."""
    blue = describe_cluster(rds, plan.blue.identifier)
    green = describe_cluster(rds, plan.green_identifier)
    if blue is None or green is None:
        raise GreenFailed(f"The cluster {plan.green_identifier if blue else plan.blue.identifier} is gone.")
    whole = describe_global_cluster(rds, plan.green_global_cluster)
    if whole is None:
        theirs = global_cluster_of(rds, blue["DBClusterArn"]) or {}
        try:
            whole = rds.create_global_cluster(
                GlobalClusterIdentifier=plan.green_global_cluster,
                SourceDBClusterIdentifier=green["DBClusterArn"],
                DeletionProtection=bool(theirs.get("DeletionProtection")),
                Tags=mirroring.release_tags(plan),
            )["GlobalCluster"]
        except (
            rds.exceptions.GlobalClusterAlreadyExistsFault,  # by another attempt, at the same time
            rds.exceptions.InvalidDBClusterStateFault,
        ) as error:
            raise GreenNotReady(f"The global cluster {plan.green_global_cluster} is not made yet.") from error
    require_available("Global cluster", plan.green_global_cluster, whole["Status"])
    require_available("Cluster", plan.green_identifier, green["Status"])
    return plan.green_global_cluster


def create_secondary(rds: Clients, plan: Plan, secondary: Secondary) -> None:
    """Makes green's secondary in a Region after blue's there, and its instances as soon as it can take them."""
    there = rds(secondary.region)
    both = Rds.of_one(there)
    made, source = describe_cluster(there, plan.green_identifier), describe_cluster(there, secondary.identifier)
    if source is None:
        raise GreenFailed(f"The cluster {secondary.identifier} is gone.")
    groups: dict[str, str] = {}
    if plan.has_own_groups:
        target = target_of(there, plan, source)
        groups, _ = parameter_groups.make_after(both, plan, source, target.family, with_instances=target.is_major)
    of_instances = groups.pop("DBInstanceParameterGroupName", "")
    if made is None:
        green = describe_cluster(rds(), plan.green_identifier)
        if green is None:
            raise GreenFailed(f"The cluster {plan.green_identifier} is gone.")
        request = mirroring.secondary_request(source, plan, green["EngineVersion"]) | groups
        busy = (there.exceptions.InvalidGlobalClusterStateFault, there.exceptions.InvalidDBClusterStateFault)
        try:
            made = there.create_db_cluster(**request)["DBCluster"]
        except (there.exceptions.DBClusterAlreadyExistsFault, *busy) as error:  # another attempt, or another Region
            raise GreenNotReady(f"The secondary in {secondary.region} cannot be made yet.") from error
    require_available("Cluster", f"{plan.green_identifier} in {secondary.region}", made["Status"])
    with suppress(there.exceptions.DBInstanceAlreadyExistsFault):
        make_instances(both, plan, secondary.identifier, of_instances)


def require_secondary_ready(rds: Clients, plan: Plan, secondary: Secondary) -> str | None:
    """The reader endpoint of green's secondary in a Region, once it is available and as blue's there."""
    made = require_mirror(Rds.of_one(rds(secondary.region)), plan, secondary.identifier)
    return made.get("ReaderEndpoint") or None


def require_small_lag(databases: Databases, plan: Plan, green: Cluster) -> dict[str, float]:
    """Seconds that each of green's secondaries is behind green; raises ``ReplicationLagging`` when that is much.

    Green tells of it (Aurora User Guide, ``aurora_global_db_status``), so that nobody has to connect to other Regions.
    """
    rows = databases.on(green, plan.home).query("global_lag")
    lags: Mapping[str, float] = {row["region"]: row["lag_s"] for row in rows}
    for secondary in plan.secondaries:
        lag_s = lags.get(secondary.region)
        if lag_s is None or lag_s > plan.max_lag_s:
            seconds = "not in step yet" if lag_s is None else f"{lag_s:.2f} s behind green"
            raise ReplicationLagging(
                f"The secondary in {secondary.region} is {seconds}, {plan.max_lag_s} s are allowed."
            )
    return {secondary.region: lags[secondary.region] for secondary in plan.secondaries}
