"""A green in another account, against moto's accounts: who makes what where, and what is found beforehand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from bluegreen import evidence
from bluegreen.accounts import GreenAccount
from bluegreen.assumed_role import session_in
from bluegreen.errors import GreenFailed, GreenNotGone, GreenNotReady
from bluegreen.model import RELEASE_TAG, Cluster, Plan
from bluegreen.preflight import of_account
from bluegreen.preflight.catalogue import BY_ID
from bluegreen.rds import aurora, cloning, mirror, mirroring, parameter_groups, removal, upgrade
from bluegreen.rds.sides import Rds
from local.aws.seams import rds_answers
from local.aws.seams.patching import Seams
from local.aws.seams.rds_engines import versions
from local.aws.seams.rds_shared import SharedClusters
from tests.unit.conftest import REGION
from tests.unit.test_entry import entry as entry

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/bluegreen-shop-green"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/blues"
ACCOUNT = GreenAccount(
    role_arn=ROLE,
    db_subnet_group="green-subnets",
    security_group_ids=("sg-0f00", "sg-0f01"),
    cidr_blocks=("10.1.0.0/24",),
    associated_roles={"s3Import": f"arn:aws:iam::{OTHER}:role/import"},
)


@pytest.fixture
def plan(plan: Plan) -> Plan:
    return dataclasses.replace(plan, green_account=ACCOUNT)


@pytest.fixture
def there(plan: Plan) -> Any:
    """RDS of the other account, by the role."""
    return session_in(ROLE, "", plan.release_id, boto3.client("sts")).client("rds")


@pytest.fixture
def shared() -> Iterator[SharedClusters]:
    rds_answers.install()
    clusters = SharedClusters()
    with Seams() as seams:
        clusters.install(seams)
        yield clusters


@pytest.fixture
def blue(rds: Any, there: Any, shared: SharedClusters) -> aurora.Description:
    """A blue that has something of its account wherever it can; shared, and green's account has what it needs."""
    family = {"DBParameterGroupFamily": "aurora-postgresql16", "Description": "-"}
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="shop-blue", **family)
    replication = {"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="shop-blue", Parameters=[replication])
    rds.create_db_parameter_group(DBParameterGroupName="shop-blue", **family)
    rds.create_db_cluster(
        DBClusterIdentifier="shop-blue",
        Engine="aurora-postgresql",
        EngineVersion="16.1",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        DBClusterParameterGroupName="shop-blue",
        VpcSecurityGroupIds=["sg-0b00"],
        StorageEncrypted=True,
        KmsKeyId=KEY,
        Port=6432,
    )
    rds.add_role_to_db_cluster(
        DBClusterIdentifier="shop-blue", RoleArn="arn:aws:iam::123456789012:role/import", FeatureName="s3Import"
    )
    for number in (1, 2):
        rds.create_db_instance(
            DBInstanceIdentifier=f"shop-blue-{number}",
            DBClusterIdentifier="shop-blue",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            DBParameterGroupName="shop-blue",
            AvailabilityZone=f"{REGION}b",
        )
    described = rds.describe_db_clusters(DBClusterIdentifier="shop-blue")["DBClusters"][0]
    shared.share(described["DBClusterArn"], OTHER)
    subnets = session_in(ROLE, "", "setup", boto3.client("sts")).client("ec2").describe_subnets()["Subnets"]
    there.create_db_subnet_group(
        DBSubnetGroupName=ACCOUNT.db_subnet_group,
        DBSubnetGroupDescription="-",
        SubnetIds=[each["SubnetId"] for each in subnets],
    )
    return described  # type: ignore[no-any-return]


def make_green(rds: Rds, plan: Plan) -> Cluster:
    for ask in (cloning.clone_blue, aurora.require_green_ready):
        for _ in range(3):
            with suppress(GreenNotReady):
                made = ask(rds, plan)
                break
    return made


def names(rds: Any) -> set[str]:
    return {cluster["DBClusterIdentifier"] for cluster in rds.describe_db_clusters()["DBClusters"]}


@pytest.mark.usefixtures("blue")
def test_green_is_made_in_its_account_and_nothing_in_blues(rds: Any, there: Any, plan: Plan) -> None:
    make_green(Rds(rds, there), plan)
    assert (names(rds), names(there)) == ({"shop-blue"}, {plan.green_identifier})
    assert len(rds.describe_db_instances()["DBInstances"]) == 2
    green = there.describe_db_clusters()["DBClusters"][0]
    assert green["DBClusterArn"].split(":")[4] == OTHER
    assert green["Port"] == 6432
    instances = there.describe_db_instances()["DBInstances"]
    assert [each["DBInstanceIdentifier"] for each in instances] == [f"{plan.green_identifier}-{n}" for n in (1, 2)]


def test_what_names_something_of_an_account_is_green_accounts(
    rds: Any, there: Any, plan: Plan, blue: aurora.Description
) -> None:
    sent: list[dict[str, Any]] = []
    there.meta.events.register("provide-client-params.rds.*", lambda params, **_: sent.append(dict(params)))
    make_green(Rds(rds, there), plan)
    restore = next(each for each in sent if "SourceDBClusterIdentifier" in each)
    expected = {
        "DBClusterIdentifier": plan.green_identifier,
        "SourceDBClusterIdentifier": blue["DBClusterArn"],
        "RestoreType": "copy-on-write",
        "DBClusterParameterGroupName": f"{plan.green_identifier}-clone",
        "DBSubnetGroupName": "green-subnets",
        "VpcSecurityGroupIds": ["sg-0f00", "sg-0f01"],
        "KmsKeyId": KEY,
    }
    assert {key: restore[key] for key in expected} == expected
    own = mirroring.clone_request(
        blue, dataclasses.replace(plan, green_account=dataclasses.replace(ACCOUNT, kms_key_id="own"))
    )
    assert own["KmsKeyId"] == "own"
    first = next(each for each in sent if "DBInstanceClass" in each)
    assert first["DBParameterGroupName"] == f"{plan.green_identifier}-clone"
    assert "AvailabilityZone" not in first, "a zone's name is another zone in another account"
    green = there.describe_db_clusters()["DBClusters"][0]
    assert [role["RoleArn"] for role in green["AssociatedRoles"]] == [f"arn:aws:iam::{OTHER}:role/import"]
    assert mirroring.settle(there, plan, blue, green) == [], "there is nothing left to be given"


@pytest.mark.usefixtures("blue")
def test_green_begins_with_groups_that_say_what_blues_do(rds: Any, there: Any, plan: Plan) -> None:
    make_green(Rds(rds, there), plan)
    name = f"{plan.green_identifier}-clone"
    assert parameter_groups.OF_CLUSTERS.set_by_user(there, name) == {"rds.logical_replication": "1"}
    assert parameter_groups.OF_CLUSTERS.family(there, name) == "aurora-postgresql16"
    assert parameter_groups.OF_CLUSTERS.find(rds, name) is None


@pytest.mark.usefixtures("blue")
def test_an_upgrade_gives_green_groups_of_its_account_after_blues(rds: Any, there: Any, plan: Plan) -> None:
    plan = dataclasses.replace(plan, engine_version=versions()[18])
    both = Rds(rds, there)
    make_green(both, plan)
    done = upgrade.upgrade_green(both, plan, sleep=lambda _: None)
    assert done["group"] == plan.green_identifier
    kind = parameter_groups.OF_CLUSTERS
    assert kind.family(there, plan.green_identifier) == "aurora-postgresql18"
    assert kind.set_by_user(there, plan.green_identifier) == {"rds.logical_replication": "1"}
    assert kind.find(rds, plan.green_identifier) is None


@pytest.mark.usefixtures("blue")
def test_an_abandoned_green_is_deleted_in_its_account_with_its_groups_and_blue_is_not(
    rds: Any, there: Any, plan: Plan
) -> None:
    make_green(Rds(rds, there), plan)
    with pytest.raises(GreenNotGone):
        removal.delete_green(lambda _region="": there, plan)
    removal.delete_green(lambda _region="": there, plan)
    parameter_groups.delete_groups(there, plan)
    parameter_groups.delete_groups(there, plan)
    assert (names(rds), names(there)) == ({"shop-blue"}, set())
    for kind in (parameter_groups.OF_CLUSTERS, parameter_groups.OF_INSTANCES):
        assert kind.find(there, f"{plan.green_identifier}-clone") is None
        assert kind.find(rds, "shop-blue")


@pytest.mark.usefixtures("blue")
def test_a_cluster_of_the_other_account_without_this_releases_tag_is_never_deleted(there: Any, plan: Plan) -> None:
    there.create_db_cluster(
        DBClusterIdentifier=plan.green_identifier,
        Engine="aurora-postgresql",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        Tags=[{"Key": RELEASE_TAG, "Value": "another"}],
    )
    with pytest.raises(GreenFailed, match="not deleted"):
        removal.delete_green(lambda _region="": there, plan)


def test_a_blue_that_is_not_shared_cannot_be_cloned(rds: Any, there: Any, plan: Plan, blue: Any) -> None:
    unknown = dataclasses.replace(plan, blue=Cluster("shop-other", "-", 0))
    rds.create_db_cluster(
        DBClusterIdentifier="shop-other",
        Engine="aurora-postgresql",
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
    )
    with pytest.raises(ClientError) as refused:
        there.restore_db_cluster_to_point_in_time(
            **mirroring.clone_request(aurora.describe_cluster(rds, "shop-other") or {}, unknown)
            | {"DBSubnetGroupName": ACCOUNT.db_subnet_group}
        )
    assert refused.value.response["Error"]["Code"] == "DBClusterNotFoundFault"


# The role


class Sts:
    """Gives credentials that are good for so long, and remembers who asked."""

    def __init__(self, good_for: timedelta) -> None:
        self.good_for, self.asked = good_for, list[dict[str, str]]()

    def assume_role(self, **request: str) -> dict[str, Any]:
        self.asked.append(request)
        number = len(self.asked)
        return {
            "Credentials": {
                "AccessKeyId": f"key-{number}",
                "SecretAccessKey": "-",
                "SessionToken": "-",
                "Expiration": datetime.now(UTC) + self.good_for,
            }
        }


@pytest.mark.parametrize(("good_for", "times"), [(timedelta(hours=1), 1), (timedelta(seconds=1), 2)])
def test_the_role_is_assumed_in_the_releases_name_and_again_when_its_credentials_end(
    plan: Plan, good_for: timedelta, times: int
) -> None:
    sts = Sts(good_for)
    credentials = session_in(ROLE, "shop-green", plan.release_id, sts).get_credentials()
    assert sts.asked == [], "nothing is asked before it is needed"
    for _ in range(2):
        key = credentials.get_frozen_credentials().access_key
    assert key == f"key-{times}"
    assert sts.asked == times * [
        {"RoleArn": ROLE, "RoleSessionName": plan.release_id, "ExternalId": "shop-green"},
    ]


def test_a_handler_acts_on_green_by_the_role_and_on_blue_by_itself(
    entry: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREEN_ROLE_ARN", ROLE)
    both = entry.both_rds(plan)
    made = {"Engine": "aurora-postgresql", "MasterUsername": "postgres", "MasterUserPassword": "not-a-secret"}
    for client, account in ((both.blue, "123456789012"), (both.green, OTHER)):
        cluster = client.create_db_cluster(DBClusterIdentifier="shop-any", **made)["DBCluster"]
        assert cluster["DBClusterArn"].split(":")[4] == account
    assert entry.greens_rds(plan)() is both.green, "one session serves all calls of a release"
    alike = entry.both_rds(dataclasses.replace(plan, green_account=None))
    assert alike.blue is alike.green


# What is known beforehand


def test_the_account_travels_in_the_plan(plan: Plan) -> None:
    assert Plan.of({"plan": json.loads(json.dumps(plan.to_state()))}) == plan


def test_the_approver_is_told_of_the_account(plan: Plan) -> None:
    green = Cluster("shop-green", "green.example", 5432)
    line = "To (green):   shop-green at green.example:5432"
    assert evidence.green_lines(plan, green) == [line, f"              in account {OTHER}"]
    assert evidence.green_lines(dataclasses.replace(plan, green_account=None), green) == [line]


def test_every_attribute_that_names_something_of_an_account_says_what_stands_for_it_elsewhere() -> None:
    ours = ("Arn", "KMSKey", "KmsKey", "Group", "Role", "Domain", "Zone", "MonitoringInterval")
    for ways in (mirror.CLUSTER, mirror.INSTANCE):
        for name, way in ways.items():
            if isinstance(way, mirror.Passed | mirror.Added):
                assert bool(way.elsewhere) == any(part in name for part in ours), name


Look = Callable[..., dict[str, str]]


@pytest.fixture
def look(rds: Any, there: Any, plan: Plan, blue: aurora.Description) -> Look:
    """Looks at both accounts: names of objects by finding."""

    def refuse(**_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeKey")

    def found(
        account: GreenAccount = ACCOUNT, ec2: Any = None, green: Any = there, *, knows_key: bool = True
    ) -> dict[str, str]:
        kms = SimpleNamespace(describe_key=(lambda **_: {}) if knows_key else refuse)
        asked = dataclasses.replace(plan, green_account=account)
        objects = of_account.look_at_account(Rds(rds, green), ec2 or Rules(), lambda: kms, asked)
        return {each.id: each.name for each in objects}

    return found


class Rules:
    """EC2, which knows these rules of blue's security groups."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.rules = [
            {"IsEgress": False, "IpProtocol": "tcp", "FromPort": 6432, "ToPort": 6432, **rule} for rule in rules
        ]

    def get_paginator(self, _operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [{"SecurityGroupRules": self.rules}])


def test_nothing_is_found_where_everything_is_prepared(look: Look) -> None:
    assert look() == {}
    assert look(ec2=Rules({"CidrIpv4": "10.0.0.0/8"})) == {}


def test_what_is_missing_in_the_account_is_found(look: Look) -> None:
    account = dataclasses.replace(ACCOUNT, db_subnet_group="unknown", associated_roles={})
    assert look(account, knows_key=False).keys() == {"account-lacks-subnet-group", "key-not-shared", "lost-in-account"}
    assert look(account)["lost-in-account"] == "AssociatedRoles of shop-blue"
    assert all(BY_ID[each].severity == "blocker" for each in ("account-lacks-subnet-group", "key-not-shared"))


def test_a_role_that_cannot_be_assumed_is_found(look: Look) -> None:
    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    seen = look(green=SimpleNamespace(describe_account_attributes=denied))
    assert seen.keys() == {"account-out-of-reach"}
    assert seen["account-out-of-reach"].startswith(f"{OTHER}: An error occurred (AccessDenied)")


def test_a_blue_that_is_not_shared_is_found(look: Look, shared: SharedClusters) -> None:
    shared._shares.clear()
    assert look() == {"cluster-not-shared": f"shop-blue, with {OTHER}"}


def test_an_account_that_has_a_clone_of_blue_already_is_found(look: Look, rds: Any, there: Any) -> None:
    """moto has no clone groups."""
    blue = rds.describe_db_clusters()["DBClusters"][0] | {"CloneGroupId": "group"}
    left = {"DBClusterArn": "-", "DBClusterIdentifier": "shop-left", "CrossAccountClone": True, "CloneGroupId": "group"}
    for listed, found in (([blue], []), ([blue, left], ["account-has-a-clone"])):
        pages = SimpleNamespace(paginate=lambda listed=listed, **_: [{"DBClusters": listed}])
        green = SimpleNamespace(get_paginator=lambda _, pages=pages: pages)
        assert [each.id for each in of_account._shared(green, ACCOUNT, blue)] == found


@pytest.mark.parametrize(
    ("rule", "admits"),
    [
        ({"CidrIpv4": "10.1.0.0/16"}, True),
        ({"CidrIpv4": "10.1.0.0/25"}, False),
        ({"CidrIpv6": "::/0"}, False),
        ({"CidrIpv4": "0.0.0.0/0", "FromPort": 5432, "ToPort": 5432}, False),
        ({"CidrIpv4": "10.1.0.0/24", "IpProtocol": "-1"}, True),
        ({"ReferencedGroupInfo": {"GroupId": "sg-0b00"}}, False),
        ({"ReferencedGroupInfo": {"GroupId": "sg-peered"}}, True),
        ({"PrefixListId": "pl-1"}, True),
    ],
)
def test_whether_blues_rules_admit_greens_subnets(look: Look, rule: dict[str, Any], admits: bool) -> None:
    assert look(ec2=Rules(rule)) == ({} if admits else {"account-not-admitted": "10.1.0.0/24"})
