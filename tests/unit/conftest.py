"""AWS as moto mocks it, and a plan."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bluegreen.model import Cluster, Plan, Record
from local.aws.seams.patching import Seams
from local.aws.seams.zones import Zones

REGION = "eu-west-2"
BLUE_ENDPOINT = "shop-blue.cluster-abc.eu-west-2.rds.amazonaws.com"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


@pytest.fixture
def rds() -> Any:
    return boto3.client("rds")


@pytest.fixture
def rds_of() -> Any:
    """RDS of any Region."""
    return lambda region="": boto3.client("rds", region_name=region or REGION)


@pytest.fixture
def route53() -> Iterator[Any]:
    """With change batches that are checked as a whole, as Route 53 does and moto does not."""
    settings: Any = SimpleNamespace(propagation_s=0.0, refuse_next_change=None)
    with Seams() as seams:
        Zones(settings).install(seams)
        yield boto3.client("route53")


@pytest.fixture
def plan() -> Plan:
    return Plan(
        release_id="20261123-0405-abcdef",
        cluster_name="shop",
        execution_arn="arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:one",
        requested_by="pipeline",
        reason="version 42",
        blue=Cluster("shop-blue", BLUE_ENDPOINT, 5432),
        green_identifier="shop-20261123-0405-abcdef",
        databases=("app", "crm"),
        records=(Record("Z1", "db.shop.internal", "CNAME", "writer", 60, (BLUE_ENDPOINT,)),),
        switchover_ttl_s=5,
        approval_timeout_s=60,
        freeze_budget_s=30,
        max_attempts=3,
        max_lag_bytes=1 << 24,
        max_lag_s=5.0,
    )
