"""The requests that clone blue, against moto's RDS."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import pytest

from bluegreen.ending.decommission import RETIRED_TAG
from bluegreen.errors import BlueNotFound, GreenFailed, GreenNotGone, GreenNotReady
from bluegreen.model import RELEASE_TAG, Plan
from bluegreen.rds import aurora, cloning, mirroring, removal
from bluegreen.rds.sides import Rds


@pytest.fixture
def blue(rds: Any, plan: Plan) -> aurora.Description:
    """A blue whose every setting differs from RDS's default."""
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName="shop-blue", DBParameterGroupFamily="aurora-postgresql16", Description="-"
    )
    rds.create_db_cluster(
        DBClusterIdentifier="shop-blue",
        Engine="aurora-postgresql",
        EngineVersion="16.4",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        DBClusterParameterGroupName="shop-blue",
        Port=6432,
        EnableIAMDatabaseAuthentication=True,
        DeletionProtection=True,
        EnableCloudwatchLogsExports=["postgresql"],
        Tags=[
            {"Key": "team", "Value": "shop"},
            {"Key": RELEASE_TAG, "Value": "an earlier one"},
            {"Key": RETIRED_TAG, "Value": "once"},
        ],
    )
    for number, tier in ((1, 0), (2, 3)):
        rds.create_db_instance(
            DBInstanceIdentifier=f"shop-blue-{number}",
            DBClusterIdentifier="shop-blue",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            PromotionTier=tier,
        )
    return rds.describe_db_clusters(DBClusterIdentifier="shop-blue")["DBClusters"][0]  # type: ignore[no-any-return]


def make_green(rds: Any, plan: Plan) -> aurora.Description:
    with suppress(GreenNotReady):  # the answer to the request says creating
        cloning.clone_blue(Rds.of_one(rds), plan)
    cloning.clone_blue(Rds.of_one(rds), plan)
    return rds.describe_db_clusters(DBClusterIdentifier=plan.green_identifier)["DBClusters"][0]  # type: ignore[no-any-return]


def test_the_clone_request_passes_what_rds_would_set_to_a_default(blue: aurora.Description, plan: Plan) -> None:
    request = mirroring.clone_request(blue, plan)
    assert request["RestoreType"] == "copy-on-write"
    assert request["SourceDBClusterIdentifier"] == "shop-blue"
    assert request["DBClusterParameterGroupName"] == "shop-blue"
    assert request["Port"] == 6432
    assert request["EnableIAMDatabaseAuthentication"] is True
    assert request["DeletionProtection"] is True
    assert request["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert request["Tags"] == [{"Key": "team", "Value": "shop"}, {"Key": RELEASE_TAG, "Value": plan.release_id}]
    assert "RestoreToTime" not in request, "not allowed with copy-on-write"


def test_green_gets_an_instance_for_each_of_blue_with_class_and_tier(
    rds: Any, blue: aurora.Description, plan: Plan
) -> None:
    make_green(rds, plan)
    instances = aurora.describe_instances(rds, plan.green_identifier)
    assert {(i["DBInstanceIdentifier"], i["DBInstanceClass"], i["PromotionTier"]) for i in instances} == {
        (f"{plan.green_identifier}-1", "db.r6g.large", 0),
        (f"{plan.green_identifier}-2", "db.r6g.large", 3),
    }


def test_cloning_twice_makes_one_green(rds: Any, blue: aurora.Description, plan: Plan) -> None:
    first = make_green(rds, plan)
    assert make_green(rds, plan)["DbClusterResourceId"] == first["DbClusterResourceId"]
    assert len(rds.describe_db_clusters()["DBClusters"]) == 2
    assert len(rds.describe_db_instances()["DBInstances"]) == 4


def test_green_is_ready_only_when_cluster_and_instances_are(
    rds: Any, blue: aurora.Description, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_green(rds, plan)
    assert aurora.require_green_ready(Rds.of_one(rds), plan).identifier == plan.green_identifier
    described = aurora.describe_instances(rds, plan.green_identifier)
    for status, error in (("creating", GreenNotReady), ("incompatible-parameters", GreenFailed)):
        waiting = [described[0], described[1] | {"DBInstanceStatus": status}]
        monkeypatch.setattr(aurora, "describe_instances", lambda *_, waiting=waiting: waiting)
        with pytest.raises(error, match=status):
            aurora.require_green_ready(Rds.of_one(rds), plan)


def test_a_reader_record_needs_a_green_with_a_reader_endpoint(
    rds: Any, blue: aurora.Description, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_green(rds, plan)
    reader = dataclasses.replace(plan.records[0], name="db-ro.shop.internal", endpoint="reader")
    plan = dataclasses.replace(plan, records=(plan.records[0], reader))
    green = aurora.describe_cluster(rds, plan.green_identifier)
    assert green
    assert aurora.require_green_ready(Rds.of_one(rds), plan).reader_host == green.pop("ReaderEndpoint")
    monkeypatch.setattr(aurora, "describe_cluster", lambda *_: green)
    with pytest.raises(GreenFailed, match=r"no reader endpoint for the record db-ro\.shop\.internal"):
        aurora.require_green_ready(Rds.of_one(rds), plan)


def test_blue_is_found_by_the_endpoint_that_the_record_holds(rds: Any, blue: aurora.Description) -> None:
    found = aurora.cluster_at(rds, blue["Endpoint"].upper() + ".")
    assert found["DBClusterIdentifier"] == "shop-blue"
    with pytest.raises(BlueNotFound, match=r"elsewhere\.example\.com"):
        aurora.cluster_at(rds, "elsewhere.example.com")


def test_green_is_deleted_with_its_instances_and_blue_is_not(
    rds: Any, rds_of: Any, blue: aurora.Description, plan: Plan
) -> None:
    make_green(rds, plan)
    with pytest.raises(GreenNotGone):
        removal.delete_green(rds_of, plan)
    removal.delete_green(rds_of, plan)
    assert [cluster["DBClusterIdentifier"] for cluster in rds.describe_db_clusters()["DBClusters"]] == ["shop-blue"]
    assert len(aurora.describe_instances(rds, "shop-blue")) == 2


def test_a_cluster_without_this_releases_tag_is_never_deleted(
    rds: Any, rds_of: Any, blue: aurora.Description, plan: Plan
) -> None:
    for named in ("shop-blue", plan.green_identifier):
        wrong = dataclasses.replace(plan, green_identifier=named)
        if named != "shop-blue":
            make_green(rds, dataclasses.replace(plan, release_id="20261123-0405-000000"))
        with pytest.raises(GreenFailed, match="not deleted"):
            removal.delete_green(rds_of, wrong)
    assert len(rds.describe_db_clusters()["DBClusters"]) == 2
