"""Alarms on what the monitor measures and on what reaches nobody; each says what to do.

No data is no reason for an alarm: between releases there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.config import ClusterConfig
from stacks.policies import resource_name

NAMESPACE = "BlueGreen"
SERVICE = "bluegreen"
MINUTE = cdk.Duration.minutes(1)


def of_cluster(
    config: ClusterConfig, name: str, statistic: str = "Maximum", period: cdk.Duration = MINUTE
) -> cloudwatch.Metric:
    """A metric of the functions for the whole cluster; of the monitor's figures the maximum is the worst database's."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={"cluster": config.name, "service": SERVICE},
        statistic=statistic,
        period=period,
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """An alarm: it goes off when the metric is above the threshold in so many of the last minutes, one by one."""

    name: str
    metric: cloudwatch.IMetric
    above: float
    minutes: int
    advice: str


def operations_topic(scope: Construct, config: ClusterConfig) -> sns.Topic:
    """Whom alarms reach.

    It is a topic of its own with a key of its own: the key that AWS manages for SNS, which the approval's topic has,
    admits no service that publishes in its own name (SNS Developer Guide, "Enable compatibility between event sources
    from AWS services and encrypted topics").
    """
    key = kms.Key(
        scope,
        "OperationsKey",
        description=f"Alarms on releases of {config.name}",
        enable_key_rotation=True,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    topic = sns.Topic(
        scope,
        "Operations",
        display_name=f"Alarms on releases of {config.name}",
        master_key=key,
        enforce_ssl=True,
    )
    alarms = cdk.Stack.of(scope).format_arn(
        service="cloudwatch",
        resource="alarm",
        resource_name=f"{resource_name(config)}-*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    cloudwatch_alarms = iam.ServicePrincipal(
        "cloudwatch.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account},
            "ArnLike": {"aws:SourceArn": alarms},
        },
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[cloudwatch_alarms], actions=["kms:Decrypt", "kms:GenerateDataKey*"], resources=["*"]
        )
    )
    topic.add_to_resource_policy(
        iam.PolicyStatement(principals=[cloudwatch_alarms], actions=["sns:Publish"], resources=[topic.topic_arn])
    )
    for address in config.operator_emails or config.approver_emails:
        topic.add_subscription(subscriptions.EmailSubscription(address))
    return topic


def make_alarms(
    scope: Construct,
    config: ClusterConfig,
    topic: sns.Topic,
    monitor: lambda_.Function,
    recovery: stepfunctions.StateMachine,
    dead_letters: sqs.Queue,
) -> list[cloudwatch.Alarm]:
    """All alarms of a cluster; they go to the topic, and once more when what they told of is over."""
    return [
        _make(scope, config, topic, watched)
        for watched in (*_of_replication(config), *_of_ourselves(config, monitor, recovery, dead_letters))
    ]


def _make(scope: Construct, config: ClusterConfig, topic: sns.Topic, watched: Watched) -> cloudwatch.Alarm:
    alarm = cloudwatch.Alarm(
        scope,
        f"{watched.name}Alarm",
        alarm_name=f"{resource_name(config)}-{watched.name}",
        alarm_description=f"{watched.advice} See {watched.name} under Alarms in docs/runbook.md.",
        metric=watched.metric,
        threshold=watched.above,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluation_periods=watched.minutes,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    for add in (alarm.add_alarm_action, alarm.add_ok_action):
        add(actions.SnsAction(topic))
    return alarm


def _of_replication(config: ClusterConfig) -> Sequence[Watched]:
    gigabytes = f"{config.alarm_retained_bytes / 2**30:g} GiB"
    return (
        Watched(
            "GreenLags",
            of_cluster(config, "ReplicationLag"),
            config.alarm_lag_s,
            15,
            f"Green has been more than {config.alarm_lag_s} s behind blue for a quarter of an hour: look for a long"
            " transaction or a lock on green, a busy instance, or a load on blue that one apply worker cannot follow.",
        ),
        Watched(
            "ApplyingFails",
            of_cluster(config, "ApplyErrors"),
            0,
            1,
            "Green refused a row that came from blue: read green's log for table and row; the release ends by itself"
            " at its next look, or call it off.",
        ),
        Watched(
            "SlotIdle",
            of_cluster(config, "SlotsIdle"),
            0,
            15,
            "Nobody has read blue's replication slot for a quarter of an hour: unless a change is being made on green,"
            " see whether green runs and reaches blue.",
        ),
        Watched(
            "SlotInDanger",
            of_cluster(config, "SlotsInDanger"),
            0,
            2,
            "A slot of the release has lost its log, or is about to, or is gone: raise max_slot_wal_keep_size at once"
            " if the log is not lost yet; otherwise the release cannot go on, reject it and release again.",
        ),
        Watched(
            "BlueKeepsLog",
            of_cluster(config, "RetainedOnBlue"),
            config.alarm_retained_bytes,
            5,
            f"Blue keeps more than {gigabytes} of log for the release: answer the approval request, or reject it and"
            " release again; each day that it waits costs blue's storage.",
        ),
        Watched(
            "GreenKeepsLog",
            of_cluster(config, "RetainedOnGreen"),
            config.alarm_retained_bytes,
            5,
            f"Green keeps more than {gigabytes} of log for the release: answer the approval request, or reject it and"
            " release again; after the opening, see that DropSubscriptions ran.",
        ),
    )


def _of_ourselves(
    config: ClusterConfig, monitor: lambda_.Function, recovery: stepfunctions.StateMachine, dead_letters: sqs.Queue
) -> Sequence[Watched]:
    failures = cloudwatch.MathExpression(
        expression="FILL(failures, 0) + FILL(errors, 0)",
        using_metrics={
            "failures": of_cluster(config, "MonitorFailures"),
            "errors": monitor.metric_errors(period=MINUTE, statistic="Sum"),
        },
        label="figures that could not be measured",
        period=MINUTE,
    )
    return (
        Watched(
            "MonitorFails",
            failures,
            0,
            5,
            "Replication of the release has not been measured for five minutes: the log of MonitorLag says whether blue"
            " or green does not answer, or what else is wrong; the release itself goes on.",
        ),
        Watched(
            "RecoveryFails",
            _unsuccessful(recovery),
            0,
            1,
            "A release ended without cleaning up, and its recovery failed, was stopped or timed out: the lock stays,"
            " and blue may be frozen; act now, by Recovery failed in the runbook.",
        ),
        Watched(
            "EventUndelivered",
            dead_letters.metric_number_of_messages_sent(
                period=MINUTE, statistic="Sum"
            ),  # each one, not the first alone
            0,
            1,
            "An event started nothing: its target refused it, or it asked for a cluster that is not released; read the"
            " queue UndeliveredEvents, put the request right, send it again, and delete the message.",
        ),
    )


def _unsuccessful(machine: stepfunctions.StateMachine) -> cloudwatch.MathExpression:
    """Executions that did not end well: of those that are stopped or time out ``ExecutionsFailed`` says nothing."""
    return cloudwatch.MathExpression(
        expression="FILL(failed, 0) + FILL(stopped, 0) + FILL(timed_out, 0)",
        using_metrics={
            "failed": machine.metric_failed(period=MINUTE, statistic="Sum"),
            "stopped": machine.metric_aborted(period=MINUTE, statistic="Sum"),
            "timed_out": machine.metric_timed_out(period=MINUTE, statistic="Sum"),
        },
        label="executions that did not succeed",
        period=MINUTE,
    )
