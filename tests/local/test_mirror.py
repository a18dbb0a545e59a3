"""Green is blue's mirror, in the embedded Aurora."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from bluegreen.accounts import GreenAccount
from bluegreen.assumed_role import session_in
from bluegreen.errors import GreenNotGone, GreenNotReady
from bluegreen.model import Cluster, Plan
from bluegreen.rds import aurora, cloning, mirroring, removal
from bluegreen.rds.mirror import CLUSTER, INSTANCE, Added, Description, Passed, Way
from bluegreen.rds.sides import Rds
from local.aws.aurora import EmbeddedAurora
from local.aws.seams.patching import Seams
from local.aws.seams.rds import install
from local.aws.seams.rds_shared import SharedClusters
from tests.local.conftest import embedded_aurora
from tests.unit.conftest import plan as plan
from tests.waiting import eventually

REGION = "eu-west-2"
OTHER = "210987654321"
ACCOUNT = GreenAccount(
    role_arn=f"arn:aws:iam::{OTHER}:role/green",
    db_subnet_group="green",
    security_group_ids=("sg-0f00",),
    cidr_blocks=("10.1.0.0/24",),
    kms_key_id=f"arn:aws:kms:{REGION}:{OTHER}:key/green",
    monitoring_role_arn=f"arn:aws:iam::{OTHER}:role/monitoring",
    associated_roles={"s3Import": f"arn:aws:iam::{OTHER}:role/import"},
)


@pytest.fixture(scope="module")
def embedded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAurora]:
    with embedded_aurora(folder, tmp_path_factory.mktemp("mirror")) as embedded:
        yield embedded


@pytest.fixture
def rds(embedded: EmbeddedAurora) -> Any:
    return boto3.client("rds", region_name=embedded.region)


@pytest.fixture
def there(embedded: EmbeddedAurora) -> Iterator[Any]:
    """RDS of another account, with which blue is shared, on the same servers."""
    shared = SharedClusters()
    role = session_in(ACCOUNT.role_arn, "", "release", boto3.client("sts", region_name=REGION))
    rds = role.client("rds", region_name=REGION)
    with Seams() as seams:
        shared.install(seams)
        shared.share(f"arn:aws:rds:{REGION}:123456789012:cluster:shop-blue", OTHER)
        backend = install(embedded, OTHER)
        subnets = role.client("ec2", region_name=REGION).describe_subnets()["Subnets"]
        rds.create_db_subnet_group(
            DBSubnetGroupName="green",
            DBSubnetGroupDescription="-",
            SubnetIds=[each["SubnetId"] for each in subnets],
        )
        yield rds
        backend.uninstall()


def asked_until_done(ask: Any) -> Cluster:
    made: list[Cluster] = []

    def done() -> bool:
        try:
            made.append(ask())
        except (GreenNotReady, GreenNotGone):
            return False
        return True

    eventually(done)
    return made[0]


def mirrored(ways: dict[str, Way], described: Description) -> dict[str, Any]:
    """The attributes that green is to have as blue has them, as far as a description has them."""
    seen = {}
    for name, way in ways.items():
        if isinstance(way, Passed | Added) and described.get(name) is not None:
            seen[name] = way.read(described[name]) if isinstance(way, Passed) else described[name]
    return seen


def test_every_mirrored_attribute_is_equal_on_green(rds: Any, plan: Plan) -> None:
    plan = dataclasses.replace(plan, blue=Cluster("shop-blue", "-", 0))
    asked_until_done(lambda: cloning.clone_blue(Rds.of_one(rds), plan))
    asked_until_done(lambda: aurora.require_green_ready(Rds.of_one(rds), plan))
    blue, green = (aurora.describe_cluster(rds, name) for name in ("shop-blue", plan.green_identifier))
    assert blue
    assert green
    expected = mirrored(CLUSTER, blue)
    assert {name for name, way in CLUSTER.items() if isinstance(way, Passed | Added)} == expected.keys()
    assert mirrored(CLUSTER, green) == expected
    for theirs, ours in zip(
        aurora.describe_instances(rds, "shop-blue"), aurora.describe_instances(rds, plan.green_identifier), strict=True
    ):
        expected = mirrored(INSTANCE, theirs)
        assert {name for name, way in INSTANCE.items() if isinstance(way, Passed)} == expected.keys()
        assert mirrored(INSTANCE, ours) == expected
    assert mirroring.settle(rds, plan, blue, green) == [], "there is nothing left to be given"


def test_what_differs_later_is_set_again_and_only_that(rds: Any, plan: Plan) -> None:
    blue = aurora.describe_cluster(rds, "shop-blue")
    assert blue
    green = blue | {"BackupRetentionPeriod": 1, "DatabaseInsightsMode": "standard", "EnabledCloudwatchLogsExports": []}
    insights = {"EnablePerformanceInsights", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod"}
    assert mirroring.changes(blue, green).keys() == {"BackupRetentionPeriod", "DatabaseInsightsMode"} | insights
    assert mirroring.changes(blue, blue) == {}


def test_green_of_another_account_is_a_clone_with_what_is_that_accounts(
    embedded: EmbeddedAurora, rds: Any, there: Any, plan: Plan
) -> None:
    plan = dataclasses.replace(
        plan, blue=Cluster("shop-blue", "-", 0), green_identifier="shop-there", green_account=ACCOUNT
    )
    both = Rds(rds, there)
    asked_until_done(lambda: cloning.clone_blue(both, plan))
    asked_until_done(lambda: aurora.require_green_ready(both, plan))
    assert embedded.servers["shop-there"].execute("app", 'SHOW "rds.logical_replication"') == [["on"]]
    blue, green = aurora.describe_cluster(rds, "shop-blue"), aurora.describe_cluster(there, "shop-there")
    assert blue
    assert green
    expected = mirrored(CLUSTER, mirroring.as_there(CLUSTER, blue, ACCOUNT))
    seen = mirrored(CLUSTER, green)
    assert seen.pop("DBClusterParameterGroup") == "shop-there-clone"
    assert [role["RoleArn"] for role in seen.pop("AssociatedRoles")] == [*ACCOUNT.associated_roles.values()]
    del expected["AssociatedRoles"]  # of which RDS tells a status as well
    assert {name: seen[name] for name in expected} == expected
    assert "123456789012" not in str(seen), "nothing of blue's account is left"
    assert mirroring.lost(CLUSTER, blue, ACCOUNT) == ["DomainMemberships"]
    asked_until_done(lambda: removal.delete_green(lambda _region="": there, plan))
    assert there.describe_db_clusters()["DBClusters"] == []
    assert aurora.describe_cluster(rds, "shop-blue")
