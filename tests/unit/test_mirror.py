"""The table of attributes, against the model of the RDS API."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from bluegreen.preflight.catalogue import BY_ID
from bluegreen.rds.mirror import CLUSTER, INSTANCE, Passed, Unmirrored, Way
from bluegreen.rds.mirroring import unmirrored

MODEL: Any = boto3.client("rds", region_name="eu-west-2").meta.service_model


@pytest.mark.parametrize(("shape", "ways"), [("DBCluster", CLUSTER), ("DBInstance", INSTANCE)])
def test_every_attribute_of_the_api_is_classified_and_no_other(shape: str, ways: dict[str, Way]) -> None:
    members = set(MODEL.shape_for(shape).members)
    assert members - ways.keys() == set(), "say in bluegreen/rds/mirror.py how green comes to have it"
    assert ways.keys() - members == set()


def test_every_request_takes_what_it_is_to_be_given() -> None:
    for ways in (CLUSTER, INSTANCE):
        for name, way in ways.items():
            if isinstance(way, Passed):
                assert way.requests
                for request in way.requests:
                    assert way.member in MODEL.operation_model(request).input_shape.members, f"{name} in {request}"


def test_what_cannot_be_mirrored_is_a_finding_when_blue_has_it() -> None:
    findings = [way.finding for ways in (CLUSTER, INSTANCE) for way in ways.values() if isinstance(way, Unmirrored)]
    assert set(findings) <= BY_ID.keys()
    used = {
        "CustomEndpoints": ["reports.cluster-custom-abc.eu-west-2.rds.amazonaws.com"],
        "MasterUserSecret": {"SecretArn": "arn", "SecretStatus": "active"},
        "ActivityStreamStatus": "started",
        "LimitlessDatabase": {"Status": "enabled"},
        "InternetAccessGatewayEnabled": True,
    }
    assert sorted(unmirrored(CLUSTER, used)) == sorted(findings)
    unused = {"ActivityStreamStatus": "stopped", "LimitlessDatabase": {"Status": "disabled"}, "CustomEndpoints": []}
    assert unmirrored(CLUSTER, unused) == []
