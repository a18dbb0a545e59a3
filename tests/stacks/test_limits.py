"""Quotas that a deployment, or a release, would run into: of CloudFormation, Lambda, IAM and Step Functions.

Their figures are those of the developer guides' pages "Quotas"; a change of a quota is a change here.
"""

from __future__ import annotations

import json
from pathlib import Path

import boto3

from tests.stacks.synthesis import Assembly, states_of, text


def size_bytes(*folders: Path) -> int:
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def test_the_template_is_within_the_quotas_of_cloudformation(assembly: Assembly) -> None:
    assert len(json.dumps(assembly.template)) <= 1_000_000
    assert len(assembly.template["Resources"]) <= 500
    assert len(assembly.template.get("Outputs", {})) <= 200
    assert len(assembly.template.get("Parameters", {})) <= 200


def test_functions_are_within_the_quotas_of_lambda(assembly: Assembly) -> None:
    model = boto3.client("lambda", "eu-west-2").meta.service_model
    runtimes = model.shape_for("Runtime").enum
    for state, function in assembly.functions.items():
        assert function["Runtime"] in runtimes
        assert function["Timeout"] <= 900, state
        assert 128 <= function["MemorySize"] <= 10_240, state
        assert len(function["FunctionName"]) <= 64, state
        assert len(function["Description"]) <= 256, state
        assert len(function.get("Layers", ())) <= 5, state
        variables = function["Environment"]["Variables"]
        # What CloudFormation puts in, an ARN for instance, is longer than what stands for it: hence half.
        assert sum(len(name) + len(text(value).encode()) for name, value in variables.items()) <= 2_048, state
    assert size_bytes(assembly.asset, assembly.layer) <= 250 << 20


def test_the_policies_of_a_role_are_within_the_quotas_of_iam(assembly: Assembly) -> None:
    for name, role in assembly.of_type("AWS::IAM::Role").items():
        written = sum(len(json.dumps(each, separators=(",", ":"))) for each in assembly.statements(name))
        assert written <= 10_240, name
        assert len(role.get("ManagedPolicyArns", ())) <= 10, name


def test_state_machines_are_within_the_quotas_of_step_functions(assembly: Assembly) -> None:
    for machine in assembly.of_type("AWS::StepFunctions::StateMachine").values():
        definition = text(machine["DefinitionString"])
        assert len(definition.encode()) <= 1 << 20
        assert len(machine["StateMachineName"]) <= 80
        assert all(len(name) <= 80 for name, _ in states_of(json.loads(definition)))
