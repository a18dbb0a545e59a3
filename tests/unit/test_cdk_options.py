"""What goes on to `cdk` with a deployment, and what does not."""

from __future__ import annotations

import pytest

from stacks import deploying
from stacks.cdk_options import environment, profile_of, require_known
from stacks.config import ConfigError


@pytest.mark.parametrize(
    "rest",
    [
        ["--all"],
        ["--all=true"],
        ["BlueGreen-crm"],
        ["--force", "BlueGreen-crm"],
        ["--force", "x/BlueGreen-crm"],
        ["-f", "shop"],
        ["--ci", "crm"],
        ["--force", "*"],
        ["--force", "@(BlueGreen-crm)"],
        ["--require-approval", "never", "Other"],
        ["--require-approval=never", "Other"],
        ["--", "BlueGreen-crm"],
    ],
)
def test_a_word_that_could_name_a_stack_is_refused(rest: list[str]) -> None:
    with pytest.raises(ConfigError, match="stacks are chosen by their blocks"):
        require_known(rest)


@pytest.mark.parametrize(
    "rest",
    [
        ["--region", "eu-west-1"],
        ["--app", "cdk.out"],
        ["-a", "cdk.out"],
        ["-c", "clusters={}"],
        ["--context=account=1"],
        ["--role-arn", "arn:aws:iam::123456789012:role/other"],
        ["--ec2creds"],
        ["--hotswap"],
        ["-fe"],
        ["--no-such"],
    ],
)
def test_an_option_that_leads_cdk_elsewhere_is_refused(rest: list[str]) -> None:
    with pytest.raises(ConfigError, match="not passed on to cdk"):
        require_known(rest)


@pytest.mark.parametrize(
    ("rest", "match"),
    [
        (["--force=BlueGreen-crm"], "takes no value"),
        (["--require-approval"], "takes a value"),
        (["--profile", "--force"], "takes a value"),
    ],
)
def test_an_option_has_its_value_and_no_other(rest: list[str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        require_known(rest)


def test_options_that_say_how_to_deploy_are_passed_on() -> None:
    require_known(["--force", "-vv", "--no-rollback", "--ci=true", "--tags", "team=shop", "-O", "x", "--profile=prod"])


def test_the_profile_of_cdk_is_the_guards_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert profile_of(["--force", "--profile", "prod"]) == "prod"
    assert profile_of(["--profile=prod"]) == "prod"
    assert profile_of(["--force"]) is None
    monkeypatch.setattr(deploying, "_cdk", lambda *_: pytest.fail("nothing is deployed with other credentials"))
    assert deploying.main(["deploy", "shop", "--", "--profile", "none-such"]) == deploying.UNUSABLE
    assert "The config profile (none-such) could not be found" in capsys.readouterr().err


def test_cdk_is_given_no_other_options_by_the_environment_either() -> None:
    kept = {"PATH": "/bin", "AWS_PROFILE": "prod", "CDK_NAG": "1", "CDK_DISABLE_CLI_TELEMETRY": "1"}
    options = [
        "CDK_APP",
        "CDK_PROFILE",
        "CDK_ROLE_ARN",
        "CDK_A",
        "CDK_app",
        "CDKAPP",
        "CDK_R",
        "CDK_C",
        "CDK_P",
        "Cdk_c",
        "CDK_CONTEXT_JSON",
    ]
    others = dict.fromkeys([*options, "CONTEXT_OVERFLOW_LOCATION_ENV"], "x")
    assert environment(kept | others) == kept
