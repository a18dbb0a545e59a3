"""What IAM asks when an API is called: which actions, on which resources, under which circumstances.

The reference says which types of resources an action knows; what is here says which parameter names a resource of
which type, and where one call asks for more than one action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .policies import Asked
from .reference import arn_pattern, is_of_type, resource_types

Parameters = Mapping[str, Any]

OTHERWISE_NAMED = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Operations whose action has another name."""

_PARAMETERS: dict[str, dict[str, str]] = {
    "rds": {
        "DBClusterIdentifier": "cluster",
        "DbClusterIdentifier": "cluster",
        "SourceDBClusterIdentifier": "cluster",
        "DBInstanceIdentifier": "db",
        "DBClusterParameterGroupName": "cluster-pg",
        "DBParameterGroupName": "pg",
        "DBInstanceParameterGroupName": "pg",
        "DBSubnetGroupName": "subgrp",
        "OptionGroupName": "og",
        "GlobalClusterIdentifier": "global-cluster",
        "DBClusterSnapshotIdentifier": "cluster-snapshot",
        "FinalDBSnapshotIdentifier": "cluster-snapshot",
        "BlueGreenDeploymentIdentifier": "deployment",
        "ResourceName": "",
        "ResourceArn": "",
    },
    "dynamodb": {"TableName": "table", "ResourceArn": "table"},
    "secretsmanager": {"SecretId": "Secret", "Name": "Secret"},
    "states": {"stateMachineArn": "statemachine", "executionArn": "execution"},
    "sns": {"TopicArn": "topic"},
    "sqs": {"QueueUrl": "queue"},
    "lambda": {"FunctionName": "function"},
    "route53": {"HostedZoneId": "hostedzone", "Id": "change"},
    "kms": {"KeyId": "key"},
    "events": {"EventBusName": "event-bus", "Name": "rule-on-default-event-bus"},
    "logs": {"logGroupName": "log-group"},
    "ssm": {"Name": "parameter"},
    "sts": {"RoleArn": "role"},
    "cloudwatch": {"AlarmName": "alarm", "AlarmNames": "alarm", "DashboardName": "dashboard"},
    "scheduler": {"Name": "schedule"},
}
"""The types of resources by the parameters that name one; "" where the parameter is an ARN of any type."""

_WITH_DEFAULT = ("cluster-pg", "pg", "subgrp", "og")
"""What a cluster or an instance has one of whether it is named or not."""

_TAGGING = {"rds": "AddTagsToResource", "secretsmanager": "TagResource", "dynamodb": "TagResource"}
"""The action that a call needs besides its own when it makes something with tags."""

_PASSED = {
    "MonitoringRoleArn": "monitoring.rds.amazonaws.com",
    "RoleArn": "rds.amazonaws.com",
    "DomainIAMRoleName": "rds.amazonaws.com",
}
"""Roles that a call to RDS hands over, with the service that is to take them on."""


class UnknownCallError(Exception):
    """Which resources a call is about is not known here."""


def asked_for(service: str, operation: str, parameters: Parameters, region: str, account: str) -> list[Asked]:
    """Every action and resource that has to be allowed; `service` is the prefix of its actions.

    >>> call = asked_for("dynamodb", "GetItem", {"TableName": "Locks"}, "eu-west-2", "123456789012")
    >>> [(each.action, each.resource) for each in call]
    [('dynamodb:GetItem', 'arn:aws:dynamodb:eu-west-2:123456789012:table/Locks')]
    """
    if (service, operation) in (("dynamodb", "TransactWriteItems"), ("dynamodb", "TransactGetItems")):
        return _of_a_transaction(parameters, region, account)
    action = OTHERWISE_NAMED.get(f"{service}:{operation}", f"{service}:{operation}")
    where = _Place(region, account)
    if action == "events:PutEvents":
        parameters = {**parameters, "Entries": [{"EventBusName": "default", **each} for each in parameters["Entries"]]}
    keys = _keys(service, parameters)
    resources = _resources(service, action, parameters, where)
    asked = [Asked(action, resource, keys) for resource in resources]
    if parameters.get("Tags") and service in _TAGGING and not action.endswith(f":{_TAGGING[service]}"):
        made = _made(action, resources)
        asked.append(Asked(f"{service}:{_TAGGING[service]}", made, keys))
    if service == "rds":
        asked += _passed_roles(parameters, where)
    return asked


class _Place:
    def __init__(self, region: str, account: str) -> None:
        self.region, self.account = region, account

    def arn(self, service: str, resource_type: str, name: str) -> str:
        """The ARN of a resource that a parameter names, if that is not its ARN already."""
        if name.startswith("arn:"):
            return name
        known = {"${Partition}": "aws", "${Region}": self.region, "${Account}": self.account}
        pattern = re.sub(
            r"\$\{(Partition|Region|Account)\}", lambda m: known[m[0]], arn_pattern(service, resource_type)
        )
        return re.sub(r"\$\{.*\}", lambda _: name, pattern)


def _resources(service: str, action: str, parameters: Parameters, where: _Place) -> list[str]:
    types = resource_types(action)
    if action.startswith("states:SendTask") and "stateMachineArn" in parameters:
        # The reference knows no resource; what AWS refuses it names by its state machine, as the CDK's own grant does.
        return [parameters["stateMachineArn"]]
    if not types:
        return ["*"]
    named = dict.fromkeys(_named(service, types, parameters, where))
    absent = [name for name, required in types.items() if required and not _any_of(service, name, named)]
    if service == "rds":  # what is not named is the default group, or no snapshot; for a list it is everything
        named |= dict.fromkeys(where.arn(service, name, "default") for name in absent if name in _WITH_DEFAULT)
        absent = []
        if not named:
            named = dict.fromkeys(where.arn(service, name, "*") for name in types)
    if not named and not any(types.values()):
        return ["*"]
    if not named or (absent and len(absent) == sum(types.values())):
        raise UnknownCallError(f"{action}: teach local/aws/permissions/calls.py which resource that is about")
    return list(named)


def _any_of(service: str, resource_type: str, resources: Mapping[str, Any]) -> bool:
    return any(is_of_type(service, resource_type, resource) for resource in resources)


def _named(service: str, types: Mapping[str, bool], parameters: Parameters, where: _Place) -> Iterator[str]:
    if service == "s3":
        yield from _of_s3(types, parameters)
        return
    for parameter, values in _flat(parameters):
        resource_type = _PARAMETERS.get(service, {}).get(parameter)
        if resource_type == "" and values.startswith("arn:"):
            yield values
        elif resource_type and resource_type in types:
            yield where.arn(service, resource_type, _name(service, resource_type, values))


def _flat(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Names and texts of the parameters, and of those in a list of entries as PutEvents has one."""
    for name, value in parameters.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, str):
                    yield name, each
                elif isinstance(each, Mapping) and name == "Entries":
                    yield from _flat(each)


def _name(service: str, resource_type: str, value: str) -> str:
    """What stands for the placeholder of the ARN."""
    if service == "secretsmanager" and not value.startswith("arn:"):
        return f"{value}-AbCdEf"  # as Secrets Manager makes a name unique
    if service == "route53":
        return value.rpartition("/")[2]
    if service == "sqs":
        return value.rpartition("/")[2]
    return value


def _of_s3(types: Mapping[str, bool], parameters: Parameters) -> Iterator[str]:
    bucket = parameters.get("Bucket", "")
    if "object" in types:
        keys = [parameters["Key"]] if "Key" in parameters else []
        keys += [each["Key"] for each in parameters.get("Delete", {}).get("Objects", ())]
        yield from (f"arn:aws:s3:::{bucket}/{key}" for key in keys)
    elif bucket:
        yield f"arn:aws:s3:::{bucket}"


def _of_a_transaction(parameters: Parameters, region: str, account: str) -> list[Asked]:
    """Each item asks for the action of the same call by itself; a check has one of its own."""
    names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}
    return [
        asked
        for item in parameters["TransactItems"]
        for kind, inner in item.items()
        for asked in asked_for("dynamodb", names.get(kind, "ConditionCheckItem"), inner, region, account)
    ]


def _keys(service: str, parameters: Parameters) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {}
    tags = parameters.get("Tags") or parameters.get("tags")
    if isinstance(tags, Mapping):
        tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    if tags:
        keys["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
        keys |= {f"aws:RequestTag/{tag['Key']}": (tag.get("Value", ""),) for tag in tags}
    elif "TagKeys" in parameters:  # they are taken away
        keys["aws:TagKeys"] = tuple(parameters["TagKeys"])
    if service == "route53" and "ChangeBatch" in parameters:
        changes = parameters["ChangeBatch"]["Changes"]
        sets = [change["ResourceRecordSet"] for change in changes]
        prefix = "route53:ChangeResourceRecordSets"
        keys[f"{prefix}Actions"] = tuple(change["Action"] for change in changes)
        keys[f"{prefix}NormalizedRecordNames"] = tuple(_normalized(each["Name"]) for each in sets)
        keys[f"{prefix}RecordTypes"] = tuple(each["Type"] for each in sets)
    if service == "cloudwatch" and "Namespace" in parameters:
        keys["cloudwatch:namespace"] = (parameters["Namespace"],)
    if service == "events" and "Entries" in parameters:
        keys["events:source"] = tuple(entry.get("Source", "") for entry in parameters["Entries"])
        keys["events:detail-type"] = tuple(entry.get("DetailType", "") for entry in parameters["Entries"])
    return keys


def _normalized(name: str) -> str:
    """A record's name as conditions have it: lower case, no final dot, an asterisk in octal."""
    return name.lower().rstrip(".").replace("*", "\\052")


def _made(action: str, resources: list[str]) -> str:
    """Which of the resources is the new one, and gets the tags: the one that the action's name speaks of."""
    kinds = {
        "rds:CreateDBInstance": "db",
        "rds:CreateGlobalCluster": "global-cluster",
        "rds:CreateDBClusterSnapshot": "cluster-snapshot",
        "rds:CreateDBClusterParameterGroup": "cluster-pg",
        "rds:CreateDBParameterGroup": "pg",
        "rds:CreateDBCluster": "cluster",
        "rds:RestoreDBClusterToPointInTime": "cluster",
        "secretsmanager:CreateSecret": "Secret",
        "dynamodb:CreateTable": "table",
    }
    if action not in kinds:
        raise UnknownCallError(f"{action} with tags: teach local/aws/permissions/calls.py what it makes")
    return next(each for each in resources if is_of_type(action.partition(":")[0], kinds[action], each))


def _passed_roles(parameters: Parameters, where: _Place) -> Iterator[Asked]:
    for parameter, taken_by in _PASSED.items():
        if role := parameters.get(parameter):
            yield Asked("iam:PassRole", where.arn("iam", "role", role), {"iam:PassedToService": (taken_by,)})
