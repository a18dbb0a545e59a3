"""What RDS and EC2 say about blue, against moto."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from bluegreen.model import Plan
from bluegreen.preflight import rds as of_rds
from bluegreen.preflight.catalogue import BY_ID, OF_RDS
from bluegreen.rds import aurora
from local.aws.seams import rds_answers

PORT = 6432
Look = Callable[[], dict[str, list[str]]]


@pytest.fixture
def look(rds: Any, plan: Plan) -> Look:
    """Makes blue, of two instances, and looks: names of objects by finding."""
    rds_answers.install()
    rds.create_db_cluster(
        DBClusterIdentifier="shop-blue",
        Engine="aurora-postgresql",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
    )
    for number in (1, 2):
        rds.create_db_instance(
            DBInstanceIdentifier=f"shop-blue-{number}",
            DBClusterIdentifier="shop-blue",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )

    def found() -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for each in of_rds.look_at_cluster(rds, None, plan):
            assert BY_ID[each.id] in OF_RDS
            result.setdefault(each.id, []).append(f"{each}; {each.fix}")
        return result

    return found


def described(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any], instance: dict[str, Any]) -> None:
    """Lets RDS describe blue and its first instance with these values, which moto never has."""
    describe, instances = aurora.describe_cluster, aurora.describe_instances

    def one(rds: Any, identifier: str) -> Any:
        return (describe(rds, identifier) or {}) | cluster

    def all_of(rds: Any, identifier: str) -> Any:
        first, *others = instances(rds, identifier)
        return [first | instance, *others]

    monkeypatch.setattr(of_rds, "describe_cluster", one)
    monkeypatch.setattr(of_rds, "describe_instances", all_of)


def test_an_ordinary_cluster_has_no_findings(look: Look) -> None:
    assert look() == {}


def test_what_blue_is_doing_and_about_to_do_is_found(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [{"DBInstanceIdentifier": "shop-blue-1", "DBClusterParameterGroupStatus": "pending-reboot"}]
    described(
        monkeypatch,
        {
            "PendingModifiedValues": {"MasterUserPassword": "s3cret", "EngineVersion": "17.4"},
            "DBClusterMembers": members,
        },
        {
            "DBInstanceStatus": "backing-up",
            "PendingModifiedValues": {"DBInstanceClass": "db.r8g.large"},
            "DBParameterGroups": [{"DBParameterGroupName": "mine", "ParameterApplyStatus": "pending-reboot"}],
        },
    )
    found = look()
    reboot = "aws rds reboot-db-instance --db-instance-identifier shop-blue-1"
    assert [each.split("; ")[1] for each in found["pending-reboot"]] == [reboot, reboot]
    assert found["instance-not-available"][0].startswith("shop-blue: shop-blue-1 is backing-up")
    assert [each.split("; ")[0] for each in found["pending-change"]] == [
        "shop-blue: shop-blue: EngineVersion, MasterUserPassword",
        "shop-blue: shop-blue-1: DBInstanceClass",
    ]
    assert found.keys() == {"pending-reboot", "instance-not-available", "pending-change"}


def test_another_blue_green_deployment_is_found_until_it_is_over(rds: Any, look: Look) -> None:
    source = rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    made = rds.create_blue_green_deployment(BlueGreenDeploymentName="theirs", Source=source)["BlueGreenDeployment"]
    (found,) = look()["other-blue-green-deployment"]
    identifier = made["BlueGreenDeploymentIdentifier"]
    assert found.startswith(f"shop-blue: {identifier} is AVAILABLE; aws rds delete-blue-green-deployment")
    rds.delete_blue_green_deployment(BlueGreenDeploymentIdentifier=identifier)
    assert look() == {}


def test_a_sixteenth_clone_and_a_quota_that_is_used_up_are_found(
    rds: Any, look: Look, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    clones = [f"shop-{number:02}" for number in range(16)]

    class Clones:
        """moto knows no clone groups."""

        def paginate(self, **_: Any) -> list[dict[str, Any]]:
            names = [*clones, "another"]
            return [{"DBClusters": [{"DBClusterIdentifier": n, "CloneGroupId": f"of {n[:4]}"} for n in names]}]

    only = dataclasses.make_dataclass("Only", ["get_paginator"])(lambda _operation: Clones())
    blue = {"DBClusterIdentifier": "shop-blue", "CloneGroupId": "of shop"}
    (found,) = of_rds._clones(only, blue)
    assert found.name == ", ".join(clones)
    del clones[0]
    assert list(of_rds._clones(only, blue)) == []
    monkeypatch.setitem(rds_answers.QUOTAS, "DBInstances", 3)
    (over,) = look()["quota-reached"]
    assert "DBInstances: 2 of 3 are used; 2 are needed" in over
    monkeypatch.setitem(rds_answers.QUOTAS, "DBInstances", 4)
    assert look() == {}


def test_classes_that_are_not_offered_any_more_or_are_throttled_are_found(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    described(monkeypatch, {"EngineVersion": "17.4"}, {"DBInstanceClass": "db.t4g.medium"})
    throttled = "shop-blue: db.t4g.medium of shop-blue-1"
    assert [each.split("; ")[0] for each in look()["burstable-class"]] == [throttled]
    monkeypatch.setattr(rds_answers, "NOT_OFFERED", {"db.r6g.large"})
    found = look()
    assert found.keys() == {"class-not-offered", "burstable-class"}
    (gone,) = found["class-not-offered"]
    assert gone.startswith("shop-blue: db.r6g.large of shop-blue-2, with 17.4; move blue to a class")
    assert gone.endswith("--engine aurora-postgresql --engine-version 17.4")


def test_maintenance_is_found_once_it_has_a_date(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = "arn:aws:rds:eu-west-2:123456789012:db:shop-blue-1"
    undated = {"Action": "os-upgrade"}
    dated = {"Action": "system-update", "AutoAppliedAfterDate": datetime(2026, 11, 30, 3, 4, tzinfo=UTC)}
    resource = {"ResourceIdentifier": arn, "PendingMaintenanceActionDetails": [undated, dated]}
    monkeypatch.setattr(rds_answers, "DUE", [resource])
    found = look()["pending-maintenance"]
    assert {each.split("; ")[0] for each in found} == {"shop-blue-1: system-update on 2026-11-30 03:04"}
    assert f"--resource-identifier {arn} --apply-action system-update" in found[0]


def rule(**source: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT} | source


def test_rules_that_do_not_let_green_in_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one: moto's EC2 takes seconds to begin."""
    monkeypatch.setattr(of_rds, "addresses", lambda _host: ("10.0.0.7",))
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="database", Description="-", VpcId=vpc)["GroupId"]
    ours = {"UserIdGroupPairs": [{"GroupId": group}]}
    blue = {"DBClusterIdentifier": "shop-blue", "Endpoint": "shop-blue", "Port": PORT}
    blue |= {"VpcSecurityGroups": [{"VpcSecurityGroupId": group}]}
    assert list(of_rds._security_groups(ec2, blue)) == [], "no rule at all: they are somebody else's"
    for each, admits in (
        (rule(**ours), True),
        (ours | {"IpProtocol": "-1"}, True),
        (rule(IpRanges=[{"CidrIp": "10.0.0.0/24"}]), True),
        (rule(**ours) | {"FromPort": 5432, "ToPort": 5432}, False),
        (rule(IpRanges=[{"CidrIp": "10.9.0.0/16"}]), False),
        (rule(Ipv6Ranges=[{"CidrIpv6": "::/0"}]), False),
    ):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[each])
        found = [one.fix for one in of_rds._security_groups(ec2, blue)]
        command = f"authorize-security-group-ingress --group-id {group} --protocol tcp --port {PORT} --source-group"
        assert found == [] if admits else [f"aws ec2 {command} {group}"], each
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[each])
