"""The synthesized templates against cfn-lint and cdk-nag; what is acknowledged is in stacks/acknowledged.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.node import use_node
from tests.stacks.synthesis import ROOT, run_app

use_node()  # before aws_cdk is imported

import aws_cdk as cdk  # noqa: E402
from aws_cdk import aws_s3 as s3  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

BELONG_TO_THE_CDK = "W3005"
"""It names dependencies that follow from references as well."""


@pytest.fixture(scope="module")
def synthesized() -> Path:
    """Where the application was synthesized with cdk-nag looking on; its asset is kept for the next time."""
    folder = ROOT / "build" / "validated"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CDK_NAG", "1")
        synthesis = run_app(folder)
    assert synthesis.returncode == 0, synthesis.stderr
    return folder


def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(synthesized: Path) -> None:
    report = json.loads((synthesized / "validation-report.json").read_text())
    assert report["pluginReports"] == []  # a plugin that is content is not in it


def test_cdk_nag_is_heard(tmp_path: Path) -> None:
    """A bucket that nothing was said about, in a stack beside the application's."""
    app = cdk.App(outdir=str(tmp_path))
    s3.CfnBucket(cdk.Stack(app, "Beside"), "Bucket")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(Exception, match="AwsSolutions-S1"):
        app.synth()


def test_cfn_lint_finds_nothing(synthesized: Path) -> None:
    templates = sorted(map(str, synthesized.glob("*.template.json")))
    assert templates
    runner = "from cfnlint.runner import main; main()"
    command = [sys.executable, "-c", runner, "--ignore-checks", BELONG_TO_THE_CDK, "--", *templates]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
