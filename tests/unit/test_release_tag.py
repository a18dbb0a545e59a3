"""The tag of releases, taken off a green that has become production, against moto."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.errors import GreenFailed
from bluegreen.model import RELEASE_TAG, Cluster, Plan, Secondary
from bluegreen.preflight import of_topology
from bluegreen.rds.parameter_groups import (
    MADE_BY_TAG,
    OF_CLUSTERS,
    delete_groups,
    delete_groups_of,
    hand_over_group,
)
from bluegreen.rds.release_tag import carriers, untag_green
from bluegreen.rds.removal import Member, tags_of
from local.aws.seams import rds_global

AWAY = "eu-west-1"
COMMON: dict[str, Any] = {"Engine": "aurora-postgresql"}


@pytest.fixture
def production(rds_of: Any, plan: Plan) -> Plan:
    """A green of two Regions, all of it as a release has made it."""
    rds_global.install()
    tags = [{"Key": "team", "Value": "shop"}, {"Key": RELEASE_TAG, "Value": plan.release_id}]
    name, user = plan.green_identifier, {"MasterUsername": "postgres", "MasterUserPassword": "not-a-secret"}
    made = rds_of().create_db_cluster(DBClusterIdentifier=name, Tags=tags, **COMMON, **user)["DBCluster"]
    rds_of().describe_db_clusters()  # moto lets a cluster become available when it is looked at
    whole = {"GlobalClusterIdentifier": plan.green_global_cluster}
    rds_of().create_global_cluster(**whole, SourceDBClusterIdentifier=made["DBClusterArn"], Tags=tags)
    rds_of(AWAY).create_db_cluster(DBClusterIdentifier=name, Tags=tags, **COMMON, **whole)
    for region in ("", AWAY):
        instance = {"DBInstanceIdentifier": f"{name}-1", "DBClusterIdentifier": name}
        rds_of(region).create_db_instance(**instance, DBInstanceClass="db.r6g.large", Tags=tags, **COMMON)
        family = {"DBParameterGroupFamily": "aurora-postgresql16", "Description": "-"}
        rds_of(region).create_db_cluster_parameter_group(DBClusterParameterGroupName=name, Tags=tags, **family)
    return dataclasses.replace(plan, secondaries=(Secondary(AWAY, "shop-ireland"),))


def tagged(rds_of: Any, plan: Plan) -> list[str]:
    """The kinds of what carries the tag, by Region."""
    members = [Member(region, plan.green_identifier) for region in ("", AWAY)]
    return [f"{region}:{arn.split(':')[5]}" for region, arn in carriers(rds_of, members, plan.green_global_cluster)]


def tags_of_groups(rds_of: Any, plan: Plan) -> list[dict[str, str]]:
    """Those of green's cluster group, by Region."""
    found = []
    for region in ("", AWAY):
        arn = OF_CLUSTERS.find(rds_of(region), plan.green_identifier)
        found.append(rds_of(region).list_tags_for_resource(ResourceName=arn)["TagList"])
    return [{tag["Key"]: tag["Value"] for tag in tags} for tags in found]


def test_production_keeps_its_own_tags_and_its_groups_are_left_to_its_end_alone(rds_of: Any, production: Plan) -> None:
    assert tagged(rds_of, production) == [":cluster", ":db", f"{AWAY}:cluster", f"{AWAY}:db", ":global-cluster"]
    untag_green(rds_of, production)
    assert tagged(rds_of, production) == []
    (cluster,) = rds_of(AWAY).describe_db_clusters()["DBClusters"]
    assert tags_of(cluster) == {"team": "shop"}
    assert tags_of_groups(rds_of, production) == [{"team": "shop", MADE_BY_TAG: production.release_id}] * 2
    with pytest.raises(GreenFailed, match="not touched"):
        delete_groups(rds_of(), production)
    assert untag_green(rds_of, production) == [], "a second time there is nothing to do"


def test_a_release_without_secondaries_asks_no_other_region(rds_of: Any, production: Plan) -> None:
    def here(region: str = "") -> Any:
        assert not region
        return rds_of()

    untag_green(here, dataclasses.replace(production, globalize="never"))
    assert tagged(rds_of, production) == [f"{AWAY}:cluster", f"{AWAY}:db"]


class Refusing:
    """RDS for one who is refused to take tags, as who comes late is."""

    def __init__(self, rds: Any, *, was_late: bool) -> None:
        self._rds, self._was_late = rds, was_late

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rds, name)

    def add_tags_to_resource(self, **request: Any) -> None:
        if self._was_late:
            self._rds.add_tags_to_resource(**request)
            self._rds.remove_tags_from_resource(ResourceName=request["ResourceName"], TagKeys=[RELEASE_TAG])
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AddTagsToResource")

    def remove_tags_from_resource(self, **request: Any) -> None:
        if self._was_late:
            self._rds.remove_tags_from_resource(**request)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "RemoveTagsFromResource")


def test_two_at_once_take_it_off_and_only_a_tag_that_stays_is_an_error(rds_of: Any, production: Plan) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        untag_green(lambda region="": Refusing(rds_of(region), was_late=False), production)
    assert len(tagged(rds_of, production)) == 5
    assert all(RELEASE_TAG in tags for tags in tags_of_groups(rds_of, production))
    untag_green(lambda region="": Refusing(rds_of(region), was_late=True), production)
    assert tagged(rds_of, production) == []
    assert tags_of_groups(rds_of, production) == [{"team": "shop", MADE_BY_TAG: production.release_id}] * 2


def test_a_group_is_handed_over_once_more_after_a_death_between_its_two_tags(rds_of: Any, production: Plan) -> None:
    for region in ("", AWAY):
        group = OF_CLUSTERS.find(rds_of(region), production.green_identifier)
        assert group
        hand_over_group(rds_of(region), production, group)
    untag_green(rds_of, production)
    assert tags_of_groups(rds_of, production) == [{"team": "shop", MADE_BY_TAG: production.release_id}] * 2
    for region in ("", AWAY):
        delete_groups_of(rds_of(region), production.green_identifier)
        assert OF_CLUSTERS.find(rds_of(region), production.green_identifier) is None


def test_production_that_an_earlier_version_has_left_the_tag_is_found_with_what_takes_it_off(
    rds_of: Any, production: Plan
) -> None:
    name = production.green_identifier
    later = dataclasses.replace(
        production, blue=Cluster(name, "-", 5432), secondaries=(Secondary(AWAY, name),), green_identifier="shop-later"
    )
    found = {each for each in of_topology.look_at_topology(rds_of, later) if each.id == "tag-of-a-release"}
    assert {each.name for each in found} == {
        arn
        for _, arn in carriers(rds_of, [Member(region, name) for region in ("", AWAY)], production.green_global_cluster)
    }
    assert len(found) == 5
    assert {each.fix for each in found} == {
        f"aws rds remove-tags-from-resource --region {each.name.split(':')[3] or 'eu-west-2'}"
        f" --resource-name {each.name} --tag-keys bluegreen:release"
        for each in found
    }
    untag_green(rds_of, production)
    assert not [each for each in of_topology.look_at_topology(rds_of, later) if each.id == "tag-of-a-release"]
