"""The application that releases one database."""

from __future__ import annotations

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.alarms import make_alarms, operations_topic
from stacks.approval import approval_desk, approval_topic
from stacks.approval_page import ApprovalPage
from stacks.config import ClusterConfig
from stacks.dashboard import make_dashboard
from stacks.encryption import encrypt_all
from stacks.functions import make_functions
from stacks.monitor import call_every_minute, sample_table
from stacks.network import Network
from stacks.packaging import parser_layer
from stacks.policies import RELEASE_ROLE, Shared, bound
from stacks.reports import report_bucket
from stacks.requests import keep_requests_for_nobody, undelivered_events
from stacks.workflow import (
    decommission_machine,
    decommission_on_request,
    keep_stopped,
    recover_the_dead,
    recovery_machine,
    release_machine,
    start_on_request,
)


class ReleaseStack(cdk.Stack):
    """``released`` names all clusters of the application whose requests come to the same bus with the same source, in
    the one stack of them that looks after requests for clusters which none of them releases; it is empty elsewhere.

    ``account`` is the number of the only account that the stack may be deployed to; None leaves it to who deploys."""

    def __init__(
        self, scope: Construct, config: ClusterConfig, released: Sequence[str], account: str | None = None
    ) -> None:
        super().__init__(
            scope,
            f"BlueGreen-{config.name}",
            env=cdk.Environment(account=account, region=config.region),
            description=f"Blue/green releases of the Aurora PostgreSQL clusters {config.cluster_pattern}",
        )
        network = Network(self, "Network", config)
        secret = _release_secret(self, config) if config.database_auth == "password" else None
        locks = _table(self, "Locks")
        releases = _table(self, "Releases", sort_key="release_id")
        topic = approval_topic(self, config)
        samples = sample_table(self)
        reports = report_bucket(self, config)
        page = ApprovalPage(self, "ApprovalApi", config)
        desk = approval_desk(self, config, topic, page)
        shared = Shared(config, secret, locks, releases, parser_layer(self, config), samples, reports, desk)
        functions = make_functions(self, shared, network)
        page.serve(functions["ApprovalPageFunctionArn"])
        dead_letters = undelivered_events(self)
        machine = release_machine(self, config, functions, topic)
        start_on_request(self, config, machine, dead_letters)
        recovery = recovery_machine(self, config, functions, topic)
        recover_the_dead(self, config, machine, recovery, dead_letters)
        decommission = decommission_machine(self, config, functions, topic)
        decommission_on_request(self, config, decommission, dead_letters)
        keep_stopped(self, config, decommission, dead_letters)
        keep_requests_for_nobody(self, config, released, dead_letters)
        monitor = functions["MonitorLagFunctionArn"]
        call_every_minute(self, config, monitor, dead_letters)
        operations = operations_topic(self, config)
        alarms = make_alarms(self, config, operations, monitor, recovery, dead_letters)
        make_dashboard(self, config, alarms, functions, (machine, recovery, decommission))
        encrypt_all(self, config)

        acknowledge(self, config)
        bound(self, config)

        cdk.CfnOutput(self, "StateMachineArn", value=machine.state_machine_arn)
        cdk.CfnOutput(self, "RecoveryStateMachineArn", value=recovery.state_machine_arn)
        cdk.CfnOutput(self, "DecommissionStateMachineArn", value=decommission.state_machine_arn)
        cdk.CfnOutput(self, "ApprovalTopicArn", value=topic.topic_arn)
        cdk.CfnOutput(self, "ApprovalPageUrl", value=page.url)
        cdk.CfnOutput(self, "ApprovalTableName", value=desk.table.table_name)
        cdk.CfnOutput(self, "DecideFunctionName", value=functions["DecideApprovalFunctionArn"].function_name)
        if secret:
            cdk.CfnOutput(self, "ReleaseSecretArn", value=secret.secret_arn)
        cdk.CfnOutput(self, "LockTableName", value=locks.table_name)
        cdk.CfnOutput(self, "ReleaseTableName", value=releases.table_name)
        cdk.CfnOutput(self, "ReportBucketName", value=reports.bucket_name)
        cdk.CfnOutput(self, "SampleTableName", value=samples.table_name)
        cdk.CfnOutput(self, "OperationsTopicArn", value=operations.topic_arn)
        cdk.CfnOutput(self, "UndeliveredEventsUrl", value=dead_letters.queue_url)


def _release_secret(scope: Construct, config: ClusterConfig) -> secretsmanager.Secret:
    """The password of the role that the functions work as; an administrator makes the role with it, once."""
    return secretsmanager.Secret(
        scope,
        "ReleaseRole",
        secret_name=f"bluegreen/{config.name}/release-role",
        description=f"The role in PostgreSQL that makes releases of {config.name}",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"username": RELEASE_ROLE}),
            generate_string_key="password",
            password_length=40,
            exclude_punctuation=True,
        ),
    )


def _table(scope: Construct, identifier: str, sort_key: str | None = None) -> dynamodb.Table:
    """Who releases which cluster now, and what was released. Kept when the stack goes: a release may be under way, and
    its lock with it, and a blue may be waiting for its end."""
    return dynamodb.Table(
        scope,
        identifier,
        partition_key=dynamodb.Attribute(name="cluster", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=sort_key, type=dynamodb.AttributeType.STRING) if sort_key else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
