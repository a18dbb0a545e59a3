"""The state machine and what belongs to it: one name in four spellings, the request event, topic, lock and outputs."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from stacks import functions, workflow
from stacks.config import ClusterConfig
from stacks.functions import FUNCTIONS
from stacks.workflow import DefinitionError, fill_in
from tests.stacks import synthesis
from tests.stacks.synthesis import ROOT, Assembly, states_of, text

Machine = dict[str, Any]


@pytest.fixture(scope="session")
def template(assembly: Assembly) -> Template:
    return Template.from_json(assembly.template)


@pytest.fixture(scope="session")
def deployed(assembly: Assembly) -> Machine:
    """The definition as deployed, with the logical ids of functions and topic in angle brackets."""
    (machine,) = assembly.of_type("AWS::StepFunctions::StateMachine").values()
    found: Machine = json.loads(text(machine["DefinitionString"]))
    return found


def of_functions(machine: Machine) -> dict[str, Machine]:
    return {name: state for name, state in states_of(machine) if "FunctionArn}" in str(state.get("Resource"))}


def test_every_state_has_its_function_its_handler_and_its_construct(definition: Machine, assembly: Assembly) -> None:
    states = of_functions(definition)
    assert {name: state["Resource"] for name, state in states.items()} == {
        row.state: f"${{{row.placeholder}}}" for row in FUNCTIONS
    }
    assert set(assembly.functions) == set(states)
    handlers = {path.stem for path in (ROOT / "lambdas" / "handlers").glob("*.py")} - {"__init__", "entry"}
    assert handlers == {row.module for row in FUNCTIONS}
    for row in FUNCTIONS:
        assert assembly.functions[row.state]["Handler"] == f"handlers.{row.module}.handler"


def test_every_state_calls_the_function_of_its_name_once_deployed(deployed: Machine, assembly: Assembly) -> None:
    resources = assembly.template["Resources"]
    for name, state in states_of(deployed):
        if match := re.fullmatch(r"<(\w+)>", str(state.get("Resource"))):
            assert resources[match[1]]["Properties"]["FunctionName"] == f"bluegreen-shop-{name}"


def test_nothing_is_left_to_fill_in_after_synthesis(deployed: Machine, definition: Machine) -> None:
    assert "${" not in json.dumps(deployed)
    assert [name for name, _ in states_of(deployed)] == [name for name, _ in states_of(definition)]


def test_a_state_waits_longer_than_its_function_may_run(definition: Machine, assembly: Assembly) -> None:
    """Otherwise the state machine goes on while the function still works; in the freeze it must, at the budget."""
    for name, state in of_functions(definition).items():
        if "TimeoutSeconds" in state:
            assert state["TimeoutSeconds"] > assembly.functions[name]["Timeout"], name


def test_messages_go_to_the_topic(deployed: Machine, assembly: Assembly) -> None:
    (topic,) = assembly.of_type("AWS::SNS::Topic")
    publishing = [state for _, state in states_of(deployed) if "sns:publish" in str(state.get("Resource"))]
    assert publishing
    assert {state["Parameters"]["TopicArn"] for state in publishing} == {f"<{topic}>"}


def test_a_placeholder_that_nothing_stands_behind_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"\$\{PongFunctionArn\}: no such placeholder; there are PingFunctionArn"):
        fill_in('{"Resource": "${PongFunctionArn}"}', {"PingFunctionArn": "arn"})


def test_the_state_machine_is_traced_and_logs_without_the_data_that_tokens_are_in(template: Template) -> None:
    template.has_resource_properties(
        "AWS::StepFunctions::StateMachine",
        {
            "StateMachineName": "bluegreen-shop",
            "StateMachineType": Match.absent(),  # STANDARD is the default: an express one cannot wait for days
            "TracingConfiguration": {"Enabled": True},
            "LoggingConfiguration": {"Level": "ALL", "IncludeExecutionData": False},
            "DefinitionSubstitutions": Match.absent(),
        },
    )


def test_the_state_machine_may_call_the_functions_and_publish_and_no_more(assembly: Assembly) -> None:
    (machine,) = assembly.of_type("AWS::StepFunctions::StateMachine").values()
    (topic,) = assembly.of_type("AWS::SNS::Topic")
    functions_ids = set(assembly.of_type("AWS::Lambda::Function"))
    allowed = assembly.statements(machine["RoleArn"]["Fn::GetAtt"][0])
    named = [statement for statement in allowed if statement["Resource"] != ["*"]]
    assert {tuple(statement["Action"]): set(statement["Resource"]) for statement in named} == {
        ("lambda:InvokeFunction",): {f"<{name}>" for name in functions_ids},
        ("sns:Publish",): {f"<{topic}>"},
    }


@pytest.mark.parametrize("arn", ["", "arn:aws:lambda:eu-west-2:123456789012:function:pause-the-shop"])
def test_the_state_machine_may_call_the_customers_function_if_there_is_one_and_only_that(
    arn: str, block: dict[str, Any], tmp_path: Path
) -> None:
    config = ClusterConfig.from_context("shop", {**block, "freeze_hook_function_arn": arn})
    definition = tmp_path / "machine.json"
    definition.write_text('{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}')
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path / "out")), "Test")
    workflow.release_machine(stack, config, {"PingFunctionArn": ping(stack)}, sns.Topic(stack, "Topic"), definition)
    made = Assembly(dict(Template.from_stack(stack).to_json()), tmp_path)
    (machine,) = made.of_type("AWS::StepFunctions::StateMachine").values()
    (called,) = (
        set(statement["Resource"])
        for statement in made.statements(machine["RoleArn"]["Fn::GetAtt"][0])
        if statement["Action"] == ["lambda:InvokeFunction"]
    )
    assert called == {"<Ping>", arn} - {""}


def ping(stack: cdk.Stack) -> Any:
    """A function that stands for the stack's own."""
    function = lambda_.CfnFunction(
        stack,
        "Ping",
        code=lambda_.CfnFunction.CodeProperty(zip_file="pass"),
        role="arn:aws:iam::123456789012:role/ping",
    )
    return SimpleNamespace(function_arn=function.attr_arn)


def test_a_request_for_this_cluster_on_the_default_bus_starts_the_state_machine(
    template: Template, assembly: Assembly
) -> None:
    (machine,) = assembly.of_type("AWS::StepFunctions::StateMachine")
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventBusName": Match.absent(),
            "EventPattern": {
                "source": ["release.pipeline"],
                "detail-type": ["Release Requested"],
                "detail": {"cluster": ["shop"]},
            },
            "Targets": [Match.object_like({"Arn": {"Ref": machine}, "InputPath": "$.detail"})],
        },
    )


def test_the_topic_is_encrypted_takes_only_tls_and_mails_every_approver(
    template: Template, assembly: Assembly, block: dict[str, Any]
) -> None:
    (topic,) = assembly.of_type("AWS::SNS::Topic").values()
    assert text(topic["KmsMasterKeyId"]).endswith(":alias/aws/sns")
    template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": [
                    Match.object_like(
                        {
                            "Effect": "Deny",
                            "Action": "sns:Publish",
                            "Principal": "*",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    )
                ]
            }
        },
    )
    subscriptions = assembly.of_type("AWS::SNS::Subscription").values()
    assert [(each["Protocol"], each["Endpoint"]) for each in subscriptions] == [
        ("email", address) for address in block["approver_emails"]
    ]


def test_locks_outlive_the_stack_and_can_be_restored(template: Template) -> None:
    template.has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "KeySchema": [{"AttributeName": "cluster", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {"SSEEnabled": True},
            },
        },
    )


def test_the_releases_password_is_made_up_and_is_nowhere_in_the_template(template: Template) -> None:
    template.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "Name": "bluegreen/shop/release-role",
            "SecretString": Match.absent(),
            "GenerateSecretString": {
                "SecretStringTemplate": '{"username": "bluegreen_release"}',
                "GenerateStringKey": "password",
            },
        },
    )


def test_the_outputs_are_what_an_operator_needs(assembly: Assembly) -> None:
    assert set(assembly.template["Outputs"]) == {
        "StateMachineArn",
        "ApprovalTopicArn",
        "ReleaseSecretArn",
        "LockTableName",
    }


@pytest.mark.parametrize("module", [functions, workflow, synthesis], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
