"""The three state machines, and the events that start them and that they send."""

from __future__ import annotations

import re
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from stacks.config import ClusterConfig
from stacks.observability import log_group
from stacks.packaging import ROOT
from stacks.policies import resource_name

STATE_MACHINES = ROOT / "statemachine"

EVENT_SOURCE = "bluegreen.release"
"""Of the events by which the state machines tell of their phases and outcomes (docs/events.md)."""


class DefinitionError(Exception):
    """The state machine's definition holds a placeholder that nothing stands behind."""


def release_machine(
    scope: Construct, config: ClusterConfig, functions: Mapping[str, lambda_.Function], topic: sns.Topic
) -> stepfunctions.StateMachine:
    """The state machine that makes a release."""
    return _machine(scope, "Release", resource_name(config), config, functions, topic)


def recovery_machine(
    scope: Construct, config: ClusterConfig, functions: Mapping[str, lambda_.Function], topic: sns.Topic
) -> stepfunctions.StateMachine:
    """The state machine that undoes or finishes a release whose execution died."""
    return _machine(scope, "Recovery", f"{resource_name(config)}-recovery", config, functions, topic)


def decommission_machine(
    scope: Construct, config: ClusterConfig, functions: Mapping[str, lambda_.Function], topic: sns.Topic
) -> stepfunctions.StateMachine:
    """The state machine that ends a cluster which a release has replaced."""
    return _machine(scope, "Decommission", f"{resource_name(config)}-decommission", config, functions, topic)


def _machine(
    scope: Construct,
    identifier: str,
    name: str,
    config: ClusterConfig,
    functions: Mapping[str, lambda_.Function],
    topic: sns.Topic,
) -> stepfunctions.StateMachine:
    """The machine of `statemachine/<identifier>.asl.json`; its role may call its functions and publish, no more.

    The functions are those of the stack, and the customer's own that the definition calls, if they are configured.
    """
    definition = (STATE_MACHINES / f"{identifier.lower()}.asl.json").read_text()
    arns = {placeholder: function.function_arn for placeholder, function in functions.items()}
    values = {**arns, "ApprovalTopicArn": topic.topic_arn, "Region": config.region, "ClusterName": config.name}
    machine = stepfunctions.StateMachine(
        scope,
        identifier,
        state_machine_name=name,
        definition_body=stepfunctions.DefinitionBody.from_string(fill_in(definition, values)),
        tracing_enabled=True,
        logs=stepfunctions.LogOptions(
            # The prefix keeps the policy on log deliveries, which has a limit of size, from growing with every group.
            destination=log_group(scope, f"{identifier}Logs", f"/aws/vendedlogs/states/{name}"),
            level=stepfunctions.LogLevel.ALL,
            include_execution_data=False,  # task tokens are in it
        ),
    )
    called = [arn for placeholder, arn in arns.items() if f"${{{placeholder}}}" in definition]
    customers = {
        "$.plan.freeze_hook_function_arn": config.freeze_hook_function_arn,
        "$.plan.hook_function_arn": config.hook_function_arn,
    }
    called += sorted({arn for path, arn in customers.items() if arn and f'"{path}"' in definition})
    machine.add_to_role_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=called))
    topic.grant_publish(machine)
    _tell(machine)
    return machine


def _tell(machine: stepfunctions.StateMachine) -> None:
    """The machine sends events of our own source to the account's default bus, and no others."""
    bus = cdk.Stack.of(machine).format_arn(service="events", resource="event-bus", resource_name="default")
    only = {"StringEquals": {"events:source": EVENT_SOURCE}}
    machine.add_to_role_policy(iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus], conditions=only))


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


def start_on_request(
    scope: Construct, config: ClusterConfig, machine: stepfunctions.StateMachine, dead_letters: sqs.IQueue
) -> None:
    """A pipeline starts a release by an event on the account's default bus; its detail is the execution's input."""
    _on_request(scope, config, machine, dead_letters, "Release", f"Starts a release of {config.name}")


def decommission_on_request(
    scope: Construct, config: ClusterConfig, machine: stepfunctions.StateMachine, dead_letters: sqs.IQueue
) -> None:
    """A pipeline ends a cluster in the same way."""
    _on_request(
        scope, config, machine, dead_letters, "Decommission", f"Starts a decommission of a cluster of {config.name}"
    )


def _on_request(
    scope: Construct,
    config: ClusterConfig,
    machine: stepfunctions.StateMachine,
    dead_letters: sqs.IQueue,
    asked: str,
    description: str,
) -> None:
    events.Rule(
        scope,
        f"{asked}Requested",
        description=description,
        event_pattern=events.EventPattern(
            source=[config.event_source], detail_type=[f"{asked} Requested"], detail={"cluster": [config.name]}
        ),
        targets=[
            targets.SfnStateMachine(
                machine,
                input=events.RuleTargetInput.from_event_path("$.detail"),
                # A request that could not be delivered for so long is a surprise to whoever sent it.
                max_event_age=cdk.Duration.minutes(15),
                dead_letter_queue=dead_letters,
            )
        ],
    )


def keep_stopped(
    scope: Construct, config: ClusterConfig, machine: stepfunctions.StateMachine, dead_letters: sqs.IQueue
) -> None:
    """AWS starts a cluster that has been stopped for seven days, and says so by this event (Aurora User Guide, "Amazon
    RDS event categories and event messages for Aurora"); the decommission sees whether it was one of its own."""
    prefix = config.cluster_pattern.removesuffix("*")
    events.Rule(
        scope,
        "ClusterStarted",
        description=f"Stops clusters of {config.name} again that a decommission had stopped",
        event_pattern=events.EventPattern(
            source=["aws.rds"],
            detail_type=["RDS DB Cluster Event"],
            detail={"EventID": ["RDS-EVENT-0153"], "SourceIdentifier": events.Match.prefix(prefix)},
        ),
        targets=[
            targets.SfnStateMachine(
                machine,
                input=events.RuleTargetInput.from_object(
                    {
                        "cluster_identifier": events.EventField.from_path("$.detail.SourceIdentifier"),
                        "end": "stop",
                        "restarted_at": events.EventField.time,
                    }
                ),
                dead_letter_queue=dead_letters,
            )
        ],
    )


def recover_the_dead(
    scope: Construct,
    config: ClusterConfig,
    machine: stepfunctions.StateMachine,
    recovery: stepfunctions.StateMachine,
    dead_letters: sqs.IQueue,
) -> None:
    """An execution of `machine` that ended badly starts the recovery, which sees whether that one had cleaned up."""
    events.Rule(
        scope,
        "ExecutionDied",
        description=f"Starts the recovery of releases of {config.name}",
        event_pattern=events.EventPattern(
            source=["aws.states"],
            detail_type=["Step Functions Execution Status Change"],
            detail={"stateMachineArn": [machine.state_machine_arn], "status": ["ABORTED", "FAILED", "TIMED_OUT"]},
        ),
        targets=[
            targets.SfnStateMachine(
                recovery,
                input=events.RuleTargetInput.from_object(
                    {
                        "execution_arn": events.EventField.from_path("$.detail.executionArn"),
                        "status": events.EventField.from_path("$.detail.status"),
                    }
                ),
                dead_letter_queue=dead_letters,
            )
        ],
    )
