"""CloudFormation: the resource types of our template that moto skips with a warning."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

from . import http_apis as http_apis


def install() -> None:
    """moto finds the classes below by itself, but remembers what it found before they were there."""
    for remembered in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        remembered.cache_clear()


class _Physical:
    """A resource that is no more than its physical id, which Ref gives."""

    def __init__(self, physical_resource_id: str) -> None:
        self.physical_resource_id = physical_resource_id


class Secret(_Physical, CloudFormationModel):
    """A secret with a password made up by Secrets Manager."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_kwargs: Any
    ) -> Secret:
        properties = cloudformation_json["Properties"]
        generate = properties["GenerateSecretString"]
        alphabet = string.ascii_letters + string.digits
        password = "".join(secrets.choice(alphabet) for _ in range(int(generate.get("PasswordLength", 32))))
        value = json.loads(generate["SecretStringTemplate"]) | {generate["GenerateStringKey"]: password}
        created = secretsmanager_backends[account_id][region_name].create_secret(
            name=resource_name,
            secret_string=json.dumps(value),
            secret_binary=None,
            description=properties.get("Description"),
            tags=None,
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(json.loads(created)["ARN"])


class TopicSubscription(_Physical, CloudFormationModel):
    """A subscription of its own, as the CDK writes them; moto knows those inside a topic."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::Subscription"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_kwargs: Any
    ) -> TopicSubscription:
        properties = cloudformation_json["Properties"]
        topic, endpoint, protocol = (properties[key] for key in ("TopicArn", "Endpoint", "Protocol"))
        return cls(sns_backends[account_id][region_name].subscribe(topic, endpoint, protocol).arn)


class _Inert(_Physical):
    """A resource that changes nothing here."""

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def create_from_cloudformation_json(cls, resource_name: str, *_args: Any, **_kwargs: Any) -> Any:
        return cls(resource_name)


class TopicPolicy(_Inert, CloudFormationModel):
    """Who may publish: policies of resources are not judged."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SNS::TopicPolicy"


class BucketPolicy(_Inert, CloudFormationModel):
    """Who may read and write."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::S3::BucketPolicy"


class QueuePolicy(_Inert, CloudFormationModel):
    """Who may send."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SQS::QueuePolicy"


class EventInvokeConfig(_Inert, CloudFormationModel):
    """How often Lambda calls a function again that failed: here it never does."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Lambda::EventInvokeConfig"


class Alarm(_Physical, CloudFormationModel):
    """An alarm: nothing here evaluates it, since metrics are only lines in the logs of functions."""

    def __init__(self, name: str, arn: str) -> None:
        super().__init__(name)
        self._arn = arn

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """The only one that there is."""
        return {"Arn": self._arn}[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_kwargs: Any
    ) -> Alarm:
        return cls(resource_name, f"arn:aws:cloudwatch:{region_name}:{account_id}:alarm:{resource_name}")
