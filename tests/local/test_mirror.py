"""Green is blue's mirror, in the embedded Aurora."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from bluegreen.errors import GreenNotReady
from bluegreen.model import Cluster, Plan
from bluegreen.rds import aurora, cloning, mirroring
from bluegreen.rds.mirror import CLUSTER, INSTANCE, Added, Description, Passed, Way
from bluegreen.rds.sides import Rds
from tests.local.conftest import embedded_aurora
from tests.unit.conftest import plan as plan
from tests.waiting import eventually

REGION = "eu-west-2"


@pytest.fixture
def rds(folder: Path, tmp_path: Path) -> Iterator[Any]:
    with embedded_aurora(folder, tmp_path):
        yield boto3.client("rds", region_name=REGION)


def asked_until_done(ask: Any) -> Cluster:
    made: list[Cluster] = []

    def done() -> bool:
        try:
            made.append(ask())
        except GreenNotReady:
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
