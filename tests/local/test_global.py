"""A global database in the embedded Aurora: two Regions, a standby that is real, and RDS's refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.aurora import EmbeddedAurora
from tests.local.test_aurora import cluster_of, error_of, instance_of
from tests.waiting import eventually

HOME, AWAY = "eu-west-2", "eu-west-1"
WHOLE = "shop-global"
NAME = "shop-away"
LAG = "SELECT durability_lag_in_msec FROM aurora_global_db_status() WHERE aws_region = 'eu-west-1'"


@pytest.fixture
def regions(folder: Path, tmp_path: Path) -> Iterator[dict[str, EmbeddedAurora]]:
    with mock_aws():
        made: dict[str, EmbeddedAurora] = {}
        try:
            for region in (HOME, AWAY):
                place = folder / f"{tmp_path.name}-{region}"
                place.mkdir(mode=0o711)
                port = made[HOME].port if made else 0
                made[region] = EmbeddedAurora(place, port, region, latency_s=0.1)
            made[HOME].create_cluster("shop-blue", 16, ["app"])
            yield made
        finally:
            for aurora in made.values():
                aurora.close()


def test_a_secondary_is_a_standby_until_it_is_taken_out(regions: dict[str, EmbeddedAurora]) -> None:
    home, away = (boto3.client("rds", region_name=region) for region in (HOME, AWAY))
    blue = cluster_of(home, "shop-blue")

    def whole() -> dict[str, Any]:
        [found] = away.describe_global_clusters(GlobalClusterIdentifier=WHOLE)["GlobalClusters"]
        return dict(found)

    made = {"GlobalClusterIdentifier": WHOLE, "SourceDBClusterIdentifier": blue["DBClusterArn"]}
    tags = [{"Key": "team", "Value": "shop"}]
    home.create_global_cluster(**made, Tags=tags)
    assert whole()["TagList"] == tags
    assert error_of(lambda: home.create_global_cluster(**made)) == "GlobalClusterAlreadyExistsFault"
    assert cluster_of(home, "shop-blue")["GlobalClusterIdentifier"] == WHOLE
    assert [member["IsWriter"] for member in whole()["GlobalClusterMembers"]] == [True]

    secondary = {
        "DBClusterIdentifier": NAME,
        "Engine": "aurora-postgresql",
        "EngineVersion": blue["EngineVersion"],
        "GlobalClusterIdentifier": WHOLE,
        "Port": blue["Port"],
    }
    elsewhere = error_of(lambda: away.create_db_cluster(**secondary | {"GlobalClusterIdentifier": "nothing"}))
    assert elsewhere == "GlobalClusterNotFoundFault"
    away.create_db_cluster(**secondary)
    eventually(lambda: cluster_of(away, NAME)["Status"] == "available")
    away.create_db_instance(
        DBInstanceIdentifier=f"{NAME}-1",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        DBClusterIdentifier=NAME,
    )
    eventually(lambda: instance_of(away, f"{NAME}-1")["DBInstanceStatus"] == "available")
    primary, standby = regions[HOME].servers["shop-blue"], regions[AWAY].servers[NAME]
    assert standby.address == cluster_of(away, NAME)["Endpoint"] != primary.address
    primary.execute("app", "CREATE TABLE t (i int); INSERT INTO t VALUES (1)")
    eventually(lambda: standby.execute("app", "SELECT to_regclass('t') IS NOT NULL") == [[True]])
    assert standby.execute("app", "SELECT pg_is_in_recovery()") == [[True]]
    eventually(lambda: primary.execute("app", LAG) == [[0.0]])
    assert cluster_of(away, NAME)["DBClusterArn"] in {m["DBClusterArn"] for m in whole()["GlobalClusterMembers"]}

    standby.stop("immediate")
    eventually(lambda: primary.execute("app", LAG) == [])
    standby.start()
    eventually(lambda: primary.execute("app", LAG) == [[0.0]])

    def remove(rds: Any, arn: str) -> None:
        rds.remove_from_global_cluster(GlobalClusterIdentifier=WHOLE, DbClusterIdentifier=arn)

    assert error_of(lambda: remove(home, blue["DBClusterArn"])) == "InvalidGlobalClusterStateFault"
    delete = {"DBClusterIdentifier": NAME, "SkipFinalSnapshot": True}
    assert error_of(lambda: away.delete_db_cluster(**delete)) == "InvalidDBClusterStateFault"
    remove(away, cluster_of(away, NAME)["DBClusterArn"])
    eventually(lambda: len(whole()["GlobalClusterMembers"]) == 1)
    assert standby.execute("app", "INSERT INTO t VALUES (2) RETURNING i") == [[2]]
    assert standby.execute("app", "SELECT i FROM t ORDER BY i") == [[1], [2]]
    delete_whole = {"GlobalClusterIdentifier": WHOLE}
    assert error_of(lambda: home.delete_global_cluster(**delete_whole)) == "InvalidGlobalClusterStateFault"
    remove(home, blue["DBClusterArn"])
    eventually(lambda: whole()["GlobalClusterMembers"] == [])
    home.modify_global_cluster(**delete_whole, DeletionProtection=True)
    assert error_of(lambda: home.delete_global_cluster(**delete_whole)) == "InvalidParameterCombination"
    home.modify_global_cluster(**delete_whole, DeletionProtection=False)
    home.delete_global_cluster(**delete_whole)
    assert error_of(whole) == "GlobalClusterNotFoundFault"
    assert primary.running
