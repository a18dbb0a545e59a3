"""What calls the lag monitor, and where its samples go."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.config import ClusterConfig
from stacks.policies import monitor_rule_name


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


def call_every_minute(
    scope: Construct, config: ClusterConfig, monitor: lambda_.Function, dead_letters: sqs.IQueue
) -> None:
    """Disabled but while a release is under way: the monitor itself sees to that. A deployment leaves the state as it
    is unless the rule's own properties change."""
    # Lambda would call one that failed twice more, on top of the next minute's.
    monitor.configure_async_invoke(retry_attempts=0, max_event_age=cdk.Duration.minutes(1))
    events.Rule(
        scope,
        "EveryMinute",
        rule_name=monitor_rule_name(config),
        description=f"Measures the replication of the release of {config.name} that is under way",
        schedule=events.Schedule.rate(cdk.Duration.minutes(1)),
        enabled=False,
        targets=[
            targets.LambdaFunction(
                monitor,
                event=events.RuleTargetInput.from_object({}),
                max_event_age=cdk.Duration.minutes(1),  # the next call is due by then
                retry_attempts=0,
                dead_letter_queue=dead_letters,
            )
        ],
    )
