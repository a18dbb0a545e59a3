"""Synthesis by `python app.py`, as a user would run it, and ways to read what comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "tests-stacks"  # kept from run to run: an unchanged asset is not packaged again


@dataclass(frozen=True, slots=True)
class Assembly:
    """The synthesized application."""

    template: dict[str, Any]
    asset: Path  # the functions' folder
    layer: Path  # that of the parser

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of the resources of a type, by logical id."""
        resources = self.template["Resources"]
        return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Properties of the functions, by the name of their state."""
        found = self.of_type("AWS::Lambda::Function").values()
        return {properties["FunctionName"].rsplit("-", 1)[1]: properties for properties in found}

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What the stack allows the role of this logical id, with `Action` and `Resource` as lists of text."""
        return [
            {**statement, "Action": _listed(statement["Action"]), "Resource": _listed(statement["Resource"])}
            for policy in self.of_type("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def allowed(self, state: str) -> list[dict[str, Any]]:
        """What a state's function may do."""
        return self.statements(self.functions[state]["Role"]["Fn::GetAtt"][0])


def _listed(value: Any) -> list[str]:
    return [text(each) for each in (value if isinstance(value, list) else [value])]


def text(value: Any) -> str:
    """A value of a template with `<LogicalId>` where CloudFormation would put what it has made.

    >>> text({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam"]]})
    'arn:<AWS::Partition>:iam'
    """
    if isinstance(value, str):
        return value
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(text, parts))
    raise AssertionError(f"unexpected in a template: {value!r}")


def states_of(machine: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All states of a definition with their names, those of branches included."""
    for name, state in machine["States"].items():
        yield name, state
        for branch in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from states_of(branch)


def run_app(output: Path, context: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs `python app.py`, with the context that the `cdk` command would hand over if there is one."""
    environment = {key: value for key, value in os.environ.items() if key not in ("CDK_CONTEXT_JSON", "JSII_NODE")}
    environment["CDK_OUTDIR"] = str(output)
    if context is not None:
        environment["CDK_CONTEXT_JSON"] = json.dumps(context)
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")], env=environment, capture_output=True, text=True, check=False
    )
