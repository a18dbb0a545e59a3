"""The template as it was when somebody last looked at it: a change shows in review. `make snapshot` renews it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.synthesis import OUTPUT, Assembly

SNAPSHOTS = Path(__file__).parent / "snapshots"


def test_the_templates_are_as_they_were(assembly: Assembly, pytestconfig: pytest.Config) -> None:
    templates = {path.name: path for path in OUTPUT.glob("BlueGreen-shop*.template.json")}
    assert assembly.template in [json.loads(path.read_text()) for path in templates.values()]
    now = {name: normalized(json.loads(path.read_text())) for name, path in templates.items()}
    if pytestconfig.option.renew:
        for path in SNAPSHOTS.glob("*.json"):
            path.unlink()
        for name, text in now.items():
            (SNAPSHOTS / name).write_text(text)
    before = {path.name: path.read_text() for path in SNAPSHOTS.glob("*.json")}
    changed = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
    assert changed == [], "the templates have changed: look at what `make snapshot` makes of it, and commit that"


def normalized(template: dict[str, Any]) -> str:
    """Without what changes with every function's code, and without the state machines, which are files of their own."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            resource["Properties"]["DefinitionString"] = "<statemachine/*.asl.json>"
        resource.pop("Metadata", None)
    return re.sub(r"[0-9a-f]{64}", "<asset>", json.dumps(template, indent=1, sort_keys=True)) + "\n"
