"""The page as it is deployed, and what its functions may do."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from stacks.approval_grants import identity
from stacks.approval_page import BURST, REQUESTS_PER_S, ApprovalPage
from stacks.config import ClusterConfig, ConfigError
from tests.stacks.synthesis import Assembly, text


def test_the_page_is_one_path_that_is_read_or_answered_by_one_function(assembly: Assembly) -> None:
    routes = assembly.of_type("AWS::ApiGatewayV2::Route").values()
    assert {route["RouteKey"] for route in routes} == {"GET /{release_id}", "POST /{release_id}"}
    assert {route.get("AuthorizationType", "NONE") for route in routes} == {"NONE"}
    for integration in assembly.of_type("AWS::ApiGatewayV2::Integration").values():
        assert integration["PayloadFormatVersion"] == "2.0"
        function = assembly.template["Resources"][text(integration["IntegrationUri"]).strip("<>")]
        assert function["Properties"]["FunctionName"] == "bluegreen-shop-ApprovalPage"


def test_requests_are_limited_and_logged_without_what_a_link_is_made_of(assembly: Assembly) -> None:
    (stage,) = assembly.of_type("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": REQUESTS_PER_S, "ThrottlingBurstLimit": BURST}
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert "$context.status" in logged
    assert not logged & {"$context.path", "$context.http.path", "$context.domainName", "$context.authorizer.error"}
    assert not any("query" in each or "path" in each.lower() for each in logged)


def test_requests_are_kept_encrypted_and_forgotten_in_the_end(assembly: Assembly) -> None:
    (table,) = (
        each
        for each in assembly.of_type("AWS::DynamoDB::Table").values()
        if each["KeySchema"][0]["AttributeName"] == "release_id" and each["KeySchema"][1]["AttributeName"] == "request"
    )
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "delete_after", "Enabled": True}


def test_only_those_that_take_answers_may_answer_a_release_and_only_this_one(assembly: Assembly) -> None:
    answering = {
        state: statement
        for state in assembly.functions
        for statement in assembly.allowed(state)
        if any(action.startswith("states:SendTask") for action in statement["Action"])
    }
    assert set(answering) == {"RequestApproval", "ApprovalPage", "DecideApproval"}
    for statement in answering.values():
        assert statement["Action"] == ["states:SendTaskSuccess"]
        (resource,) = statement["Resource"]
        assert resource.endswith(":stateMachine:bluegreen-shop")


def test_the_key_of_links_is_made_up_and_read_by_who_signs_or_checks_them(assembly: Assembly) -> None:
    (key,) = (
        name
        for name, each in assembly.of_type("AWS::SecretsManager::Secret").items()
        if each["Name"] == "bluegreen/shop/approval-key"
    )
    reading = {
        state
        for state in assembly.functions
        for statement in assembly.allowed(state)
        if f"<{key}>" in statement["Resource"]
    }
    assert reading == {"RequestApproval", "ApprovalPage"}


def test_with_an_issuer_api_gateway_admits_none_without_a_token(block: dict[str, Any], tmp_path: Path) -> None:
    settings = {"approval_jwt_issuer": "https://login.shop.example", "approval_jwt_audience": ["releases"]}
    config = ClusterConfig.from_context("shop", block | settings | {"approval_page_url": "https://ok.shop.example"})
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Test")
    page = ApprovalPage(stack, "Page", config)
    assert page.url == "https://ok.shop.example"
    function = lambda_.Function(
        stack, "F", runtime=lambda_.Runtime.PYTHON_3_13, handler="handler", code=lambda_.Code.from_inline("-")
    )
    page.serve(function)
    shared: Any = SimpleNamespace(config=config)
    identity(function, shared)
    made = Assembly(dict(Template.from_stack(stack).to_json()), tmp_path, tmp_path)
    (authorizer,) = made.of_type("AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["AuthorizerType"] == "JWT"
    assert authorizer["JwtConfiguration"] == {"Audience": ["releases"], "Issuer": "https://login.shop.example"}
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    routes = made.of_type("AWS::ApiGatewayV2::Route").values()
    assert [route["AuthorizationType"] for route in routes] == ["JWT", "JWT"]
    (deployed,) = made.of_type("AWS::Lambda::Function").values()
    assert deployed["Environment"]["Variables"] == {"IDENTITY_CLAIM": "email"}


@pytest.mark.parametrize(
    "settings", [{"approval_jwt_issuer": "https://login.shop.example"}, {"approval_jwt_audience": ["releases"]}]
)
def test_issuer_and_audience_come_together(block: dict[str, Any], settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="approval_jwt_audience: expected with approval_jwt_issuer"):
        ClusterConfig.from_context("shop", block | settings)


def test_links_that_would_lead_browsers_to_an_api_that_wants_a_token_are_refused(block: dict[str, Any]) -> None:
    settings = {"approval_jwt_issuer": "https://login.shop.example", "approval_jwt_audience": ["releases"]}
    with pytest.raises(ConfigError, match=r"approval_page_url: missing; .* answers it with 401"):
        ClusterConfig.from_context("shop", block | settings)
