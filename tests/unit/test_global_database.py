"""Blue's global database as RDS tells of it, against moto: what is planned, and what is found."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen import planning
from bluegreen.errors import BlueNotFound, BlueUnfit, GreenFailed, InputInvalid, ReplicationLagging
from bluegreen.model import Cluster, Plan, Record, RecordKey, Secondary
from bluegreen.preflight import of_topology
from bluegreen.rds import global_database
from local.aws.seams import rds_global

AWAY = "eu-west-1"
IRELAND = Secondary(AWAY, "shop-ireland")


@pytest.fixture
def blue(rds_of: Any, plan: Plan) -> Plan:
    """A plan of a blue with a secondary, of an older version and without instances."""
    rds_global.install()
    home, away = rds_of(), rds_of(AWAY)
    common = {"Engine": "aurora-postgresql"}
    made = home.create_db_cluster(
        DBClusterIdentifier="shop-blue",
        EngineVersion="16.4",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        **common,
    )["DBCluster"]
    home.describe_db_clusters()  # moto lets a cluster become available when it is looked at
    home.create_global_cluster(GlobalClusterIdentifier="shop-global", SourceDBClusterIdentifier=made["DBClusterArn"])
    away.create_db_cluster(
        DBClusterIdentifier=IRELAND.identifier,
        EngineVersion="16.3",
        GlobalClusterIdentifier="shop-global",
        EnableGlobalWriteForwarding=True,
        **common,
    )
    away.describe_db_clusters()
    return dataclasses.replace(plan, blue_global_cluster="shop-global", secondaries=(IRELAND,), globalize="never")


def found(rds_of: Any, plan: Plan) -> dict[str, str]:
    return {each.id: each.name for each in of_topology.look_at_topology(rds_of, plan)}


def test_members_of_the_global_cluster_are_blues_secondaries(rds_of: Any, blue: Plan) -> None:
    arn = rds_of().describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    whole = global_database.global_cluster_of(rds_of(), arn)
    assert whole
    assert global_database.secondaries_of(whole, arn) == (IRELAND,)
    assert global_database.global_cluster_of(rds_of(), arn + "-unknown") is None


def test_what_will_be_different_for_clients_is_found(rds_of: Any, blue: Plan) -> None:
    where = "shop-ireland in eu-west-1"
    at_first = found(rds_of, blue)
    assert at_first.pop("global-endpoint").startswith("shop-global.")
    assert at_first == {
        "secondaries-left-out": where,
        "secondary-version": f"{where} has 16.3, blue 16.4",
        "write-forwarding": where,
        "headless-secondary": where,
    }
    assert "secondaries-late" in found(rds_of, dataclasses.replace(blue, globalize="after_cutover"))
    rds_of(AWAY).create_db_instance(
        DBInstanceIdentifier="shop-ireland-1",
        DBClusterIdentifier=IRELAND.identifier,
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
    )
    now = found(rds_of, dataclasses.replace(blue, globalize="before_cutover"))
    assert now.keys() == {"global-endpoint", "secondary-version", "write-forwarding"}


def test_a_region_that_cannot_be_read_is_found(rds_of: Any, blue: Plan) -> None:
    def denied(region: str = "") -> Any:
        if region:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeDBClusters")
        return rds_of()

    seen = found(denied, blue)
    assert seen.keys() == {"global-endpoint", "secondary-out-of-reach"}
    assert seen["secondary-out-of-reach"].startswith("eu-west-1: An error occurred (AccessDenied)")
    gone = dataclasses.replace(blue, secondaries=(Secondary(AWAY, "shop-gone"),))
    assert found(rds_of, gone)["secondary-not-available"] == "shop-gone in eu-west-1 is gone"


def test_a_record_of_another_region_needs_a_secondary_there_before_the_cutover() -> None:
    record = Record("Z1", "db-ro.shop.internal", "CNAME", "reader", 60, ("-",), region=AWAY)
    planning._require_regions([record], [AWAY], "before_cutover")
    with pytest.raises(BlueUnfit, match="no secondary cluster"):
        planning._require_regions([record], ["us-east-2"], "before_cutover")
    for late in ("after_cutover", "never"):
        with pytest.raises(InputInvalid, match=r"db-ro\.shop\.internal"):
            planning._require_regions([record], [AWAY], late)


def test_readers_are_asked_for_only_where_records_lead(rds_of: Any, blue: Plan) -> None:
    away = RecordKey("Z1", "db-ro.shop.internal", "CNAME", "reader", region=AWAY)
    assert global_database.blues_readers(rds_of, blue.secondaries, []) == {}
    (reader,) = global_database.blues_readers(rds_of, blue.secondaries, [away]).values()
    assert reader.startswith("shop-ireland.cluster-ro-")
    with pytest.raises(BlueNotFound, match="no reader endpoint"):
        global_database.blues_readers(rds_of, [Secondary(AWAY, "shop-gone")], [away])


def test_a_recovery_does_not_wait_for_a_region_that_does_not_answer(rds_of: Any, blue: Plan) -> None:
    record = Record("Z1", "db-ro.shop.internal", "CNAME", "reader", 60, ("-",), region=AWAY)
    plan = dataclasses.replace(blue, records=(record,), green_identifier=IRELAND.identifier)
    green = Cluster("shop-green", "-", 5432)
    assert global_database.with_secondaries(rds_of, plan, green).secondary_readers.keys() == {AWAY}

    def denied(region: str = "") -> Any:
        assert region == AWAY
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeDBClusters")

    assert global_database.with_secondaries(denied, plan, green).secondary_readers == {}


class Green:
    """Green's databases, of which only the lag of its secondaries is asked."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows

    def on(self, *_: Any) -> Any:
        return dataclasses.make_dataclass("Session", ["query"])(lambda _name: self.rows)


@pytest.mark.parametrize(
    ("rows", "said"),
    [([], "not in step yet"), ([{"region": AWAY, "lag_s": 7.5}], r"7\.50 s behind green, 5\.0 s are allowed")],
)
def test_a_secondary_that_is_behind_is_waited_for(plan: Plan, rows: list[dict[str, Any]], said: str) -> None:
    green: Any = Green(*rows)
    plan = dataclasses.replace(plan, secondaries=(IRELAND,))
    with pytest.raises(ReplicationLagging, match=said):
        global_database.require_small_lag(green, plan, Cluster("shop-green", "-", 5432))


def test_a_secondary_in_step_is_told_of(plan: Plan) -> None:
    green: Any = Green({"region": AWAY, "lag_s": 0.01}, {"region": "us-east-2", "lag_s": 99.0})
    plan = dataclasses.replace(plan, secondaries=(IRELAND,))
    assert global_database.require_small_lag(green, plan, Cluster("shop-green", "-", 5432)) == {AWAY: 0.01}


def test_nothing_is_made_of_a_green_that_is_gone(rds_of: Any, blue: Plan) -> None:
    with pytest.raises(GreenFailed, match=f"{blue.green_identifier} is gone"):
        global_database.create_secondary(rds_of, blue, IRELAND)
    with pytest.raises(GreenFailed, match=f"{blue.green_identifier} is gone"):
        global_database.create_global_cluster(rds_of(), blue)
