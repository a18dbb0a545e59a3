"""Where the samples of the lag monitor lie."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


def sample_table(scope: Construct) -> dynamodb.Table:
    """What the monitor measured, by release and time, for the report; each sample goes by itself after ninety days."""
    return dynamodb.Table(
        scope,
        "Samples",
        partition_key=dynamodb.Attribute(name="release_id", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="at", type=dynamodb.AttributeType.STRING),
        time_to_live_attribute="expires_at",
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
