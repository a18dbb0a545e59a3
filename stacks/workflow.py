"""The state machine, and the event that starts it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.config import ClusterConfig
from stacks.grants import resource_name
from stacks.observability import log_group
from stacks.packaging import ROOT

DEFINITION = ROOT / "statemachine" / "release.asl.json"


class DefinitionError(Exception):
    """The state machine's definition holds a placeholder that nothing stands behind."""


def release_machine(
    scope: Construct,
    config: ClusterConfig,
    functions: Mapping[str, lambda_.Function],
    topic: sns.Topic,
    definition: Path = DEFINITION,
) -> stepfunctions.StateMachine:
    """The state machine that makes a release; its role may call the functions and publish, no more.

    The functions are those of the stack, and the customer's own that stops and starts the application, if there is one.
    """
    name = resource_name(config)
    arns = {placeholder: function.function_arn for placeholder, function in functions.items()}
    values = {**arns, "ApprovalTopicArn": topic.topic_arn, "Region": config.region}
    machine = stepfunctions.StateMachine(
        scope,
        "Release",
        state_machine_name=name,
        definition_body=stepfunctions.DefinitionBody.from_string(fill_in(definition.read_text(), values)),
        tracing_enabled=True,
        logs=stepfunctions.LogOptions(
            # The prefix keeps the policy on log deliveries, which has a limit of size, from growing with every group.
            destination=log_group(scope, "ReleaseLogs", f"/aws/vendedlogs/states/{name}"),
            level=stepfunctions.LogLevel.ALL,
            include_execution_data=False,  # task tokens are in it
        ),
    )
    callable_arns = [*arns.values(), *filter(None, [config.freeze_hook_function_arn])]
    machine.add_to_role_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=callable_arns))
    topic.grant_publish(machine)
    return machine


def fill_in(definition: str, values: Mapping[str, str]) -> str:
    """Puts the values in the place of the placeholders `${…}`; raises DefinitionError at one without a value.

    Not CloudFormation's DefinitionSubstitutions: a definition that is whole in the template runs in the emulator too.

    >>> fill_in('{"Resource": "${PingFunctionArn}"}', {"PingFunctionArn": "arn:…:ping"})
    '{"Resource": "arn:…:ping"}'
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise DefinitionError(f"${{{match[1]}}}: no such placeholder; there are {', '.join(sorted(values))}")
        return values[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, definition)


def start_on_request(scope: Construct, config: ClusterConfig, machine: stepfunctions.StateMachine) -> None:
    """A pipeline starts a release by an event on the account's default bus; its detail is the execution's input."""
    events.Rule(
        scope,
        "ReleaseRequested",
        description=f"Starts a release of {config.name}",
        event_pattern=events.EventPattern(
            source=[config.event_source], detail_type=["Release Requested"], detail={"cluster": [config.name]}
        ),
        targets=[
            targets.SfnStateMachine(
                machine,
                input=events.RuleTargetInput.from_event_path("$.detail"),
                # A request that could not be delivered for so long is a surprise to whoever sent it.
                max_event_age=cdk.Duration.minutes(15),
            )
        ],
    )
