"""The dashboard: what the monitor measures, how releases went, how long their steps take, and the alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.alarms import NAMESPACE, SERVICE, of_cluster
from stacks.config import ClusterConfig
from stacks.policies import resource_name

_FROZEN = ("FreezeBlue", "WaitForDrain", "VerifyCutover", "SyncSequences", "FlipDns", "OpenGreen")
_OF_A_RELEASE = ("FreezeDuration", "WriteGap", "Attempts", "ReleaseDuration")
_HALF = 12


def make_dashboard(
    scope: Construct,
    config: ClusterConfig,
    alarms: Sequence[cloudwatch.Alarm],
    functions: Mapping[str, lambda_.Function],
    machines: Sequence[stepfunctions.StateMachine],
) -> None:
    """One for each cluster; databases show by themselves, as their metrics come."""
    cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=resource_name(config),
        default_interval=cdk.Duration.hours(3),
        widgets=[
            [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=2 * _HALF, height=3)],
            [
                _by_database(config, "How far green is behind blue, seconds", "ReplicationLag"),
                _by_database(config, "How far green is behind blue, bytes", "ReplicationLagBytes"),
            ],
            [
                _by_database(config, "Log that blue keeps, bytes", "RetainedOnBlue"),
                _by_database(config, "Log that green keeps, bytes", "RetainedOnGreen"),
            ],
            [
                _by_database(config, "Errors while applying", "ApplyErrors"),
                _by_database(config, "Slots that nobody reads, or that are in danger", "SlotsIdle", "SlotsInDanger"),
            ],
            [
                _graph("Rows left to compare", of_cluster(config, "VerificationRowsLeft")),
                _graph("Rows compared in a second", of_cluster(config, "VerificationRate", "Average")),
            ],
            [
                cloudwatch.SingleValueWidget(
                    title="The last release: from freeze to opening, writes refused at most, attempts, all of it",
                    metrics=[of_cluster(config, name, period=cdk.Duration.days(1)) for name in _OF_A_RELEASE],
                    width=_HALF,
                    height=6,
                ),
                _graph(
                    "Steps of the switchover, ms",
                    *(functions[f"{state}FunctionArn"].metric_duration(label=state) for state in _FROZEN),
                ),
            ],
            [
                _graph(
                    "Executions that failed",
                    *(machine.metric_failed(label=machine.node.id) for machine in machines),
                ),
                _graph(
                    "How long executions took, ms",
                    *(machine.metric_time(label=machine.node.id) for machine in machines),
                ),
            ],
        ],
    )


def _graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_HALF, height=6)


def _by_database(config: ClusterConfig, title: str, *names: str) -> cloudwatch.GraphWidget:
    """A line for each database that there are figures of: an input may name others than the configuration."""
    dimensions = "{" + f"{NAMESPACE},cluster,database,service" + "}"
    found = [
        cloudwatch.MathExpression(
            expression=f'SEARCH(\'{dimensions} cluster="{config.name}" service="{SERVICE}"'
            f" MetricName=\"{name}\"', 'Maximum', 60)",
            label="" if len(names) == 1 else name,
            using_metrics={},
        )
        for name in names
    ]
    return _graph(title, *found)
