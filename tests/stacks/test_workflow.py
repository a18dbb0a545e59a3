"""The state machines and what belongs to them: one name in four spellings, events, topic, lock and outputs."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Iterator
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
from stacks.functions import BESIDE_THE_STATES, FUNCTIONS
from stacks.workflow import DefinitionError, fill_in
from tests.stacks import synthesis
from tests.stacks.synthesis import ROOT, Assembly, states_of, text

DECOMMISSION = "bluegreen-shop-decommission"

Machine = dict[str, Any]
Machines = dict[str, Machine]


@pytest.fixture(scope="session")
def template(assembly: Assembly) -> Template:
    return Template.from_json(assembly.template)


@pytest.fixture(scope="session")
def deployed(assembly: Assembly) -> Machines:
    """The definitions as deployed, with the logical ids of functions and topic in angle brackets."""
    machines = assembly.of_type("AWS::StepFunctions::StateMachine").values()
    return {machine["StateMachineName"]: json.loads(text(machine["DefinitionString"])) for machine in machines}


def all_states(machines: Machines) -> Iterator[tuple[str, Machine]]:
    for machine in machines.values():
        yield from states_of(machine)


def called(state: Machine) -> str:
    """The function that a state runs, by itself or waiting for an answer; the definition's, or a logical id."""
    return str(state.get("Parameters", {}).get("FunctionName", state.get("Resource")))


def of_functions(machines: Machines) -> list[tuple[str, Machine]]:
    """But AskForCorrection, which runs the function of RequestApproval."""
    states = [(name, state) for name, state in all_states(machines) if "FunctionArn}" in called(state)]
    return [(name, state) for name, state in states if name != "AskForCorrection"]


def approval_topic(assembly: Assembly) -> str:
    """The logical id of the topic that the state machines publish to."""
    topics = assembly.of_type("AWS::SNS::Topic").items()
    (found,) = (each for each, properties in topics if properties["DisplayName"].startswith("Releases of "))
    return found


def logical_id(assembly: Assembly, name: str) -> str:
    """The logical id of the state machine of this name."""
    machines = assembly.of_type("AWS::StepFunctions::StateMachine").items()
    (found,) = (each for each, properties in machines if properties["StateMachineName"] == name)
    return found


def test_every_state_has_its_function_its_handler_and_its_construct(definitions: Machines, assembly: Assembly) -> None:
    states = of_functions(definitions)
    assert {(name, called(state)) for name, state in states} == {
        (row.state, f"${{{row.placeholder}}}") for row in FUNCTIONS if row not in BESIDE_THE_STATES
    }
    assert set(assembly.functions) == {row.state for row in FUNCTIONS}
    handlers = {path.stem for path in (ROOT / "lambdas" / "handlers").glob("*.py")} - {"__init__", "entry"}
    assert handlers == {row.module for row in FUNCTIONS}
    for row in FUNCTIONS:
        assert assembly.functions[row.state]["Handler"] == f"handlers.{row.module}.handler"


def test_every_state_calls_the_function_of_its_name_once_deployed(deployed: Machines, assembly: Assembly) -> None:
    resources = assembly.template["Resources"]
    for name, state in all_states(deployed):
        if match := re.fullmatch(r"<(\w+)>", str(state.get("Resource"))):
            assert resources[match[1]]["Properties"]["FunctionName"] == f"bluegreen-shop-{name}"


def test_nothing_is_left_to_fill_in_after_synthesis(deployed: Machines, definitions: Machines) -> None:
    assert "${" not in json.dumps(deployed)
    assert set(deployed) == set(definitions)
    for name, machine in deployed.items():
        assert [state for state, _ in states_of(machine)] == [state for state, _ in states_of(definitions[name])]


def test_a_state_waits_longer_than_its_function_may_run(definitions: Machines, assembly: Assembly) -> None:
    """Otherwise the state machine goes on while the function still works; in the freeze it must, at the budget."""
    for name, state in of_functions(definitions):
        if "TimeoutSeconds" in state:
            assert state["TimeoutSeconds"] > assembly.functions[name]["Timeout"], name


def test_messages_go_to_the_topic(deployed: Machines, assembly: Assembly) -> None:
    topic = approval_topic(assembly)
    publishing = [state for _, state in all_states(deployed) if "sns:publish" in str(state.get("Resource"))]
    assert publishing
    assert {state["Parameters"]["TopicArn"] for state in publishing} == {f"<{topic}>"}


def test_a_placeholder_that_nothing_stands_behind_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"\$\{PongFunctionArn\}: no such placeholder; there are PingFunctionArn"):
        fill_in('{"Resource": "${PongFunctionArn}"}', {"PingFunctionArn": "arn"})


def test_state_machines_are_traced_and_log_without_the_data_that_tokens_are_in(template: Template) -> None:
    template.all_resources_properties(
        "AWS::StepFunctions::StateMachine",
        {
            "StateMachineType": Match.absent(),  # STANDARD is the default: an express one cannot wait for days
            "TracingConfiguration": {"Enabled": True},
            "LoggingConfiguration": {"Level": "ALL", "IncludeExecutionData": False},
            "DefinitionSubstitutions": Match.absent(),
        },
    )


def test_a_state_machine_may_call_its_own_functions_and_publish_and_no_more(
    assembly: Assembly, deployed: Machines
) -> None:
    topic = approval_topic(assembly)
    function_ids = {f"<{name}>" for name in assembly.of_type("AWS::Lambda::Function")}
    for machine in assembly.of_type("AWS::StepFunctions::StateMachine").values():
        used = {called(state) for _, state in states_of(deployed[machine["StateMachineName"]])}
        allowed = assembly.statements(machine["RoleArn"]["Fn::GetAtt"][0])
        named = [statement for statement in allowed if statement["Resource"] != ["*"]]
        assert {tuple(statement["Action"]): set(statement["Resource"]) for statement in named} == {
            ("lambda:InvokeFunction",): used & function_ids,
            ("sns:Publish",): {f"<{topic}>"},
            ("events:PutEvents",): {"arn:aws:events:eu-west-2:<AWS::AccountId>:event-bus/default"},
        }
        (telling,) = (statement for statement in named if statement["Action"] == ["events:PutEvents"])
        assert telling["Condition"] == {"StringEquals": {"events:source": "bluegreen.release"}}


@pytest.mark.parametrize("machine", ["release", "recovery", "decommission"])
@pytest.mark.parametrize("setting", ["freeze_hook_function_arn", "hook_function_arn"])
@pytest.mark.parametrize("arn", ["", "arn:aws:lambda:eu-west-2:123456789012:function:pause-the-shop"])
def test_a_state_machine_may_call_the_customers_function_if_there_is_one_that_it_calls(
    arn: str, setting: str, machine: str, block: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ClusterConfig.from_context("shop", {**block, setting: arn})
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path / "out")), "Test")
    calls = f""", "States": {{"Call": {{"FunctionName.$": "$.plan.{setting}"}}}}""" if machine != "decommission" else ""
    monkeypatch.setattr(workflow, "STATE_MACHINES", tmp_path)
    (tmp_path / f"{machine}.asl.json").write_text(f'{{"StartAt": "${{PingFunctionArn}}"{calls}}}')
    make = getattr(workflow, f"{machine}_machine")
    make(stack, config, {"PingFunctionArn": ping(stack)}, sns.Topic(stack, "Topic"))
    made = Assembly(dict(Template.from_stack(stack).to_json()), tmp_path, tmp_path)
    (role,) = (each["RoleArn"] for each in made.of_type("AWS::StepFunctions::StateMachine").values())
    (allowed,) = (
        set(statement["Resource"])
        for statement in made.statements(role["Fn::GetAtt"][0])
        if statement["Action"] == ["lambda:InvokeFunction"]
    )
    assert allowed == {"<Ping>", arn if calls else ""} - {""}


@pytest.mark.parametrize("machine", ["release", "recovery", "decommission"])
def test_the_definitions_call_the_customers_functions_by_the_paths_that_permissions_go_by(machine: str) -> None:
    definition = (workflow.STATE_MACHINES / f"{machine}.asl.json").read_text()
    called = set(re.findall(r'"FunctionName\.\$": "([^"]+)"', definition))
    customers = {"$.plan.freeze_hook_function_arn", "$.plan.hook_function_arn"}
    assert called == (set() if machine == "decommission" else customers)


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
    machine = logical_id(assembly, "bluegreen-shop")
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


def test_a_release_that_ends_badly_starts_the_recovery_with_what_it_needs_to_look(
    template: Template, assembly: Assembly
) -> None:
    recovery = logical_id(assembly, "bluegreen-shop-recovery")
    transformer = {
        "InputPathsMap": {
            "detail-executionArn": "$.detail.executionArn",
            "detail-status": "$.detail.status",
        },
        "InputTemplate": '{"execution_arn":<detail-executionArn>,"status":<detail-status>}',
    }
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": [{"Ref": logical_id(assembly, "bluegreen-shop")}],
                    "status": ["ABORTED", "FAILED", "TIMED_OUT"],
                },
            },
            "Targets": [Match.object_like({"Arn": {"Ref": recovery}, "InputTransformer": transformer})],
        },
    )


def test_a_request_for_a_decommission_starts_it(template: Template, assembly: Assembly) -> None:
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["release.pipeline"],
                "detail-type": ["Decommission Requested"],
                "detail": {"cluster": ["shop"]},
            },
            "Targets": [
                Match.object_like({"Arn": {"Ref": logical_id(assembly, DECOMMISSION)}, "InputPath": "$.detail"})
            ],
        },
    )


def test_a_cluster_that_aws_starts_after_seven_days_starts_the_decommission(
    template: Template, assembly: Assembly
) -> None:
    template.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.rds"],
                "detail-type": ["RDS DB Cluster Event"],
                "detail": {"EventID": ["RDS-EVENT-0153"], "SourceIdentifier": [{"prefix": "shop-"}]},
            },
            "Targets": [
                Match.object_like(
                    {
                        "Arn": {"Ref": logical_id(assembly, DECOMMISSION)},
                        "InputTransformer": {
                            "InputPathsMap": {
                                "detail-SourceIdentifier": "$.detail.SourceIdentifier",
                                "time": "$.time",
                            },
                            "InputTemplate": (
                                '{"cluster_identifier":<detail-SourceIdentifier>,"end":"stop","restarted_at":<time>}'
                            ),
                        },
                    }
                )
            ],
        },
    )


def test_a_release_orders_the_end_of_blue_from_the_machine_that_ends_clusters(assembly: Assembly) -> None:
    variables = assembly.functions["CompleteRelease"]["Environment"]["Variables"]
    assert text(variables["DECOMMISSION_ARN"]).endswith(f":stateMachine:{DECOMMISSION}")
    assert logical_id(assembly, DECOMMISSION)


def test_the_topic_is_encrypted_takes_only_tls_and_mails_every_approver(
    template: Template, assembly: Assembly, block: dict[str, Any]
) -> None:
    topic = assembly.of_type("AWS::SNS::Topic")[approval_topic(assembly)]
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
    ours = {"Ref": approval_topic(assembly)}
    subscriptions = [each for each in assembly.of_type("AWS::SNS::Subscription").values() if each["TopicArn"] == ours]
    assert [(each["Protocol"], each["Endpoint"]) for each in subscriptions] == [
        ("email", address) for address in block["approver_emails"]
    ]


@pytest.mark.parametrize(
    "keys",
    [
        [{"AttributeName": "cluster", "KeyType": "HASH"}],
        [{"AttributeName": "cluster", "KeyType": "HASH"}, {"AttributeName": "release_id", "KeyType": "RANGE"}],
    ],
    ids=["locks", "releases"],
)
def test_locks_and_releases_outlive_the_stack_and_can_be_restored(
    template: Template, keys: list[dict[str, str]]
) -> None:
    template.has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "KeySchema": keys,
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
        "RecoveryStateMachineArn",
        "DecommissionStateMachineArn",
        "ReleaseTableName",
        "ReportBucketName",
        "ApprovalTopicArn",
        "ApprovalPageUrl",
        "ApprovalTableName",
        "DecideFunctionName",
        "ReleaseSecretArn",
        "LockTableName",
        "SampleTableName",
        "OperationsTopicArn",
        "UndeliveredEventsUrl",
    }


@pytest.mark.parametrize("module", [functions, workflow, synthesis], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
