"""API Gateway: HTTP APIs as our template makes them. moto has neither their resource types nor what serves them."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from moto.core.common_models import CloudFormationModel

_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Description:
    """An HTTP API, put together from its resources."""

    region: str
    endpoint: str
    routes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Properties by the key, such as ``GET /{release_id}``."""
    integrations: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def function(self, route: dict[str, Any]) -> str:
        """The ARN of the function behind a route."""
        return str(self.integrations[route["Target"].removeprefix("integrations/")]["IntegrationUri"])


APIS: dict[str, Description] = {}
"""All that were made, by their id."""


def endpoint(api_id: str, region: str) -> str:
    """Where an API is reached; the emulator puts an address of its own in the place of this."""
    return f"https://{api_id}.execute-api.{region}.amazonaws.com"


class _Made:
    """A resource that is no more than its physical id, which Ref gives."""

    def __init__(self, physical_resource_id: str) -> None:
        self.physical_resource_id = physical_resource_id


class HttpApi(_Made, CloudFormationModel):
    """The API itself, which knows where it is reached."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGatewayV2::Api"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in ("ApiEndpoint", "ApiId")

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """What Fn::GetAtt gives."""
        if attribute_name == "ApiEndpoint":
            return APIS[self.physical_resource_id].endpoint
        return self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_kwargs: Any
    ) -> HttpApi:
        api_id = secrets.token_hex(5)
        APIS[api_id] = Description(region_name, endpoint(api_id, region_name))
        return cls(api_id)


class _Part(_Made):
    """A resource of an API, kept with it under a key."""

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def keep(cls, api: Description, identifier: str, properties: dict[str, Any]) -> None:
        """Adds it to the API."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_kwargs: Any
    ) -> Any:
        properties = cloudformation_json["Properties"]
        made = cls(f"part{next(_NUMBERS)}")
        cls.keep(APIS[properties["ApiId"]], made.physical_resource_id, properties)
        return made


class HttpIntegration(_Part, CloudFormationModel):
    """What is behind a route."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGatewayV2::Integration"

    @classmethod
    def keep(cls, api: Description, identifier: str, properties: dict[str, Any]) -> None:
        api.integrations[identifier] = properties


class HttpRoute(_Part, CloudFormationModel):
    """A method and a path."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGatewayV2::Route"

    @classmethod
    def keep(cls, api: Description, identifier: str, properties: dict[str, Any]) -> None:
        api.routes[properties["RouteKey"]] = properties


class HttpStage(_Part, CloudFormationModel):
    """What of an API is served, and how it is logged."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGatewayV2::Stage"

    @classmethod
    def keep(cls, api: Description, identifier: str, properties: dict[str, Any]) -> None:
        api.stages[properties["StageName"]] = properties


class HttpAuthorizer(_Part, CloudFormationModel):
    """Who may call a route. Nothing here could verify a token: routes that demand one refuse everybody."""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::ApiGatewayV2::Authorizer"
