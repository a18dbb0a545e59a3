"""Deployments and releases keep out of each other's way, against moto's CloudFormation, DynamoDB and Step Functions."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import botocore.exceptions
import pytest

from bluegreen import records
from bluegreen.errors import ReleaseInProgress
from bluegreen.model import Plan
from stacks import deploying, guard, processes
from stacks.config import ClusterConfig, ConfigError
from stacks.green_account_config import GreenAccountConfig
from stacks.guard import DeploymentRefused
from tests.waiting import eventually

ACCOUNT = "123456789012"
"""Moto's."""

MACHINES = {
    "StateMachineArn": "",
    "RecoveryStateMachineArn": "-recovery",
    "DecommissionStateMachineArn": "-decommission",
}


class Account:
    """An account with the stacks of some clusters, and what `cdk` was asked to do in it."""

    def __init__(self) -> None:
        block = json.loads(Path("cdk.json").read_text(encoding="utf-8"))["context"]["clusters"]["shop"]
        self.configs = [
            ClusterConfig.from_context(name, {**block, "cluster_pattern": f"{name}-*"}) for name in ("shop", "till")
        ]
        self.calls: list[Sequence[str]] = []
        self.during: Any = lambda: None
        self.is_unwanted: Callable[[], bool] = lambda: False
        self.fails = False
        self.result = 0
        self.expired = False
        """Whether credentials are no good any more."""
        self.machines: dict[str, str] = {}
        self.status = ""
        """What CloudFormation says of every stack; moto is always done."""

    def deploy_stack(self, name: str) -> None:
        """As `cdk deploy` leaves it, as far as it matters here."""
        role = "arn:aws:iam::123456789012:role/any"
        definition = '{"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9, "End": true}}}'
        outputs: dict[str, Any] = {"LockTableName": {"Value": {"Ref": "Locks"}}}
        for key, suffix in MACHINES.items():
            made = boto3.client("stepfunctions").create_state_machine(
                name=f"bluegreen-{name}{suffix}", definition=definition, roleArn=role
            )
            self.machines[f"{name}{suffix}"] = made["stateMachineArn"]
            outputs[key] = {"Value": made["stateMachineArn"]}
        table = {
            "KeySchema": [{"AttributeName": "cluster", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "cluster", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "TableName": f"locks-{name}",
        }
        kept = {"Type": "AWS::DynamoDB::Table", "Properties": table, "DeletionPolicy": "Retain"}
        template = {"Resources": {"Locks": kept}, "Outputs": outputs}
        boto3.client("cloudformation").create_stack(StackName=f"BlueGreen-{name}", TemplateBody=json.dumps(template))

    def run(self, command: str, rest: Sequence[str] = (), *, force: bool = False) -> int:
        def cdk(arguments: Sequence[str], is_unwanted: Callable[[], bool]) -> int:
            self.calls.append(arguments)
            self.is_unwanted = is_unwanted
            self.during()
            if self.fails:
                raise KeyboardInterrupt
            return self.result

        return deploying.carry_out(command, self.configs, rest, self.client, cdk, force=force)

    def client(self, service: str, region: str) -> Any:
        def tell(parsed: dict[str, Any], **_: Any) -> None:
            for stack in parsed.get("Stacks", ()):
                stack["StackStatus"] = self.status or stack["StackStatus"]

        made = boto3.client(service, region)

        def expire(**_: Any) -> None:
            if self.expired:
                raise botocore.exceptions.UnauthorizedSSOTokenError

        made.meta.events.register("before-send", expire)
        made.meta.events.register("after-call.cloudformation.DescribeStacks", tell)
        return made

    def start(self, machine: str, **given: Any) -> str:
        started = boto3.client("stepfunctions").start_execution(
            stateMachineArn=self.machines[machine], input=json.dumps(given)
        )
        return str(started["executionArn"])


def locks(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=f"locks-{name}")["Items"]
    return found


@pytest.fixture
def account() -> Account:
    made = Account()
    made.deploy_stack("shop")  # the other one is new
    return made


def test_a_deployment_holds_the_lock_as_long_as_it_lasts_and_a_release_is_told_so(account: Account, plan: Plan) -> None:
    dynamodb = boto3.client("dynamodb")

    def release() -> None:
        with pytest.raises(
            ReleaseInProgress, match=r"shop is locked by a deployment by arn:aws:\S+ since 2\S+Z \(run \w+\): release"
        ):
            records.acquire_lock(dynamodb, "locks-shop", plan)
        assert records.plan_under_way(dynamodb, "locks-shop", "shop") is None
        assert records.locked_plan(dynamodb, "locks-shop", "shop", plan.execution_arn) is None

    account.during = release
    assert account.run("deploy", ["--require-approval", "never"]) == 0
    given = ["--require-approval", "never", "--context", f"account={ACCOUNT}"]
    assert account.calls == [["deploy", "BlueGreen-shop", "BlueGreen-till", *given]], "and to no other account"
    assert locks("shop") == []


def test_the_lock_is_given_back_by_a_deployment_that_fails(account: Account) -> None:
    account.fails = True
    with pytest.raises(KeyboardInterrupt):
        account.run("deploy")
    assert locks("shop") == []


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_the_lock_stays_while_cloudformation_goes_on_after_an_interruption(
    account: Account, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        account.status, account.fails = status, True

    account.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        account.run("deploy")
    assert len(locks("shop")) == 1
    said = capsys.readouterr().err
    assert f"The lock stays. shop: CloudFormation is still at work on BlueGreen-shop ({status})" in said
    assert "python -m stacks.deploying unlock shop" in said
    with pytest.raises(DeploymentRefused, match=f"still at work on BlueGreen-shop .{status}"):
        account.run("unlock")
    assert len(locks("shop")) == 1
    account.status = "UPDATE_ROLLBACK_COMPLETE"
    assert account.run("unlock") == 0
    assert locks("shop") == []


@pytest.mark.parametrize("result", [0, 1])
def test_what_cdk_has_ended_with_is_told_although_nobody_can_give_the_lock_back(
    account: Account, result: int, capsys: pytest.CaptureFixture[str]
) -> None:
    account.during = lambda: setattr(account, "expired", True)
    account.result = result
    assert account.run("deploy") == result
    account.expired = False
    assert len(locks("shop")) == 1
    said = capsys.readouterr().err
    assert "The lock of shop stays: The SSO session" in said
    assert "python -m stacks.deploying unlock shop" in said


@pytest.mark.parametrize("error", [botocore.exceptions.NoCredentialsError(), ConfigError("no such")])
def test_what_will_not_do_is_told_from_what_is_under_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise error

    monkeypatch.setattr(deploying, "carry_out", fail)
    assert deploying.main(["deploy"]) == deploying.UNUSABLE
    assert str(error) in capsys.readouterr().err
    error = DeploymentRefused("shop is being released")
    assert deploying.main(["deploy"]) == deploying.REFUSED


def test_the_end_of_a_pipelines_time_closes_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    def stop(*_: Any, **__: Any) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            return 0
        finally:
            closed.append("a lock")

    monkeypatch.setattr(deploying, "carry_out", stop)
    with pytest.raises(SystemExit) as left:
        deploying.main(["deploy"])
    assert left.value.code == 128 + signal.SIGTERM
    assert closed


def test_cdk_is_run_by_the_node_of_the_virtual_environment_with_all_that_may_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: Sequence[str], cwd: Path, env: dict[str, str], is_unwanted: Callable[[], bool]) -> int:
        node, npx, *rest = command
        assert os.access(node, os.X_OK)
        assert Path(npx).is_file()
        assert rest == ["--yes", deploying.CDK, "deploy", "BlueGreen-shop"]
        assert (cwd / "cdk.json").is_file()
        assert env["PATH"] == os.environ["PATH"]
        assert "CDK_A" not in env
        return 7 if is_unwanted() else 0

    monkeypatch.setenv("CDK_A", "other")
    monkeypatch.setattr(processes, "run", run)
    assert deploying._cdk(["deploy", "BlueGreen-shop"], lambda: True) == 7


def test_the_lock_of_a_deployment_that_lives_is_not_given_back(account: Account) -> None:
    """It may be uploading, or asking whether to go on: CloudFormation knows of nothing then."""

    def unlock() -> None:
        with pytest.raises(
            DeploymentRefused, match=r"by a deployment by arn:\S+ since \S+ \(run \w+\), which was alive at 2\S+Z"
        ):
            account.run("unlock")
        assert len(locks("shop")) == 1
        assert account.run("unlock", force=True) == 0, "who knows that it is dead"
        assert locks("shop") == []

    account.during = unlock
    assert account.run("deploy") == deploying.LOST, "although cdk had ended well before anybody noticed"


def test_a_deployment_says_that_it_lives_as_long_as_the_lock_is_its_own(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BEAT_S", 0.01)

    def live() -> None:
        boto3.client("dynamodb").update_item(
            TableName="locks-shop", Key={"cluster": {"S": "shop"}}, UpdateExpression="REMOVE alive_at"
        )
        eventually(lambda: "alive_at" in locks("shop")[0])
        assert not account.is_unwanted()

    account.during = live
    assert account.run("deploy") == 0
    assert locks("shop") == []


def test_a_deployment_that_loses_its_lock_is_ended_and_says_so(
    account: Account, plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "BEAT_S", 0.01)

    def lose() -> None:
        assert account.run("unlock", force=True) == 0
        records.acquire_lock(boto3.client("dynamodb"), "locks-shop", plan)
        eventually(account.is_unwanted)

    account.during = lose
    assert account.run("deploy") == deploying.LOST
    said = capsys.readouterr().err
    assert "shop: this deployment has lost its lock" in said
    assert "describe-stack-events --stack-name BlueGreen-shop" in said
    assert "The lock stays" not in said
    assert records.plan_under_way(boto3.client("dynamodb"), "locks-shop", "shop") == plan, "it is the release's"


def test_a_lock_that_is_taken_by_a_request_whose_answer_was_lost_is_its_own(account: Account) -> None:
    """The requests of two deployments by the same person, at the same second, are told apart."""
    holders = []

    def twice(service: str, region: str) -> Any:
        made = account.client(service, region)
        if service == "dynamodb":
            put = made.put_item

            def put_again(**asked: Any) -> Any:
                holders.append(asked["Item"]["execution_arn"]["S"])
                put(**asked)
                return put(**asked)

            made.put_item = put_again
        return made

    def deploy() -> int:
        return deploying.carry_out("deploy", account.configs[:1], [], twice, lambda *_: len(locks("shop")))

    assert [deploy(), deploy()] == [1, 1]
    assert len(set(holders)) == 2


def test_a_deployment_by_other_means_is_in_the_way_as_well(account: Account) -> None:
    account.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    with pytest.raises(DeploymentRefused, match="CloudFormation is still at work on BlueGreen-shop"):
        account.run("deploy")
    assert account.calls == []
    assert locks("shop") == [], "it was not there before"


def test_a_refusal_stays_one_although_the_lock_cannot_be_given_back(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        account.expired = True
        raise DeploymentRefused("still at work")

    monkeypatch.setattr(guard.Guard, "_require_idle", refuse)
    with pytest.raises(DeploymentRefused, match="still at work"):
        account.run("deploy")
    assert "The lock of shop stays: " in capsys.readouterr().err


def test_the_lock_is_given_back_when_the_stack_is_gone(account: Account) -> None:
    def remove() -> None:
        assert len(locks("shop")) == 1
        boto3.client("cloudformation").delete_stack(StackName="BlueGreen-shop")

    account.during = remove
    assert account.run("destroy") == 0
    assert locks("shop") == [], "the table stays"


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_nothing_is_deployed_whose_lock_is_not_held(account: Account, command: str) -> None:
    for rest in (["--force", "BlueGreen-crm"], ["--app", "cdk.out"]):
        with pytest.raises(ConfigError):
            account.run(command, rest)
    assert account.calls == []
    assert locks("shop") == []


@pytest.mark.parametrize("command", ["deploy", "diff", "destroy"])
def test_credentials_of_another_account_than_the_configured_one_are_refused(account: Account, command: str) -> None:
    green = SimpleNamespace(blue_account_id="999999999999")
    account.configs[0] = dataclasses.replace(account.configs[0], green_account=cast(GreenAccountConfig, green))
    with pytest.raises(ConfigError, match=f"blue_account_id: expected 999999999999, .* are of {ACCOUNT}"):
        account.run(command)
    assert account.calls == []


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_nothing_is_deployed_nor_removed_under_a_release(account: Account, plan: Plan, command: str) -> None:
    records.acquire_lock(boto3.client("dynamodb"), "locks-shop", plan)
    with pytest.raises(
        DeploymentRefused, match=f"shop is being released by {plan.execution_arn}. Approve or reject it"
    ):
        account.run(command)
    assert account.calls == []
    assert records.plan_under_way(boto3.client("dynamodb"), "locks-shop", "shop") == plan


def test_one_that_is_under_way_in_one_of_several_clusters_stops_all_and_leaves_no_lock(
    account: Account, plan: Plan
) -> None:
    account.deploy_stack("till")
    records.acquire_lock(boto3.client("dynamodb"), "locks-till", dataclasses.replace(plan, cluster_name="till"))
    with pytest.raises(DeploymentRefused, match="till is being released"):
        account.run("deploy")
    assert account.calls == []
    assert locks("shop") == []


@pytest.mark.parametrize("machine", ["shop", "shop-recovery", "shop-decommission"])
def test_an_execution_that_holds_no_lock_is_in_the_way_as_well(account: Account, machine: str) -> None:
    arn = account.start(machine, mode="check")
    with pytest.raises(DeploymentRefused, match=f"still at work: {arn}. Wait for it to end, or stop it"):
        account.run("deploy")
    assert locks("shop") == []
    boto3.client("stepfunctions").stop_execution(executionArn=arn)
    assert account.run("deploy") == 0


def test_a_decommission_that_waits_for_its_time_is_in_the_way_of_a_removal_only(account: Account) -> None:
    account.start("shop-decommission", release_id="20261123-0405-abcdef", not_before="9999-12-31T23:59:59Z")
    assert account.run("deploy") == 0
    with pytest.raises(DeploymentRefused, match="a decommission that waits to end a blue would never do so"):
        account.run("destroy")
    account.start("shop-decommission", release_id="20261123-0405-abcdef", not_before="2026-01-01T00:00:00Z")
    with pytest.raises(DeploymentRefused, match="still at work"):
        account.run("deploy")


def test_the_lock_of_a_deployment_that_was_killed_is_given_back_by_hand_and_a_releases_is_not(
    account: Account, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb = boto3.client("dynamodb")
    alive_at = f"{datetime.now(UTC) - guard.DEAD_AFTER:%Y-%m-%dT%H:%M:%SZ}"
    by = "deployment by somebody since 2026-11-23T04:05:06Z"
    item = {"cluster": {"S": "shop"}, "execution_arn": {"S": by}, "alive_at": {"S": alive_at}}
    dynamodb.put_item(TableName="locks-shop", Item=item)
    with pytest.raises(DeploymentRefused, match=r"python -m stacks\.deploying unlock shop"):
        account.run("deploy")
    assert account.run("unlock") == 0
    assert f"shop: was locked by {by}" in capsys.readouterr().out
    assert locks("shop") == []
    records.acquire_lock(dynamodb, "locks-shop", plan)
    with pytest.raises(DeploymentRefused, match="is being released by"):
        account.run("unlock")
    assert len(locks("shop")) == 1


def test_looking_at_a_difference_needs_no_lock(account: Account, plan: Plan) -> None:
    records.acquire_lock(boto3.client("dynamodb"), "locks-shop", plan)
    assert account.run("diff") == 0
    assert account.calls == [["diff", "BlueGreen-shop", "BlueGreen-till", "--context", f"account={ACCOUNT}"]]


def test_a_cluster_that_is_not_configured_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploying.main(["deploy", "shoop"]) == deploying.UNUSABLE
    assert "clusters.shoop: there is no such block in cdk.json; there are shop" in capsys.readouterr().err
