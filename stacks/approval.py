"""Whom a release asks for approval and tells how it went, and what the answers need: table, key and page."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.approval_page import ApprovalPage
from stacks.config import ClusterConfig
from stacks.policies import ApprovalDesk


def approval_topic(scope: Construct, config: ClusterConfig) -> sns.Topic:
    """An encrypted topic that takes and delivers messages over TLS alone, with a subscription for each approver.

    The key is the one that AWS manages for SNS: state machine and functions publish with roles of this account, which
    that key admits. (It would not admit an AWS service that publishes in its own name, such as an alarm.)
    """
    topic = sns.Topic(
        scope,
        "Approval",
        display_name=f"Releases of {config.name}",
        master_key=kms.Alias.from_alias_name(scope, "SnsKey", "alias/aws/sns"),
        enforce_ssl=True,
    )
    for address in config.approver_emails:
        topic.add_subscription(subscriptions.EmailSubscription(address))
    return topic


def approval_desk(scope: Construct, config: ClusterConfig, topic: sns.Topic, page: ApprovalPage) -> ApprovalDesk:
    """What the functions share that ask and take answers."""
    return ApprovalDesk(topic, _table(scope), _key(scope, config), page.url)


def _table(scope: Construct) -> dynamodb.Table:
    """Requests with their task tokens, which are of no use once a release is over: the table goes with the stack."""
    return dynamodb.Table(
        scope,
        "Approvals",
        partition_key=dynamodb.Attribute(name="release_id", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="request", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute="delete_after",
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _key(scope: Construct, config: ClusterConfig) -> secretsmanager.Secret:
    """With this key anybody could make links; it may be rotated, and links live through one rotation."""
    return secretsmanager.Secret(
        scope,
        "ApprovalKey",
        secret_name=f"bluegreen/{config.name}/approval-key",
        description=f"Signs the links to the approval page of {config.name}",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"purpose": "links to the approval page"}),
            generate_string_key="key",
            password_length=64,
            exclude_punctuation=True,
        ),
    )
