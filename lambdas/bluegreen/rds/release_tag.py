"""Who carries the tag of releases. Without it IAM keeps every function of a release away from a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from ..model import RELEASE_TAG, Plan
from .aurora import Description, describe_cluster, describe_instances
from .global_database import Clients, describe_global_cluster
from .parameter_groups import groups_of_a_release, hand_over_group
from .removal import Member, tags_of


class Carrier(NamedTuple):
    """A cluster, an instance or a global cluster with the tag."""

    region: str
    """Empty for the function's own."""
    arn: str


def carriers(rds: Clients, clusters: Iterable[Member], global_cluster: str) -> list[Carrier]:
    """Those among these clusters, their instances and their global cluster that carry the tag, and are there.

    global_cluster  its name; empty for none
    """
    whole = describe_global_cluster(rds(), global_cluster) if global_cluster else None
    described = [(member.region, each) for member in clusters for each in _parts(rds(member.region), member.identifier)]
    described += [("", (whole["GlobalClusterArn"], whole))] if whole else []
    return [Carrier(region, arn) for region, (arn, each) in described if RELEASE_TAG in tags_of(each)]


def _parts(rds: Any, identifier: str) -> Iterator[tuple[str, Description]]:
    """A cluster and its instances, by their ARNs."""
    if (cluster := describe_cluster(rds, identifier)) is not None:
        yield cluster["DBClusterArn"], cluster
        for instance in describe_instances(rds, identifier):
            yield instance["DBInstanceArn"], instance


def untag_green(rds: Clients, plan: Plan) -> list[str]:
    """Takes the tag off green, which is production now, in all its Regions; returns what has lost it by this call.

    rds  the clients of green's account

    Parameter groups get another tag first, by which the end of green will delete them. IAM lets the tag be taken, and
    the other be put on, only where it is. So a refusal may mean that another attempt was faster: what counts is that
    nothing is left with it.
    """
    regions = [each.region for each in plan.secondaries] if plan.globalize != "never" else []
    clusters = [Member(region, plan.green_identifier) for region in ("", *regions)]
    refused: ClientError | None = None

    def left() -> tuple[list[Carrier], list[Carrier]]:
        groups = ((each.region, groups_of_a_release(rds(each.region), each.identifier)) for each in clusters)
        return (
            carriers(rds, clusters, plan.green_global_cluster),
            [Carrier(region, arn) for region, arns in groups for arn in arns],
        )

    others, groups = left()
    for region, arn in (*others, *groups):
        try:
            if Carrier(region, arn) in groups:
                hand_over_group(rds(region), plan, arn)
            rds(region).remove_tags_from_resource(ResourceName=arn, TagKeys=[RELEASE_TAG])
        except ClientError as error:
            refused = error
    if refused and any(left()):
        raise refused
    return [arn for _, arn in (*others, *groups)]
