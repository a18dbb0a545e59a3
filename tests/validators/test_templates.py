"""The synthesized templates against cfn-lint and cdk-nag; what is acknowledged is in stacks/acknowledged.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.node import use_node
from tests.stacks.synthesis import ROOT, run_app

BELONG_TO_THE_CDK = "W3005"
"""It names dependencies that follow from references as well."""


@pytest.fixture(scope="module")
def synthesized() -> Path:
    """Where the application was synthesized with cdk-nag looking on; its asset is kept for the next time."""
    use_node()
    folder = ROOT / "build" / "validated"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_NAG", "1")
        synthesis = run_app(folder)
    assert synthesis.returncode == 0, synthesis.stderr
    return folder


def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(synthesized: Path) -> None:
    report = json.loads((synthesized / "validation-report.json").read_text())
    (plugin,) = report["pluginReports"]
    assert (plugin["pluginName"], plugin["conclusion"]) == ("AwsSolutions", "success")
    assert plugin["violations"] == []


def test_cfn_lint_finds_nothing(synthesized: Path) -> None:
    templates = sorted(map(str, synthesized.glob("*.template.json")))
    assert templates
    command = [sys.executable, "-m", "cfnlint", "--ignore-checks", BELONG_TO_THE_CDK, "--", *templates]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
