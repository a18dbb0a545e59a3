"""No deployment under a release: what is under way is looked for, and a release that would begin meanwhile is kept out.

Functions are replaced in place, under an execution that goes on by the definition it began with. So a deployment takes
the lock that releases take, for as long as it lasts, and is refused while a release has it, or while an execution of
any of the three state machines is at work. A decommission that waits for its time does nothing and goes on with
functions of whatever version; it is in the way of the stack's removal only.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

BEAT_S = 30
"""How often a deployment says in the lock that it lives."""

DEAD_AFTER = timedelta(minutes=5)
"""Ten beats: a computer that was asleep, or short of a network, is not dead yet."""

DEPLOYMENT = "deployment"
"""Begins what stands in the lock where a release has its execution's ARN."""


class DeploymentRefused(Exception):
    """Something is under way; the message names it and says how it ends."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a stack that is deployed says of itself by its outputs."""

    cluster: str
    lock_table: str
    machines: tuple[str, ...]

    @property
    def stack(self) -> str:
        return f"BlueGreen-{self.cluster}"

    @classmethod
    def find(cls, cloudformation: Any, cluster: str) -> Deployed | None:
        """None when there is no such stack yet, or it never came about."""
        stack = _described(cloudformation, f"BlueGreen-{cluster}")
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
        if "LockTableName" not in outputs:
            return None
        machines = [outputs[key] for key in sorted(outputs) if key.endswith("StateMachineArn")]
        return cls(cluster, outputs["LockTableName"], tuple(machines))


def _described(cloudformation: Any, stack: str) -> dict[str, Any]:
    """Empty when there is no such stack."""
    try:
        described: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # so CloudFormation says that there is none
            raise
        return {}
    return described


@dataclass(frozen=True, slots=True)
class Guard:
    """Keeps releases and deployments of one stack apart."""

    cloudformation: Any
    dynamodb: Any
    stepfunctions: Any
    deployed: Deployed
    who: str
    """Who deploys: the ARN of the caller."""

    @contextmanager
    def held(self, *, for_good: bool, now: datetime) -> Iterator[threading.Event]:
        """Nobody releases while this lasts, unless the lock is lost meanwhile, which is told and sets what is yielded.

        Raises ``DeploymentRefused`` when somebody releases already. All that deploys has ended when this is left.

        CloudFormation goes on when the command that asked it is interrupted, and functions are replaced still: the lock
        then stays, and is given back by hand. So it does when nobody can be asked any more, since credentials have
        expired: what came of the deployment is told all the same.

        for_good  the stack is to be removed, so that nothing would go on afterwards either
        """
        ours = f"{DEPLOYMENT} by {self.who} since {_text(now)} (run {secrets.token_hex(4)})"
        self._take(ours, now)
        try:
            self._require_idle(for_good, now)
        except BaseException:
            self._give_back(ours, has_deployed=False)
            raise
        over, lost = threading.Event(), threading.Event()
        beating = threading.Thread(target=self._keep_beating, args=(ours, over, lost), daemon=True)
        beating.start()
        try:
            yield lost
        finally:
            over.set()
            beating.join()
            if lost.is_set():
                self._tell_lost()
            else:
                self._give_back(ours, has_deployed=True)

    def _give_back(self, ours: str, *, has_deployed: bool) -> None:
        try:
            if has_deployed and (status := self._in_progress()):
                print(f"The lock stays. {self._goes_on(status)}", file=sys.stderr)
                self.beat(ours, datetime.now(UTC) - DEAD_AFTER)  # so that nobody has to wait for that as well
            else:
                self.unlock(ours)
        except (BotoCoreError, ClientError) as error:
            print(
                f"The lock of {self.deployed.cluster} stays: {error}. When CloudFormation has ended, with credentials "
                f"that are good: {self._unlocking} --force",
                file=sys.stderr,
            )

    def _tell_lost(self) -> None:
        """A computer that slept for minutes looks dead to others, and `--force` asks nobody."""
        stack = self.deployed.stack
        print(
            f"{self.deployed.cluster}: this deployment has lost its lock: somebody has given it back by unlock. Since "
            "then releases are admitted, and other deployments, so that cdk was ended. What CloudFormation had begun "
            f"goes on: look at aws cloudformation describe-stack-events --stack-name {stack}, and whether an execution "
            f"of bluegreen-{self.deployed.cluster} has begun. When both have ended, deploy again.",
            file=sys.stderr,
        )

    def _keep_beating(self, ours: str, over: threading.Event, lost: threading.Event) -> None:
        """Until the deployment is over, and once more then: what has lost its lock is not to end as if it had not."""
        while not lost.is_set():
            is_last = over.wait(BEAT_S)
            try:
                if not self.beat(ours, datetime.now(UTC)):
                    lost.set()
            except (BotoCoreError, ClientError):  # the next one may get through
                pass
            if is_last:
                return

    def beat(self, ours: str, now: datetime) -> bool:
        """Notes that the deployment lives, and returns whether the lock is still its own."""
        try:
            self.dynamodb.update_item(
                TableName=self.deployed.lock_table,
                Key=self._key,
                UpdateExpression="SET alive_at = :now",
                ConditionExpression="execution_arn = :ours",
                ExpressionAttributeValues={":ours": {"S": ours}, ":now": {"S": _text(now)}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def unlock(self, ours: str) -> None:
        """Gives the lock back, if it is still ours."""
        try:
            self.dynamodb.delete_item(
                TableName=self.deployed.lock_table,
                Key=self._key,
                ConditionExpression="execution_arn = :ours",
                ExpressionAttributeValues={":ours": {"S": ours}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return

    def unlock_whatever(self, now: datetime, *, force: bool) -> str:
        """Gives back the lock of a deployment that was killed, and returns whose it was; a release's stays.

        So does that of a deployment which still says that it lives, unless `force` says that it cannot: it may be
        uploading, or asking whether to go on, so that CloudFormation knows of nothing. And that of one with which
        CloudFormation is not done.
        """
        item = self._item()
        holder: str = item.get("execution_arn", {}).get("S", "")
        if holder.startswith(DEPLOYMENT):
            if status := self._in_progress():
                raise DeploymentRefused(self._goes_on(status))
            alive_at = item.get("alive_at", {}).get("S")
            if alive_at and now - datetime.fromisoformat(alive_at) < DEAD_AFTER and not force:
                raise DeploymentRefused(
                    f"{self.deployed.cluster} is locked by a {holder}, which was alive at {alive_at}. Wait for its end "
                    f"or end it; {DEAD_AFTER.seconds // 60} minutes later its lock can be given back. If you know that "
                    f"it is dead: {self._unlocking} --force"
                )
            self.unlock(holder)
            return holder
        if holder:
            raise DeploymentRefused(self._held_by(holder))
        return ""

    def _take(self, ours: str, now: datetime) -> None:
        """Its own lock is no refusal: boto3 repeats a request whose answer was lost."""
        try:
            self.dynamodb.put_item(
                TableName=self.deployed.lock_table,
                Item={**self._key, "execution_arn": {"S": ours}, "alive_at": {"S": _text(now)}},
                ConditionExpression="attribute_not_exists(#cluster) OR execution_arn = :ours",
                ExpressionAttributeNames={"#cluster": "cluster"},
                ExpressionAttributeValues={":ours": {"S": ours}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            holder = self._item().get("execution_arn", {}).get("S", "")
            raise DeploymentRefused(self._held_by(holder)) from error

    def _item(self) -> dict[str, Any]:
        """What stands in the lock; empty when nobody holds it."""
        found = self.dynamodb.get_item(TableName=self.deployed.lock_table, Key=self._key, ConsistentRead=True)
        item: dict[str, Any] = found.get("Item", {})
        return item

    def _held_by(self, holder: str) -> str:
        if holder.startswith(DEPLOYMENT):
            return f"{self.deployed.cluster} is locked by a {holder}. If that one is dead: {self._unlocking}"
        return (
            f"{self.deployed.cluster} is being released by {holder or 'an execution that has just ended'}. Approve or "
            "reject it, or stop it and wait for the mail of its recovery; then deploy again."
        )

    def _require_idle(self, for_good: bool, now: datetime) -> None:
        """Checks take no lock, neither do recoveries and decommissions, nor who deploys in another way."""
        if status := self._in_progress():
            raise DeploymentRefused(self._goes_on(status))
        busy = [
            execution["executionArn"]
            for machine in self.deployed.machines
            for page in self.stepfunctions.get_paginator("list_executions").paginate(
                stateMachineArn=machine, statusFilter="RUNNING"
            )
            for execution in page["executions"]
            if for_good or not self._waits(execution["executionArn"], now)
        ]
        if busy:
            raise DeploymentRefused(
                f"{self.deployed.cluster}: still at work: {', '.join(busy)}. Wait for it to end, or stop it"
                + (": a decommission that waits to end a blue would never do so." if for_good else ".")
            )

    def _in_progress(self) -> str:
        """The stack's status while CloudFormation is at work on it, cleaning up and rolling back included."""
        status: str = _described(self.cloudformation, self.deployed.stack).get("StackStatus", "")
        return status if status.endswith("_IN_PROGRESS") else ""

    def _goes_on(self, status: str) -> str:
        stack = self.deployed.stack
        return (
            f"{self.deployed.cluster}: CloudFormation is still at work on {stack} ({status}). Wait for it, or roll an "
            f"update back by aws cloudformation cancel-update-stack --stack-name {stack}. When it has ended: "
            f"{self._unlocking}"
        )

    def _waits(self, execution_arn: str, now: datetime) -> bool:
        """Whether it is a decommission that has nothing to do yet."""
        given = json.loads(self.stepfunctions.describe_execution(executionArn=execution_arn)["input"])
        not_before = given.get("not_before") if isinstance(given, dict) else None
        try:
            return isinstance(not_before, str) and datetime.fromisoformat(not_before) > now
        except (ValueError, TypeError):  # no time, or one of no zone
            return False

    @property
    def _unlocking(self) -> str:
        return f"python -m stacks.deploying unlock {self.deployed.cluster}"

    @property
    def _key(self) -> Mapping[str, Any]:
        return {"cluster": {"S": self.deployed.cluster}}


def _text(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
