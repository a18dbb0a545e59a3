"""When the monitor runs, which release it watches, and what it leaves behind; on moto."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from bluegreen import evidence, records
from bluegreen.model import Cluster, Plan
from bluegreen.monitor.measuring import METRICS, Figures, Slots
from bluegreen.monitor.schedule import Schedule
from tests.unit.test_entry import CONTEXT
from tests.unit.test_entry import entry as entry

GREEN = Cluster("shop-20261123-0405-abcdef", "green.example.com", 5432)
NOW = datetime(2026, 11, 23, 22, 0, 0, 7000, tzinfo=UTC)
RULE = "bluegreen-shop-monitor"
FIGURES = Figures(
    "app",
    blue=Slots("extended", 5_000, 0),
    lag_bytes=70,
    slot_active=True,
    green=Slots("reserved", 9_000, 0),
    apply_errors=0,
    lag_s=0.0213,
)


@pytest.fixture
def schedule() -> Schedule:
    dynamodb, events = boto3.client("dynamodb"), boto3.client("events")
    for name, keys in {"locks": ["cluster"], "samples": ["release_id", "at"]}.items():
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    events.put_rule(Name=RULE, ScheduleExpression="rate(1 minute)", State="DISABLED")
    return Schedule(dynamodb, events, RULE, "locks", "samples", "shop")


def state(schedule: Schedule) -> str:
    return str(schedule.events.describe_rule(Name=RULE)["State"])


def samples(schedule: Schedule) -> list[dict[str, Any]]:
    return list(schedule.dynamodb.scan(TableName="samples")["Items"])


def test_the_rule_is_enabled_by_a_release_and_disabled_by_the_first_call_that_finds_none(
    schedule: Schedule, plan: Plan
) -> None:
    records.acquire_lock(schedule.dynamodb, "locks", plan)
    assert schedule.watched() is None, "green follows nobody yet"
    for _ in range(2):
        schedule.begin(plan, GREEN)
        assert state(schedule) == "ENABLED"
    assert schedule.watched() == (plan, GREEN)
    assert state(schedule) == "ENABLED"
    records.release_lock(schedule.dynamodb, "locks", "shop", plan.execution_arn)
    assert schedule.watched() is None
    assert state(schedule) == "DISABLED"


def test_a_release_that_has_lost_its_lock_is_not_watched(schedule: Schedule, plan: Plan) -> None:
    schedule.begin(plan, GREEN)
    assert state(schedule) == "DISABLED"
    assert records.plan_under_way(schedule.dynamodb, "locks", "shop") is None, "and no lock comes of it"


def test_a_lock_that_is_taken_before_green_is_there_leaves_the_rule_as_it_is(schedule: Schedule, plan: Plan) -> None:
    schedule.events.enable_rule(Name=RULE)
    records.acquire_lock(schedule.dynamodb, "locks", plan)
    assert schedule.watched() is None
    assert state(schedule) == "ENABLED"


def test_a_release_that_begins_while_the_rule_is_disabled_is_watched_all_the_same(
    schedule: Schedule, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    disable = schedule.events.disable_rule

    def begin_first(**arguments: Any) -> None:
        records.acquire_lock(schedule.dynamodb, "locks", plan)
        schedule.begin(plan, GREEN)
        disable(**arguments)

    monkeypatch.setattr(schedule.events, "disable_rule", begin_first)
    assert schedule.watched() == (plan, GREEN)
    assert state(schedule) == "ENABLED"


def test_a_sample_is_kept_by_release_and_time_for_ninety_days(schedule: Schedule, plan: Plan) -> None:
    for _ in range(2):
        schedule.keep(plan, {"app": FIGURES.sample()}, NOW)
    (item,) = samples(schedule)
    assert item["release_id"] == {"S": plan.release_id}
    assert item["at"] == {"S": "2026-11-23T22:00:00.007Z"}
    assert item["expires_at"] == {"N": str(int(NOW.timestamp()) + 90 * 86_400)}
    assert json.loads(item["sample"]["S"]) == {
        "databases": {
            "app": {
                "lag_bytes": 70,
                "lag_s": 0.0213,
                "apply_errors": 0,
                "retained_bytes": 9_000,
                "slot_active": True,
                "wal_status": "extended",
            }
        }
    }


@pytest.mark.usefixtures("entry")
def test_a_call_measures_publishes_and_keeps_what_it_could_measure(
    schedule: Schedule, plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"LOCK_TABLE": "locks", "SAMPLE_TABLE": "samples", "MONITOR_RULE": RULE}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RELEASE_SECRET_ARN", "secret")
    monkeypatch.setenv("DATABASE_TLS", "disable")
    handler = importlib.import_module("handlers.monitor_lag")
    asked: list[float] = []
    sessions: list[Any] = []
    half = Figures("crm", blue=FIGURES.blue, lag_bytes=1, slot_active=False, failure="green does not answer")

    def measure(databases: Any, watched: Plan, green: Cluster, patience_s: float) -> list[Figures]:
        assert (watched, green) == (plan, GREEN)
        asked.append(patience_s)
        sessions.append(databases)
        return [FIGURES, half]

    monkeypatch.setattr(handler, "measure", measure)
    assert handler.handler({}, CONTEXT) == {"watched": None}
    records.acquire_lock(schedule.dynamodb, "locks", plan)
    endpoint = {"identifier": GREEN.identifier, "host": GREEN.host, "port": 5432}
    for event in ({"plan": plan.to_state(), "green": endpoint}, {}):
        assert handler.handler(event, CONTEXT) == {"watched": plan.release_id, "databases": 2}
    assert asked == [0, handler.PATIENCE_S], "the release does not wait for a sentinel"
    assert sessions[0] is not sessions[1], "each call signs in anew, and so meets a rotation"
    assert {name for item in samples(schedule) for name in json.loads(item["sample"]["S"])["databases"]} == {"app"}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    published = [line for line in lines if line.get("database") == "app" and "_aws" in line]
    (directive,) = published[0]["_aws"]["CloudWatchMetrics"]
    assert [set(dimensions) for dimensions in directive["Dimensions"]] == [
        {"cluster", "service"},
        {"cluster", "service", "database"},
    ]
    assert {metric["Name"] for metric in directive["Metrics"]} == set(METRICS)
    failed = next(line for line in lines if line.get("database") == "crm" and "_aws" in line)
    assert (failed["MonitorFailures"], failed["SlotsIdle"]) == ([1.0], [1.0])
    assert "ApplyErrors" not in failed, "what is not known is not published"


def test_an_approver_is_told_that_nobody_measures() -> None:
    failed = {"monitor_failure": {"Error": "AwsRefused\nApproval: given", "Cause": "EnableRule"}}
    (line,) = evidence.watch_lines(failed)
    assert "NOT being measured" in line
    assert "\n" not in line
    assert evidence.watch_lines({}) == []
