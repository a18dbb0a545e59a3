"""What green cannot be given, and blue's global database: its Regions, and what will be different for clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import BlueNotFound
from ..model import RELEASE_TAG, Plan, Secondary
from ..rds.aurora import Description, describe_cluster, describe_instances
from ..rds.global_database import Clients, global_cluster_of
from ..rds.mirror import CLUSTER, INSTANCE
from ..rds.mirroring import unmirrored
from ..rds.removal import tags_of
from .findings import Check, Found

OF_TOPOLOGY = (
    Check(
        "limitless-database",
        "blocker",
        "The rows of a sharded table are in shards, which a clone does not have.",
        "use the replication of Aurora Limitless Database",
        name="{name}",
    ),
    Check(
        "outside-a-vpc",
        "blocker",
        "It is reached over the internet without a VPC, and green would not be.",
        "move the applications into the cluster's VPC, and disable its internet access gateway",
        name="{name}",
    ),
    Check(
        "custom-endpoint",
        "warning",
        "It leads to instances of blue, also after the cutover; green has none.",
        "let its clients use the records that move, or aws rds create-db-cluster-endpoint for green after the release",
        name="{name}",
    ),
    Check(
        "managed-master-password",
        "warning",
        "RDS goes on changing the password of blue's master user in blue's secret; green's stays as it was cloned.",
        "after the release: aws rds modify-db-cluster --manage-master-user-password for green, and read the new secret",
        name="{name}",
    ),
    Check(
        "activity-stream",
        "warning",
        "Green has no activity stream: auditing has a gap from the cutover until one is started.",
        "aws rds start-activity-stream for green before the approval; it gets a Kinesis stream of its own",
        name="{name}",
    ),
    Check(
        "tag-of-a-release",
        "warning",
        "A release has made it, or it was tagged by hand: by this tag IAM lets releases change and delete clusters, "
        "and code alone would keep them from this one, which is production.",
        "aws rds remove-tags-from-resource --region {region} --resource-name {arn} --tag-keys {tag}",
        name="{arn}",
    ),
    Check(
        "secondary-out-of-reach",
        "blocker",
        "What blue has there cannot be seen, so green cannot be given the same.",
        "set clusters.{cluster}.secondary_regions in cdk.json, and give the functions' subnets a route out",
        name="{region}: {error}",
    ),
    Check(
        "secondary-not-available",
        "blocker",
        "Blue is in the middle of something in another Region.",
        "wait until it is available",
        name="{name} in {region} is {status}",
    ),
    Check(
        "global-endpoint",
        "warning",
        "It follows the writer inside one global cluster, and green's is another: clients that use it stay at blue, "
        "which refuses them from the freeze on. Whether there are any, RDS does not tell.",
        "let clients use the writer record",
        name="{name}",
    ),
    Check(
        "secondaries-left-out",
        "warning",
        'The input says "globalize": "never", so these Regions have no readers, and nothing to fail over to, once '
        "green is production.",
        "leave globalize out of the input",
        name="{name} in {region}",
    ),
    Check(
        "secondaries-late",
        "note",
        "Green has no secondaries before it is production; until they are made there is nothing to fail over to.",
        "leave globalize out of the input",
        name="{name} in {region}",
    ),
    Check(
        "secondary-version",
        "warning",
        "A secondary has another version than blue. Green's secondaries have green's.",
        "finish the upgrade of blue's global database",
        name="{name} in {region} has {version}, blue {blue}",
    ),
    Check(
        "write-forwarding",
        "warning",
        "Clients write to blue by this secondary. It goes on forwarding to blue, which refuses them from the freeze "
        "on; green's secondary forwards to green.",
        "let these clients find the secondary by a record of this Region that moves with the release",
        name="{name} in {region}",
    ),
    Check(
        "headless-secondary",
        "note",
        "It has no instance, and neither will green's: its lag is only that of the storage.",
        "nothing to do",
        name="{name} in {region}",
    ),
)
"""Asked of RDS in all of blue's Regions."""

_ARNS = ("DBInstanceArn", "GlobalClusterArn", "DBClusterArn")
"""What the ARN is called in the description of an instance, of a global cluster, of a cluster."""

_CHECKS = {check.id: check for check in OF_TOPOLOGY}


def look_at_topology(rds: Clients, plan: Plan) -> list[Found]:
    """Asks RDS about what green is to mirror, in every Region in which blue is."""
    blue = describe_cluster(rds(), plan.blue.identifier)
    if blue is None:
        raise BlueNotFound(f"There is no cluster {plan.blue.identifier}.")
    instances = describe_instances(rds(), plan.blue.identifier)
    found = [*_unmirrored(blue, instances), *_tagged(blue, blue, *instances)]
    if whole := global_cluster_of(rds(), blue["DBClusterArn"]):
        found += _tagged(blue, whole)
        if whole.get("Endpoint"):
            found.append(_found("global-endpoint", plan.blue.identifier, name=whole["Endpoint"]))
        for secondary in plan.secondaries:
            found += _secondary(rds, plan, secondary, blue)
    return found


def _found(check: str, place: str, **row: Any) -> Found:
    return _CHECKS[check].found(place, row)


def _tagged(cluster: Description, *described: Description) -> Iterator[Found]:
    """What belongs to a cluster, itself included, and carries the tag of releases."""
    for each in described:
        if RELEASE_TAG in tags_of(each):
            arn = next(each[key] for key in _ARNS if key in each)
            region = cluster["DBClusterArn"].split(":")[3]
            yield _found("tag-of-a-release", cluster["DBClusterIdentifier"], arn=arn, region=region, tag=RELEASE_TAG)


def _unmirrored(cluster: Description, instances: list[Description]) -> Iterator[Found]:
    name = cluster["DBClusterIdentifier"]
    for check in unmirrored(CLUSTER, cluster):
        yield _found(check, name, name=name)
    for instance in instances:
        for check in unmirrored(INSTANCE, instance):
            yield _found(check, name, name=instance["DBInstanceIdentifier"])


def _secondary(rds: Clients, plan: Plan, secondary: Secondary, blue: Description) -> Iterator[Found]:
    """One of blue's secondaries, and whether it can be seen at all."""
    where = {"name": secondary.identifier, "region": secondary.region}
    try:
        cluster = describe_cluster(rds(secondary.region), secondary.identifier)
        instances = describe_instances(rds(secondary.region), secondary.identifier)
    except (BotoCoreError, ClientError) as error:
        row = {"region": secondary.region, "error": error, "cluster": plan.cluster_name}
        yield _found("secondary-out-of-reach", plan.blue.identifier, **row)
        return
    statuses = [(instance["DBInstanceIdentifier"], instance["DBInstanceStatus"]) for instance in instances]
    for name, status in [(secondary.identifier, cluster["Status"] if cluster else "gone"), *statuses]:
        if status != "available":
            yield _found("secondary-not-available", name, name=name, region=secondary.region, status=status)
    if cluster is None:
        return
    if plan.globalize != "before_cutover":
        late = "secondaries-late" if plan.globalize == "after_cutover" else "secondaries-left-out"
        yield _found(late, plan.blue.identifier, **where)
    if cluster["EngineVersion"] != blue["EngineVersion"]:
        versions = {"version": cluster["EngineVersion"], "blue": blue["EngineVersion"]}
        yield _found("secondary-version", secondary.identifier, **where, **versions)
    if cluster.get("GlobalWriteForwardingRequested"):
        yield _found("write-forwarding", secondary.identifier, **where)
    if not instances:
        yield _found("headless-secondary", secondary.identifier, **where)
    yield from _unmirrored(cluster, instances)
    yield from _tagged(cluster, cluster, *instances)
