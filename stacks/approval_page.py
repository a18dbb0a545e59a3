"""The page on which a release is approved: an HTTP API with one function behind it.

Whoever has a link may answer; with an issuer in the configuration, API Gateway admits none but those who bring one of
its tokens as well. Browsers send none by themselves: the page is then reached through a proxy that signs people in and
passes their token on in the header Authorization (``approval_page_url``).
"""

from __future__ import annotations

import json

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.config import ClusterConfig
from stacks.observability import log_group
from stacks.policies import resource_name

REQUESTS_PER_S, BURST = 10, 20
"""For all who look at the page together: people are slower, and whoever tries signatures gets nowhere."""

PATH = "/{release_id}"

_LOGGED = ("requestId", "requestTime", "identity.sourceIp", "httpMethod", "routeKey", "status", "responseLatency")
"""Neither path nor query of a request: a link's signature is in its query. ``routeKey`` is what the route is called."""


class ApprovalPage(Construct):
    """The HTTP API. It is made before the functions, which are told its address, and gets its routes after them."""

    def __init__(self, scope: Construct, identifier: str, config: ClusterConfig) -> None:
        super().__init__(scope, identifier)
        self._config = config
        self._api = apigateway.HttpApi(
            self,
            "Api",
            api_name=f"{resource_name(config)}-approval",
            description=f"The page on which releases of {config.name} are approved",
            create_default_stage=False,
        )
        self.url = config.approval_page_url or self._api.api_endpoint
        self._add_stage()

    def _add_stage(self) -> None:
        """With a limit of requests, and a log without what a link is made of.

        API Gateway lets itself write to the group when the stage is made (API Gateway Developer Guide, "Configure
        logging for HTTP APIs"): whoever deploys has to be allowed to manage deliveries of logs.
        """
        log = log_group(self, "Requests", f"/aws/vendedlogs/{resource_name(self._config)}-approval")
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self._api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=REQUESTS_PER_S, burst_limit=BURST),
        )
        resource = stage.node.default_child
        if not isinstance(resource, apigateway.CfnStage):
            raise TypeError(f"the CDK makes something else of a stage: {resource}")
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log.log_group_arn,
            format=json.dumps({name: f"$context.{name}" for name in _LOGGED}),
        )

    def serve(self, function: lambda_.Function) -> None:
        """GET and POST of the page go to this function."""
        integration = integrations.HttpLambdaIntegration(
            "Function", function, payload_format_version=apigateway.PayloadFormatVersion.VERSION_2_0
        )
        authorizer = None
        if self._config.approval_jwt_issuer:
            authorizer = authorizers.HttpJwtAuthorizer(
                "SignedIn", self._config.approval_jwt_issuer, jwt_audience=list(self._config.approval_jwt_audience)
            )
        self._api.add_routes(
            path=PATH,
            methods=[apigateway.HttpMethod.GET, apigateway.HttpMethod.POST],
            integration=integration,
            authorizer=authorizer,
        )
