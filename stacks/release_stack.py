"""The application that releases one database."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.acknowledged import acknowledge
from stacks.approval import approval_topic
from stacks.config import ClusterConfig
from stacks.functions import make_functions
from stacks.network import Network
from stacks.packaging import parser_layer
from stacks.policies import Shared, bound
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
    def __init__(self, scope: Construct, config: ClusterConfig) -> None:
        super().__init__(
            scope,
            f"BlueGreen-{config.name}",
            env=cdk.Environment(region=config.region),
            description=f"Blue/green releases of the Aurora PostgreSQL clusters {config.cluster_pattern}",
        )
        network = Network(self, "Network", config)
        secret = _release_secret(self, config)
        locks = _table(self, "Locks")
        releases = _table(self, "Releases", sort_key="release_id")
        topic = approval_topic(self, config)
        functions = make_functions(self, Shared(config, secret, locks, releases, parser_layer(self, config)), network)
        machine = release_machine(self, config, functions, topic)
        start_on_request(self, config, machine)
        recovery = recovery_machine(self, config, functions, topic)
        recover_the_dead(self, config, machine, recovery)
        decommission = decommission_machine(self, config, functions, topic)
        decommission_on_request(self, config, decommission)
        keep_stopped(self, config, decommission)

        acknowledge(self, config)
        bound(self, config)

        cdk.CfnOutput(self, "StateMachineArn", value=machine.state_machine_arn)
        cdk.CfnOutput(self, "RecoveryStateMachineArn", value=recovery.state_machine_arn)
        cdk.CfnOutput(self, "DecommissionStateMachineArn", value=decommission.state_machine_arn)
        cdk.CfnOutput(self, "ApprovalTopicArn", value=topic.topic_arn)
        cdk.CfnOutput(self, "ReleaseSecretArn", value=secret.secret_arn)
        cdk.CfnOutput(self, "LockTableName", value=locks.table_name)
        cdk.CfnOutput(self, "ReleaseTableName", value=releases.table_name)


def _release_secret(scope: Construct, config: ClusterConfig) -> secretsmanager.Secret:
    """The password of the role that the functions work as; an administrator makes the role with it, once."""
    return secretsmanager.Secret(
        scope,
        "ReleaseRole",
        secret_name=f"bluegreen/{config.name}/release-role",
        description=f"The role in PostgreSQL that makes releases of {config.name}",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"username": "bluegreen_release"}),
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
