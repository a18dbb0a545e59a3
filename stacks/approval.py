"""Whom the state machine asks for approval and tells how a release went."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.config import ClusterConfig


def approval_topic(scope: Construct, config: ClusterConfig) -> sns.Topic:
    """An encrypted topic that takes and delivers messages over TLS alone, with a subscription for each approver.

    The key is the one that AWS manages for SNS: the state machine publishes with a role of this account, which that
    key admits. (It would not admit an AWS service that publishes in its own name, such as an alarm.)
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
