"""Encryption with the customer's own key, in the place of AWS's, of everything that the stack keeps data in.

The key and its policy are the customer's; `docs/deploying.md` has the statements that it needs.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as stepfunctions

from stacks.config import ClusterConfig

_USED_BY = {
    "dynamodb": ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"),
    "s3": ("Decrypt", "GenerateDataKey"),
    "secretsmanager": ("Decrypt", "GenerateDataKey"),
    "sns": ("Decrypt", "GenerateDataKey"),
    "sqs": ("Decrypt", "GenerateDataKey"),
}
"""What whoever calls a service must be permitted to have it do with a key (the services' developer guides)."""


def key_properties(arn: str) -> dict[str, dict[str, Any]]:
    """How resources of each type are told to use a key."""
    by_default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}}
    return {
        "AWS::DynamoDB::Table": {"SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn}},
        "AWS::Logs::LogGroup": {"KmsKeyId": arn},
        "AWS::S3::Bucket": {
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [{**by_default, "BucketKeyEnabled": True}]}
        },
        "AWS::SNS::Topic": {"KmsMasterKeyId": arn},
        "AWS::SQS::Queue": {"KmsMasterKeyId": arn},
        "AWS::SecretsManager::Secret": {"KmsKeyId": arn},
    }


def encrypt_all(stack: cdk.Stack, config: ClusterConfig) -> None:
    """Called when the stack is complete: no resource that is added to it can be forgotten.

    Functions and state machines may use the key by way of the services that they may call, and not by themselves.
    """
    if not config.kms_key_arn:
        return
    properties = key_properties(config.kms_key_arn)
    for node in stack.node.find_all():
        if isinstance(node, cdk.CfnResource):
            for name, value in properties.get(node.cfn_resource_type, {}).items():
                node.add_property_override(name, value)
        elif isinstance(node, lambda_.Function | stepfunctions.StateMachine):
            for statement in _uses(node, config):
                node.add_to_role_policy(statement)


def _uses(caller: lambda_.Function | stepfunctions.StateMachine, config: ClusterConfig) -> list[iam.PolicyStatement]:
    """What a role needs of the key, by the services in its policies."""
    role = caller.role
    assert role  # only one that was imported has none
    documents = [node.document.to_json() for node in role.node.find_all() if isinstance(node, iam.Policy)]
    listed = [statement["Action"] for document in documents if document for statement in document["Statement"]]
    actions = [action for each in listed for action in (each if isinstance(each, list) else [each])]
    return [
        iam.PolicyStatement(
            actions=[f"kms:{action}" for action in used],
            resources=[config.kms_key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"{service}.{config.region}.amazonaws.com"}},
        )
        for service, used in _USED_BY.items()
        if any(action.startswith(f"{service}:") for action in actions)
    ]
