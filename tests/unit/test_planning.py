"""The first state: input, blue, names, lock."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from bluegreen import inputs, planning, records
from bluegreen.accounts import GreenAccount
from bluegreen.errors import BlueNotFound, BlueUnfit, InputInvalid, ReleaseInProgress
from bluegreen.model import Change, Plan, RecordKey
from local.aws.seams import rds_global
from tests.unit.test_dns import put

STARTED_AT = "2026-11-23T04:05:06.789Z"
FIRST = "arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:first"
SECOND = "arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:second"


@pytest.fixture(autouse=True)
def packaged_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema lies beside the module only in the package."""
    text = Path("statemachine/release-input.schema.json").read_text(encoding="utf-8")
    monkeypatch.setattr(inputs, "schema", lambda _machine: json.loads(text))


class Stack:
    """What the stack gives to PlanRelease."""

    def __init__(self, rds: Any, route53: Any) -> None:
        self.rds, self.route53, self.dynamodb = rds, route53, boto3.client("dynamodb")
        self.dynamodb.create_table(
            TableName="locks",
            KeySchema=[{"AttributeName": "cluster", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "cluster", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        zone = route53.create_hosted_zone(Name="shop.internal", CallerReference="1")["HostedZone"]["Id"]
        self.zone_id = zone.removeprefix("/hostedzone/")
        self.endpoint = self.make_cluster("shop-blue")
        put(route53, self.zone_id, self.endpoint)
        self.defaults = planning.Defaults(
            cluster_name="shop",
            cluster_pattern="shop-*",
            databases=("app", "crm"),
            records=(RecordKey(self.zone_id, "db.shop.internal", "CNAME", "writer"),),
            approval_timeout_s=86400,
            freeze_budget_s=30,
            max_attempts=3,
            switchover_ttl_s=5,
            max_lag_bytes=1 << 24,
            max_lag_s=5.0,
        )

    def make_cluster(self, identifier: str, engine: str = "aurora-postgresql") -> str:
        created = self.rds.create_db_cluster(
            DBClusterIdentifier=identifier,
            Engine=engine,
            MasterUsername="postgres",
            MasterUserPassword="not-a-secret",
        )
        return str(created["DBCluster"]["Endpoint"])

    def plan(self, release_input: Any, execution_arn: str = FIRST) -> Plan:
        return planning.plan_release(
            lambda _region="": self.rds,
            self.route53,
            self.dynamodb,
            self.defaults,
            "locks",
            release_input,
            execution_arn,
            STARTED_AT,
            resolve=lambda host: ("10.0.0.1",) if host == self.endpoint else (),
        )

    def lock(self) -> Any:
        return self.dynamodb.scan(TableName="locks")["Items"]


@pytest.fixture
def stack(rds: Any, route53: Any) -> Stack:
    return Stack(rds, route53)


def test_an_empty_input_is_enough(stack: Stack) -> None:
    plan = stack.plan({})
    assert plan.blue.host == stack.endpoint
    assert plan.databases == ("app", "crm")
    assert plan.records[0].ttl_s == 60
    assert plan.green_identifier == f"shop-{plan.release_id}"
    assert Plan.of({"plan": json.loads(json.dumps(plan.to_state()))}) == plan


def test_an_input_may_demand_more_approvers_and_not_fewer(stack: Stack) -> None:
    assert stack.plan({}).approvers_needed == 1
    assert stack.plan({"approvers_needed": 2, "requested_by": "Rita"}).approvers_needed == 2
    stack.defaults = dataclasses.replace(stack.defaults, approvers_needed=2)
    assert stack.plan({"requested_by": "Rita"}).approvers_needed == 2
    with pytest.raises(InputInvalid, match=r"input\.approvers_needed: clusters\.shop\.approvers_needed"):
        stack.plan({"requested_by": "Rita", "approvers_needed": 1})


@pytest.mark.parametrize(
    "said", [{}, *({"requested_by": name} for name in ("  ", "\ua4eenn", "\u0410nn", "An|n", "..."))]
)
def test_where_two_others_have_to_approve_it_is_said_who_asks(stack: Stack, said: dict[str, str]) -> None:
    with pytest.raises(InputInvalid, match=r"input\.requested_by: say who asks"):
        stack.plan(said | {"approvers_needed": 2})
    assert stack.plan(said | {"approvers_needed": 2, "mode": "check"}).mode == "check", "which nobody approves"


@pytest.mark.parametrize(
    ("claim", "said", "is_planned"),
    [
        ("email", {"requested_by": "rita@shop.example"}, True),
        ("email", {"requested_by": "Rita Requester"}, False),
        ("email", {"requested_by": "Rita <rita@shop.example>"}, False),
        ("email", {"requested_by": " "}, False),
        ("email", {}, False),
        ("email", {"mode": "rehearsal"}, True),
        ("sub", {"requested_by": "4711"}, True),
        ("sub", {}, False),
        ("", {}, True),
    ],
)
def test_where_approvers_sign_in_it_is_said_by_the_same_claim_who_asks(
    stack: Stack, claim: str, said: dict[str, str], is_planned: bool
) -> None:
    """Else whoever asks could approve, and nobody would notice: the names would never be the same."""
    stack.defaults = dataclasses.replace(stack.defaults, identity_claim=claim)
    if is_planned:
        assert stack.plan(said).requested_by == said.get("requested_by", "not said")
    else:
        with pytest.raises(InputInvalid, match=rf"input\.requested_by: .* by the {claim} of"):
            stack.plan(said)
        assert stack.lock() == []


def test_a_rehearsal_moves_records_of_its_own_and_the_next_release_knows_its_figures(stack: Stack) -> None:
    put(stack.route53, stack.zone_id, "elsewhere.example", Name="rehearsal.shop.internal", TTL=0)
    key = RecordKey(stack.zone_id, "rehearsal.shop.internal", "CNAME", "writer")
    plan = stack.plan({"mode": "rehearsal"})
    assert (plan.records, plan.blue.host, plan.last_rehearsal) == ((), stack.endpoint, {})
    stack.defaults = dataclasses.replace(stack.defaults, rehearsal_records=(key,))
    with pytest.raises(BlueUnfit, match=r"rehearsal\.shop\.internal of the rehearsal has a TTL of 0 s"):
        stack.plan({"mode": "rehearsal"})
    put(stack.route53, stack.zone_id, "elsewhere.example", Name="rehearsal.shop.internal")
    (moved,) = stack.plan({"mode": "rehearsal"}).records
    assert (moved.name, moved.values) == ("rehearsal.shop.internal", ("elsewhere.example",))
    figures = {"expected_freeze_s": 0.4, "elapsed_s": 65.0, "states_s": {"CloneBlue": 60.5}}
    records.keep_rehearsal(stack.dynamodb, "locks", "shop", figures)
    records.release_lock(stack.dynamodb, "locks", "shop", FIRST)
    plan = stack.plan({})
    assert plan.last_rehearsal == figures
    assert [record.name for record in plan.records] == ["db.shop.internal"]


def test_green_goes_to_the_account_that_is_configured_without_secondaries(stack: Stack) -> None:
    role = "arn:aws:iam::210987654321:role/green"
    account = GreenAccount(role, "green", ("sg-0f00",), ("10.1.0.0/24",))
    assert stack.plan({}).green_account is None
    stack.defaults = dataclasses.replace(stack.defaults, green_account=account)
    assert stack.plan({}).green_account == account
    rds_global.install()
    arn = stack.rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    stack.rds.create_global_cluster(GlobalClusterIdentifier="shop-global", SourceDBClusterIdentifier=arn)
    for globalize in ({}, {"globalize": "after_cutover"}):
        with pytest.raises(InputInvalid, match=r"a green in another account gets none \(clusters\.shop\.green_account"):
            stack.plan(globalize)
    assert stack.plan({"globalize": "never"}).green_account == account


def test_changes_are_for_released_databases(stack: Stack) -> None:
    changes = [{"database": "crm", "script": "s3://releases/a/b c.sql"}]
    with pytest.raises(InputInvalid, match=r"scripts are read from the bucket \(none\), not releases"):
        stack.plan({"changes": changes})
    stack.defaults = dataclasses.replace(stack.defaults, changes_bucket="releases")
    assert stack.plan({"changes": changes}).changes == (Change("crm", "releases", "a/b c.sql"),)
    with pytest.raises(InputInvalid, match=r"changes\[0\].database: crm is not released"):
        stack.plan({"changes": changes, "databases": ["app"]})


def test_the_input_says_how_gently_rows_are_compared(stack: Stack) -> None:
    stack.defaults = dataclasses.replace(stack.defaults, verify_rows_per_s=7, verify_max_active_sessions=9)
    gentle = {"verify_workers": 2, "verify_rows_per_s": 50_000}
    plan = stack.plan(gentle)
    assert (plan.verify_workers, plan.verify_rows_per_s, plan.verify_max_active_sessions) == (2, 50_000, 9)


def test_planning_twice_is_the_same_plan(stack: Stack) -> None:
    assert stack.plan({}) == stack.plan({})


@pytest.mark.parametrize(
    ("release_input", "named"),
    [
        ({"databases": "app"}, "input.databases"),
        ({"parameters": {"rds.logical_replication": "0"}}, "input.parameters: green follows blue by rds.logical_repl"),
        ({"databases": []}, "input.databases"),
        ({"databases": ["app", "app"]}, "input.databases"),
        ({"databases": [1]}, "input.databases[0]"),
        ({"approval_timeout_s": 0}, "input.approval_timeout_s"),
        ({"approval_timeout_s": "1"}, "input.approval_timeout_s"),
        ({"approvers_needed": 3}, "input.approvers_needed"),
        ({"freeze_budget_s": 601}, "input.freeze_budget_s"),
        ({"freeze_method": "readonly"}, "input.freeze_method"),
        ({"freeze_method": "hook"}, "clusters.shop.freeze_hook_function_arn"),
        ({"max_lag_s": 0}, "input.max_lag_s"),
        ({"verify_rows_per_s": -1}, "input.verify_rows_per_s"),
        ({"verify_max_active_sessions": 2.5}, "input.verify_max_active_sessions"),
        ({"switchover_ttl_s": -1}, "input.switchover_ttl_s"),
        ({"reason": "fine\n\nTo approve: run this"}, "input.reason"),
        ({"blue_cluster_identifier": "x; DROP"}, "input.blue_cluster_identifier"),
        ({"datebases": ["app"]}, "datebases"),
        ({"cluster": "other"}, "input.cluster"),
        ({"mode": "dry"}, "input.mode"),
        ({"accept": "unlogged-table"}, "input.accept"),
        ({"accept": ["unlogged-tables"]}, "there is no finding unlogged-tables; did you mean unlogged-table?"),
        ({"accept": ["Unlogged"]}, "input.accept[0]"),
        ({"accept": ["table-without-replica-identity"]}, "table-without-replica-identity is a blocker"),
        ([], "input must be object"),
        ("release", "input must be object"),
        (None, "input must be object"),
    ],
)
def test_wrong_input_names_the_field_and_touches_nothing(stack: Stack, release_input: Any, named: str) -> None:
    with pytest.raises(InputInvalid) as raised:
        stack.plan(release_input)
    assert named in str(raised.value)
    assert stack.lock() == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (lambda text: {"reason": text}, "input.reason"),
        (lambda text: {"requested_by": text}, "input.requested_by"),
        (lambda text: {"parameters": {"work_mem": text}}, "input.parameters"),
        (lambda text: {"changes": [{"database": "app", "script": f"s3://bucket/{text}"}]}, "input.changes[0].script"),
    ],
)
def test_what_an_approver_is_shown_breaks_no_line_and_turns_no_text(
    asked: Callable[[str], dict[str, Any]], field: str
) -> None:
    """Else whoever asks could add lines to the evidence, or have it read backwards."""
    breaking = [*range(0x20), *range(0x7F, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F)]
    for code in [*breaking, *range(0x2066, 0x206A)]:
        for text in (f"fine{chr(code)}In step:", f"fine{chr(code)}"):
            with pytest.raises(InputInvalid) as raised:
                inputs.validated("release", asked(text))
            assert field in str(raised.value)
    inputs.validated("release", asked("fine: naïve 日本 \U0001f642"))


@pytest.mark.parametrize(("in_budget", "timeout_s"), [(True, 20), (False, 900)])
def test_the_customers_function_may_take_the_budget_or_as_long_as_a_function_may(
    stack: Stack, in_budget: bool, timeout_s: int
) -> None:
    arn = "arn:aws:lambda:eu-west-2:123456789012:function:pause-the-shop"
    stack.defaults = dataclasses.replace(stack.defaults, freeze_hook_function_arn=arn, freeze_hook_in_budget=in_budget)
    assert stack.plan({}).freeze_method == "nologin"
    plan = stack.plan({"freeze_method": "hook", "freeze_budget_s": 20})
    assert (plan.freeze_method, plan.freeze_hook_function_arn) == ("hook", arn)
    assert (plan.freeze_hook_in_budget, plan.freeze_hook_timeout_s) == (in_budget, timeout_s)


def test_a_release_has_the_hook_that_is_configured_and_a_rehearsal_has_none(
    stack: Stack,
) -> None:
    arn = "arn:aws:lambda:eu-west-2:123456789012:function:pause-the-shop"
    stack.defaults = dataclasses.replace(stack.defaults, hook_function_arn=arn, hook_timeout_s=120)
    assert [stack.plan({"mode": mode}).hook_function_arn for mode in ("check", "rehearsal")] == ["", ""]
    plan = stack.plan({"mode": "release"})
    assert (plan.hook_function_arn, plan.hook_timeout_s) == (arn, 120)


def test_a_second_release_is_refused_naming_the_first(stack: Stack) -> None:
    stack.plan({})
    with pytest.raises(ReleaseInProgress, match=FIRST):
        stack.plan({}, SECOND)
    records.release_lock(stack.dynamodb, "locks", "shop", SECOND)
    assert len(stack.lock()) == 1, "only its holder frees a lock"
    records.release_lock(stack.dynamodb, "locks", "shop", FIRST)
    records.release_lock(stack.dynamodb, "locks", "shop", FIRST)
    stack.plan({}, SECOND)


def test_a_check_takes_no_lock_and_waits_for_a_release_to_end(stack: Stack) -> None:
    plan = stack.plan({"mode": "check", "accept": ["unlogged-table", "materialized-view"]})
    assert (plan.mode, plan.accept) == ("check", ("unlogged-table", "materialized-view"))
    assert Plan.of({"plan": json.loads(json.dumps(plan.to_state()))}) == plan
    assert stack.lock() == []
    stack.plan({}, SECOND)
    with pytest.raises(ReleaseInProgress, match=SECOND):
        stack.plan({"mode": "check"})


def test_the_lock_carries_the_plan_for_its_holder_alone(stack: Stack) -> None:
    plan = stack.plan({"reason": "version 42"})
    assert records.locked_plan(stack.dynamodb, "locks", "shop", FIRST) == plan
    assert records.locked_plan(stack.dynamodb, "locks", "shop", SECOND) is None
    records.release_lock(stack.dynamodb, "locks", "shop", FIRST)
    assert records.locked_plan(stack.dynamodb, "locks", "shop", FIRST) is None


def test_blue_named_in_the_input_must_be_production(stack: Stack) -> None:
    stack.make_cluster("shop-other")
    with pytest.raises(BlueUnfit, match="it is not production"):
        stack.plan({"blue_cluster_identifier": "shop-other"})
    with pytest.raises(BlueNotFound, match="no cluster shop-typo"):
        stack.plan({"blue_cluster_identifier": "shop-typo"})
    assert stack.plan({"blue_cluster_identifier": "shop-blue"}).blue.identifier == "shop-blue"


def test_a_blue_that_cannot_be_released_is_refused_before_the_lock(stack: Stack) -> None:
    for identifier, engine, reason in (
        ("billing-blue", "aurora-postgresql", r"does not match shop-\*"),
        ("shop-mysql", "aurora-mysql", "only aurora-postgresql"),
    ):
        put(stack.route53, stack.zone_id, stack.make_cluster(identifier, engine))
        with pytest.raises(BlueUnfit, match=reason):
            stack.plan({})
    assert stack.lock() == []


def test_a_record_that_leaves_no_room_for_a_lower_ttl_is_refused(stack: Stack) -> None:
    put(stack.route53, stack.zone_id, stack.endpoint, TTL=0)
    with pytest.raises(BlueUnfit, match="at least 1 s"):
        stack.plan({})
    assert stack.lock() == []
    put(stack.route53, stack.zone_id, stack.endpoint, TTL=1)
    assert stack.plan({"switchover_ttl_s": 0}).switchover_ttl_s == 0


def test_every_record_is_read_and_has_to_lead_to_blue(stack: Stack) -> None:
    """An A record holds what the endpoint resolves to, a reader record another endpoint."""
    blue = stack.rds.describe_db_clusters(DBClusterIdentifier="shop-blue")["DBClusters"][0]
    reader = RecordKey(stack.zone_id, "db-ro.shop.internal", "CNAME", "reader")
    address = RecordKey(stack.zone_id, "db-a.shop.internal", "A", "writer")
    stack.defaults = dataclasses.replace(stack.defaults, records=(*stack.defaults.records, reader, address))
    put(stack.route53, stack.zone_id, blue["ReaderEndpoint"], Name=reader.name)
    with pytest.raises(BlueNotFound, match=r"no A record db-a\.shop\.internal"):
        stack.plan({})
    put(stack.route53, stack.zone_id, "10.0.0.2", Name=address.name, Type="A", TTL=30)
    with pytest.raises(BlueUnfit, match=r"points at 10\.0\.0\.2, not at 10\.0\.0\.1"):
        stack.plan({})
    assert stack.lock() == []
    put(stack.route53, stack.zone_id, "10.0.0.1", Name=address.name, Type="A", TTL=30)
    plan = stack.plan({})
    assert [(record.name, record.ttl_s, record.values) for record in plan.records] == [
        ("db.shop.internal", 60, (stack.endpoint,)),
        ("db-ro.shop.internal", 60, (blue["ReaderEndpoint"],)),
        ("db-a.shop.internal", 30, ("10.0.0.1",)),
    ]
    assert plan.blue.reader_host == blue["ReaderEndpoint"]
    assert Plan.of({"plan": json.loads(json.dumps(plan.to_state()))}) == plan


def test_the_defaults_are_valid_inputs_themselves(stack: Stack) -> None:
    limits = dataclasses.asdict(stack.defaults)
    accepted = inputs.schema("release")["properties"]
    assert inputs.validated(
        "release",
        {key: list(value) if key == "databases" else value for key, value in limits.items() if key in accepted},
    )


@pytest.mark.parametrize(
    "given",
    [
        {"x\n\nIMPORTANT: call +1 900": 1},
        {"databases": ["a\0"], "x\u202e": 1},
        {"mode": "x\r\nDone:  all"},
        {"reason": "x\u2028Approve here"},
        {"changes": [{"database": "a\0\n", "script": "s3://bucket/1.sql"}]},
        {"databases": ["x\n\nIMPORTANT: call +1 900"], "changes": [{"database": "y\nz", "script": "s3://b-b/1.sql"}]},
        {"cluster": "shop\nDone:  all"},
    ],
)
def test_what_is_said_of_an_input_is_one_line_whatever_it_holds(stack: Stack, given: dict[str, Any]) -> None:
    """It is mailed as the reason of a release that failed."""
    with pytest.raises(InputInvalid) as refused:
        stack.plan(given)
    assert str(refused.value).isprintable()
