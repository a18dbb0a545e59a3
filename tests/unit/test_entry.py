"""What all handlers share: settings, and errors as the state machine knows them."""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from bluegreen.errors import AwsRefused, AwsUnavailable, BlueUnfit, InputInvalid, RecordChanged
from bluegreen.model import Plan, State
from tests.unit.conftest import BLUE_ENDPOINT
from tests.unit.test_dns import make_zone, put

CONTEXT = SimpleNamespace(
    function_name="bluegreen-shop-CheckBlue",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-2:123456789012:function:bluegreen-shop-CheckBlue",
    aws_request_id="1",
)


@pytest.fixture
def entry(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CLUSTER_NAME", "shop")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "bluegreen")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "BlueGreen")
    # Made anew: what it is imported with is its environment, and another test may have imported it with another one.
    for module in [name for name in sys.modules if name.startswith("handlers.")]:
        monkeypatch.delitem(sys.modules, module)
    return importlib.import_module("handlers.entry")


def called(entry: Any, plan: Plan, raised: Exception | None = None, **more: Any) -> Any:
    def work(_state: State) -> dict[str, Any]:
        if raised:
            raise raised
        return {"done": True}

    return entry.entry(work)({"plan": plan.to_state(), **more}, CONTEXT)


def test_a_handler_returns_what_its_work_returns(entry: Any, plan: Plan) -> None:
    assert called(entry, plan) == {"done": True}


def test_every_log_line_carries_release_state_and_trace(
    entry: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-6a13f000-0123456789abcdef01234567;Parent=89abcdef;Sampled=1")
    written = io.StringIO()
    monkeypatch.setattr(entry.logger.registered_handler, "stream", written)
    called(entry, plan)
    with pytest.raises(BlueUnfit):
        called(entry, plan, BlueUnfit("as it is"))
    done, failed = map(json.loads, written.getvalue().splitlines())
    for line in (done, failed):
        assert (line["release_id"], line["state"]) == (plan.release_id, "CheckBlue")
        assert line["xray_trace_id"] == "1-6a13f000-0123456789abcdef01234567"
    assert (failed["failed"], failed["reason"]) == ("BlueUnfit", "as it is")


@pytest.mark.parametrize(
    ("settings", "login"),
    [({"RELEASE_SECRET_ARN": "arn:secret"}, "CachedLogin"), ({"DATABASE_USER": "bluegreen_release"}, "TokenLogin")],
)
def test_the_stack_decides_how_the_releases_role_signs_in(
    entry: Any, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], login: str
) -> None:
    for name, value in {**settings, "DATABASE_TLS": "verify-full"}.items():
        monkeypatch.setenv(name, value)
    databases = entry.databases()
    assert (type(databases.credentials).__name__, databases.tls) == (login, "verify-full")


@pytest.mark.parametrize(
    ("event", "release"),
    [
        ({"execution_arn": "arn:e", "started_at": "2026-11-23T04:05:06Z"}, "20261123-0405-"),
        ({"execution_arn": "arn:e"}, "arn:e"),
        ({}, "none"),
    ],
)
def test_a_call_that_holds_no_plan_is_logged_with_what_it_holds(
    entry: Any, monkeypatch: pytest.MonkeyPatch, event: dict[str, str], release: str
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(entry.logger.registered_handler, "stream", written)
    assert entry.entry(lambda _state: {"done": True})(event, CONTEXT) == {"done": True}
    assert json.loads(written.getvalue())["release_id"].startswith(release)


@pytest.mark.parametrize(
    "event",
    [
        *(
            [1],
            "x",
            5,
            None,
            {"plan": 1},
            {"plan": {}},
            {"plan": [{}]},
            {"plan": {"release_id": 1}},
            {"release_id": [1]},
        ),
        *({"started_at": 1}, {"started_at": "2026-11-23T04:05:06Z"}, {"started_at": "now\n", "execution_arn": "arn:e"}),
        {"started_at": "2026-11-23T04:05:06Z", "execution_arn": 1},
    ],
)
def test_what_is_no_payload_is_refused_as_such_and_logged_before_any_work(
    entry: Any, monkeypatch: pytest.MonkeyPatch, event: Any
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(entry.logger.registered_handler, "stream", written)
    with pytest.raises(InputInvalid, match="payload"):
        entry.entry(lambda _state: pytest.fail("it went to work"))(event, CONTEXT)
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["failed"], line["state"]) == ("InputInvalid", "CheckBlue")


def test_whoever_asked_is_in_the_mail_of_a_failure_also_when_nothing_was_planned(
    entry: Any, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    module = importlib.import_module("handlers.release_lock")
    monkeypatch.setenv("APPROVAL_TABLE", "approvals")
    monkeypatch.setenv("LOCK_TABLE", "locks")
    monkeypatch.setattr(module, "client", lambda _service: None)
    monkeypatch.setattr(module, "Approvals", lambda *_: SimpleNamespace(close=lambda _release: None))
    monkeypatch.setattr(module, "release_lock", lambda *_: None)
    called = {"execution_arn": "arn:e", "started_at": "2026-11-23T04:05:06Z"}
    failure = {"Error": "BlueUnfit", "Cause": "No."}
    for state, requested_by in (
        ({"plan": plan.to_state(), "failure": failure}, plan.requested_by),
        ({"failure": failure}, "a person who is not known"),
    ):
        told = module.handler(called | {"state": state}, CONTEXT)
        assert (told["requested_by"], told["explanation"]) == (requested_by, "No.")
        assert told["release_id"].startswith("20261123-0405-")
    stopped = {"Error": "BlueUnfit", "Cause": json.dumps({"errorMessage": "a\n\nApprove here: https://evil.example"})}
    told = module.handler({"plan": plan.to_state(), "execution_arn": "arn:e", "failure": stopped}, CONTEXT)
    assert told["explanation"] == "a\\n\\nApprove here: https://evil.example", "as whoever stopped the execution said"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow"}}, "DescribeDBClusters"),
            AwsUnavailable,
        ),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeDBClusters"), AwsRefused),
        (EndpointConnectionError(endpoint_url="https://rds"), AwsUnavailable),
        (ParamValidationError(report="too long"), AwsRefused),
        (BlueUnfit("as it is"), BlueUnfit),
    ],
)
def test_errors_are_those_that_the_state_machine_knows(
    entry: Any, plan: Plan, raised: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        called(entry, plan, raised)


def test_a_missing_variable_is_named(entry: Any) -> None:
    with pytest.raises(entry.EnvironmentIncomplete, match="RELEASE_SECRET_ARN"):
        entry.setting("RELEASE_SECRET_ARN")


def test_a_warming_call_does_no_work(entry: Any, plan: Plan) -> None:
    green = {"identifier": "shop-green", "host": "127.0.1.2", "port": 5432}
    assert called(entry, plan, AssertionError("worked"), warm=True, green=green) == {"warm": True}


def test_the_flip_is_primed_by_the_warming_call_and_refused_where_it_would_be(
    entry: Any, plan: Plan, route53: Any
) -> None:
    """Before writes are frozen, and with the client and the connections that the flip then uses."""
    zone = make_zone(route53, "1")
    put(route53, zone, BLUE_ENDPOINT, TTL=5)
    plan = dataclasses.replace(plan, records=(dataclasses.replace(plan.records[0], zone_id=zone),))
    green = {"identifier": "shop-green", "host": "shop-green.example.com", "port": 5432}
    event = {"plan": plan.to_state(), "green": green, "warm": True}
    for module in ("flip_dns", "restore_dns"):
        handler = importlib.import_module(f"handlers.{module}").handler
        assert handler(event, CONTEXT) == {"warm": True}
        put(route53, zone, BLUE_ENDPOINT, TTL=60)
        with pytest.raises(RecordChanged, match="with a TTL of 60 s"):
            handler(event, CONTEXT)
        put(route53, zone, BLUE_ENDPOINT, TTL=5)


def test_what_a_function_measures_becomes_metrics_of_its_cluster(
    entry: Any, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_state: State) -> dict[str, Any]:
        figures = {"rows_left": 5, "left_s": None, "rows_per_s": 2.5, "rows": {"app": 7}}
        entry.measure(figures)
        return figures

    entry.entry(work)({"plan": plan.to_state()}, CONTEXT)
    printed = next(line for line in capsys.readouterr().out.splitlines() if "CloudWatchMetrics" in line)
    figures = json.loads(printed)
    assert (figures["cluster"], figures["VerificationRowsLeft"], figures["VerificationRate"]) == ("shop", [5.0], [2.5])
    assert not {"VerificationTimeLeft", "RowsCompared"} & set(figures), "unknown, or not one figure"
