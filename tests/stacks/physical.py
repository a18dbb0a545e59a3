"""What CloudFormation asks of each service for a resource of a template, and on which ARN.

The actions are those by which its resource types create, read, change and delete what we have of them ("handlers" in
the schemas of CloudFormation's registry); it is a belief that there are no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-west-2"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/BOUNDARY"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of resource.

    arns      with `{name}` for the physical name; all have to be allowed
    named_by  the property that gives the name; without it CloudFormation makes one up
    belongs   the property that leads to the resource whose ARN counts instead
    anywhere  actions that know no resource
    """

    actions: str
    arns: tuple[str, ...] = ()
    named_by: str = ""
    belongs: str = ""
    anywhere: str = ""


def _in(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


_RULES_OF_GROUPS = "ec2:AuthorizeSecurityGroupIngress ec2:RevokeSecurityGroupIngress"
_DELIVERIES = (
    "logs:CreateLogDelivery logs:GetLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery logs:ListLogDeliveries "
    "logs:PutResourcePolicy logs:DescribeResourcePolicies logs:DescribeLogGroups"
)
_PAGE = "apigateway:GET apigateway:POST apigateway:PATCH apigateway:DELETE"
_APIS = tuple(f"arn:aws:apigateway:{REGION}::/apis{rest}" for rest in ("", "/a1b2c3d4e5", "/a1b2c3d4e5/routes/f6"))

KINDS = {
    "AWS::ApiGatewayV2::Api": Kind(_PAGE, (*_APIS, f"arn:aws:apigateway:{REGION}::/tags/a")),
    "AWS::ApiGatewayV2::Authorizer": Kind(_PAGE, _APIS),
    "AWS::ApiGatewayV2::Integration": Kind(_PAGE, _APIS),
    "AWS::ApiGatewayV2::Route": Kind(_PAGE, _APIS),
    "AWS::ApiGatewayV2::Stage": Kind(_PAGE, _APIS, anywhere=_DELIVERIES),
    "AWS::CloudWatch::Alarm": Kind(
        "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms cloudwatch:TagResource "
        "cloudwatch:UntagResource cloudwatch:ListTagsForResource",
        (_in("cloudwatch", "alarm:{name}"),),
        named_by="AlarmName",
    ),
    "AWS::CloudWatch::Dashboard": Kind(
        "cloudwatch:PutDashboard cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
        (f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{name}}",),
        named_by="DashboardName",
    ),
    "AWS::DynamoDB::Table": Kind(
        "dynamodb:CreateTable dynamodb:DescribeTable dynamodb:UpdateTable dynamodb:DeleteTable dynamodb:TagResource "
        "dynamodb:UntagResource dynamodb:ListTagsOfResource dynamodb:DescribeContinuousBackups "
        "dynamodb:UpdateContinuousBackups dynamodb:DescribeTimeToLive dynamodb:UpdateTimeToLive "
        "dynamodb:DescribeContributorInsights dynamodb:DescribeKinesisStreamingDestination dynamodb:GetResourcePolicy",
        (_in("dynamodb", "table/{name}"),),
    ),
    "AWS::EC2::SecurityGroup": Kind(
        f"{_RULES_OF_GROUPS} ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupEgress ec2:CreateSecurityGroup "
        "ec2:DeleteSecurityGroup ec2:CreateTags ec2:DeleteTags",
        (_in("ec2", "security-group/sg-0a1b2c3d"), _in("ec2", "vpc/vpc-0a1b2c3d")),
        anywhere="ec2:DescribeSecurityGroups ec2:DescribeVpcs",
    ),
    "AWS::EC2::SecurityGroupIngress": Kind(
        f"{_RULES_OF_GROUPS} ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        (_in("ec2", "security-group/sg-0a1b2c3d"), _in("ec2", "security-group-rule/*")),
        anywhere="ec2:DescribeSecurityGroupRules",
    ),
    "AWS::EC2::VPCEndpoint": Kind(
        "ec2:CreateVpcEndpoint ec2:ModifyVpcEndpoint ec2:DeleteVpcEndpoints ec2:CreateTags",
        tuple(_in("ec2", f"{each}/x") for each in ("vpc-endpoint", "vpc", "subnet", "security-group", "route-table")),
        anywhere="ec2:DescribeVpcEndpoints ec2:DescribeSubnets",
    ),
    "AWS::Events::Rule": Kind(
        "events:PutRule events:DescribeRule events:DeleteRule events:EnableRule events:DisableRule events:PutTargets "
        "events:RemoveTargets events:ListTargetsByRule events:TagResource events:UntagResource "
        "events:ListTagsForResource",
        (_in("events", "rule/{name}"),),
        named_by="Name",
    ),
    "AWS::IAM::Policy": Kind("iam:PutRolePolicy iam:GetRolePolicy iam:DeleteRolePolicy", belongs="Roles"),
    "AWS::IAM::Role": Kind(
        "iam:CreateRole iam:GetRole iam:DeleteRole iam:UpdateRole iam:UpdateRoleDescription iam:UpdateAssumeRolePolicy "
        "iam:AttachRolePolicy iam:DetachRolePolicy iam:ListAttachedRolePolicies iam:PutRolePolicy iam:DeleteRolePolicy "
        "iam:ListRolePolicies iam:GetRolePolicy iam:PutRolePermissionsBoundary iam:TagRole iam:UntagRole iam:PassRole",
        (f"arn:aws:iam::{ACCOUNT}:role{{path}}{{name}}",),
    ),
    "AWS::KMS::Key": Kind(
        "kms:DescribeKey kms:GetKeyPolicy kms:PutKeyPolicy kms:EnableKeyRotation kms:DisableKeyRotation "
        "kms:GetKeyRotationStatus kms:UpdateKeyDescription kms:ListResourceTags kms:TagResource kms:UntagResource "
        "kms:ScheduleKeyDeletion",
        (_in("kms", "key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"),),
        anywhere="kms:CreateKey",
    ),
    "AWS::Lambda::EventInvokeConfig": Kind(
        "lambda:PutFunctionEventInvokeConfig lambda:GetFunctionEventInvokeConfig "
        "lambda:UpdateFunctionEventInvokeConfig lambda:DeleteFunctionEventInvokeConfig",
        belongs="FunctionName",
    ),
    "AWS::Lambda::Function": Kind(
        "lambda:CreateFunction lambda:GetFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration "
        "lambda:DeleteFunction lambda:GetFunctionConfiguration lambda:GetFunctionCodeSigningConfig "
        "lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency lambda:GetRuntimeManagementConfig "
        "lambda:GetFunctionRecursionConfig lambda:TagResource lambda:UntagResource lambda:ListTags",
        (_in("lambda", "function:{name}"),),
        named_by="FunctionName",
        anywhere="ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcs ec2:DescribeNetworkInterfaces",
    ),
    "AWS::Lambda::LayerVersion": Kind(
        "lambda:PublishLayerVersion lambda:GetLayerVersion lambda:DeleteLayerVersion",
        (_in("lambda", "layer:{name}"), _in("lambda", "layer:{name}:1")),
        named_by="LayerName",
    ),
    "AWS::Lambda::Permission": Kind(
        "lambda:AddPermission lambda:RemovePermission lambda:GetPolicy", belongs="FunctionName"
    ),
    "AWS::Logs::LogGroup": Kind(
        "logs:CreateLogGroup logs:DeleteLogGroup logs:PutRetentionPolicy logs:DeleteRetentionPolicy logs:TagResource "
        "logs:UntagResource logs:ListTagsForResource logs:AssociateKmsKey logs:DisassociateKmsKey "
        "logs:GetDataProtectionPolicy",
        (_in("logs", "log-group:{name}"),),
        named_by="LogGroupName",
        anywhere="logs:DescribeLogGroups logs:DescribeIndexPolicies",
    ),
    "AWS::S3::Bucket": Kind(
        "s3:CreateBucket s3:DeleteBucket s3:ListBucket s3:PutEncryptionConfiguration s3:GetEncryptionConfiguration "
        "s3:PutLifecycleConfiguration s3:GetLifecycleConfiguration s3:PutBucketOwnershipControls "
        "s3:GetBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:GetBucketPublicAccessBlock s3:GetBucketTagging "
        "s3:PutBucketVersioning s3:GetBucketVersioning s3:PutBucketTagging",
        ("arn:aws:s3:::{lower}",),
    ),
    "AWS::S3::BucketPolicy": Kind("s3:PutBucketPolicy s3:GetBucketPolicy s3:DeleteBucketPolicy", belongs="Bucket"),
    "AWS::SNS::Subscription": Kind("sns:Subscribe sns:ListSubscriptionsByTopic", belongs="TopicArn"),
    "AWS::SNS::Topic": Kind(
        "sns:CreateTopic sns:DeleteTopic sns:GetTopicAttributes sns:SetTopicAttributes sns:ListSubscriptionsByTopic "
        "sns:Subscribe sns:GetDataProtectionPolicy sns:TagResource sns:UntagResource sns:ListTagsForResource",
        (_in("sns", "{name}"),),
    ),
    "AWS::SNS::TopicPolicy": Kind("sns:SetTopicAttributes sns:GetTopicAttributes", belongs="Topics"),
    "AWS::SQS::Queue": Kind(
        "sqs:CreateQueue sqs:DeleteQueue sqs:GetQueueAttributes sqs:SetQueueAttributes sqs:GetQueueUrl sqs:TagQueue "
        "sqs:UntagQueue sqs:ListQueueTags",
        (_in("sqs", "{name}"),),
    ),
    "AWS::SQS::QueuePolicy": Kind("sqs:SetQueueAttributes sqs:GetQueueAttributes", belongs="Queues"),
    "AWS::SecretsManager::Secret": Kind(
        "secretsmanager:CreateSecret secretsmanager:DescribeSecret secretsmanager:GetSecretValue "
        "secretsmanager:UpdateSecret secretsmanager:DeleteSecret secretsmanager:TagResource "
        "secretsmanager:UntagResource",
        (_in("secretsmanager", "secret:{name}-a1B2c3"),),
        named_by="Name",
        anywhere="secretsmanager:GetRandomPassword",
    ),
    "AWS::StepFunctions::StateMachine": Kind(
        "states:CreateStateMachine states:DescribeStateMachine states:UpdateStateMachine states:DeleteStateMachine "
        "states:TagResource states:UntagResource states:ListTagsForResource",
        (_in("states", "stateMachine:{name}"),),
        named_by="StateMachineName",
        anywhere=_DELIVERIES,
    ),
}


def asked_for(template: Mapping[str, Any], stack: str) -> Iterator[tuple[str, str]]:
    """Each action with each ARN that CloudFormation needs it on, once."""
    seen = set()
    for logical, resource in template["Resources"].items():
        kind = KINDS[resource["Type"]]
        arns = arns_of(template, stack, _owner(resource["Properties"][kind.belongs]) if kind.belongs else logical)
        wanted = [(action, arn) for action in kind.actions.split() for arn in arns]
        for each in (*wanted, *((action, "*") for action in kind.anywhere.split())):
            if each not in seen:
                seen.add(each)
                yield each


def arns_of(template: Mapping[str, Any], stack: str, logical: str) -> list[str]:
    """The ARNs of a resource by its logical id, as it will be called."""
    resource = template["Resources"][logical]
    kind, properties = KINDS[resource["Type"]], resource.get("Properties", {})
    name = properties.get(kind.named_by) or f"{stack}-{logical[:24]}-1A2B3C4D5E6F"
    return [arn.format(name=name, lower=name.lower(), path=properties.get("Path", "/")) for arn in kind.arns]


def _owner(value: Any) -> str:
    """The logical id that a property leads to."""
    match value:
        case [first, *_]:
            return _owner(first)
        case {"Ref": str(logical)} | {"Fn::GetAtt": [str(logical), *_]}:
            return logical
    raise AssertionError(f"leads to no resource: {value!r}")
