"""Releases by the other freeze methods: nothing is lost, and nobody with a stale answer writes to blue afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pg8000.native
import pytest

from local.clients.reconcile import reconcile
from local.clients.sample import Sample, create_sample
from local.clients.workload import Workload
from local.postgres.roles import create_role
from local.postgres.servers import Server
from local.release import Release
from local.world import World, world
from tests.e2e.conftest import HOOK_ARN, MACHINE, deploy_hook, orders_of, recover_soon, start
from tests.waiting import eventually

CHIEF = "Chief of 'all'"
"""All that an application's role can be on Aurora, where nobody is a superuser."""


@pytest.fixture(scope="module")
def running() -> Iterator[World]:
    overrides = {
        "freeze_method": "revoke_connect",
        "freeze_hook_function_arn": HOOK_ARN,
        "hook_function_arn": HOOK_ARN,
    }
    with world(latency_s=0.2, propagation_s=0.2, record_ttl_s=2, overrides=overrides) as made:
        made.emulator.retry_scale = 0.1
        recover_soon(made)
        yield made


@pytest.fixture(scope="module")
def sample(running: World) -> Sample:
    return create_sample(running.blue)


@pytest.fixture(scope="module")
def passwords(running: World, sample: Sample) -> dict[str, str]:
    """Of every role of the application."""
    chief = secrets.token_urlsafe(24)
    create_role(
        running.blue, CHIEF, chief, options="CREATEROLE CREATEDB BYPASSRLS", member_of=["rds_superuser", "app_owner"]
    )
    return sample.roles | {CHIEF: chief}


@pytest.fixture(scope="module")
def orders(running: World) -> Path:
    """What the customer's function was asked to do: it is called around every switchover, and by the freeze method."""
    return deploy_hook(running)


def refusal(server: Server, role: str, password: str) -> str:
    """The SQLSTATE with which a server refuses a role whose DNS answer is stale; empty if it lets the role in."""
    try:
        with closing(server.connect("app", role, password)):
            return ""
    except pg8000.native.DatabaseError as error:
        return str(error.args[0]["C"])


def switch_over(running: World, release_input: dict[str, str]) -> Release:
    release = start(running, release_input)
    release.wait_for_approval_request()
    release.answer("approve")
    assert release.wait()["status"] == "SUCCEEDED", release.failure()
    return release


def test_with_revoke_connect_nothing_is_lost_and_blue_refuses_every_role(
    running: World, sample: Sample, passwords: dict[str, str], orders: Path
) -> None:
    workload = Workload(sample, running.record, running.resolver, running.aurora.port)
    workload.start()
    try:
        eventually(lambda: workload.acknowledged > 50)
        release = switch_over(running, {})
        acknowledged = workload.acknowledged
        eventually(lambda: workload.acknowledged > acknowledged + 50)
    finally:
        workload.stop()
    green = running.production()
    assert green is not running.blue
    assert {role: refusal(running.blue, role, passwords[role]) for role in passwords} == dict.fromkeys(
        passwords, "42501"
    )
    assert {role: refusal(green, role, passwords[role]) for role in passwords} == dict.fromkeys(passwords, "")
    result = reconcile(sample, workload.journal, running.blue, green)
    assert result.findings == []
    assert result.blue_refuses_writes
    assert result.client_write_gap_ms is not None
    assert result.client_write_gap_ms > 0, "both sides took writes at once"
    asked = orders_of(orders, release)
    assert [order["phase"] for order in asked] == ["before_freeze", "after_opening"]
    assert (asked[1]["host"], asked[1]["records"][0]) == (green.address, "db.shop.internal")
    assert any(f"the function {HOOK_ARN}\nis called first" in mail.body for mail in release.mails())


def test_with_a_hook_the_customers_function_is_called_around_it_also_when_the_execution_is_stopped_in_between(
    running: World, passwords: dict[str, str], orders: Path
) -> None:
    blue = running.production()
    release = start(running, {"freeze_method": "hook"})
    release.wait_for_approval_request()
    stepfunctions = running.emulator.client("stepfunctions")
    running.emulator.functions.during(
        f"{MACHINE}-OpenGreen",
        after=lambda: stepfunctions.stop_execution(executionArn=release.execution_arn),
        unless=b'"warm": true',
    )
    release.answer("approve")
    assert release.wait()["status"] == "ABORTED"
    lock_table = running.stack.outputs["LockTableName"]
    eventually(lambda: not running.emulator.client("dynamodb").scan(TableName=lock_table)["Items"], timeout_s=60)
    asked = orders_of(orders, release)
    assert [order["phase"] for order in asked] == ["before_freeze", "freeze", "opened", "after_opening"]
    assert asked[0]["databases"] == ["app", "crm"]
    green = running.production()
    assert green is not blue
    assert {role: refusal(blue, role, passwords[role]) for role in passwords} == dict.fromkeys(passwords, "28000")
    assert {role: refusal(green, role, passwords[role]) for role in passwords} == dict.fromkeys(passwords, "")
