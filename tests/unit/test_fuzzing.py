"""Ten thousand inputs of an execution, or details of the event that starts one, for each machine: nonsense, near
misses, and good ones.

Whatever comes, the answer is one that the state machine knows and a person can read, and nothing is changed but by a
release that was planned. The generator has a seed, so a run is like the one before.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen import inputs, recovery
from bluegreen.ending.planning import Surroundings, plan_decommission
from bluegreen.errors import MESSAGE_CHARACTERS, BlueGreenError, BlueNotFound, BlueUnfit, ClusterInUse, InputInvalid
from bluegreen.model import Plan
from bluegreen.preflight.catalogue import BY_ID
from tests.unit.test_planning import Stack

CASES = 10_000
SEED = 20261123
SCHEMAS = {
    machine: json.loads(Path(f"statemachine/{machine}-input.schema.json").read_text(encoding="utf-8"))
    for machine in ("release", "decommission")
}


@pytest.fixture(autouse=True)
def packaged_schemas(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schemas lie beside the module only in the package."""
    monkeypatch.setattr(inputs, "schema", SCHEMAS.__getitem__)


class Inputs:
    """Makes them, from a machine's schema and from values that real ones have."""

    def __init__(self, machine: str, **known: list[Any]) -> None:
        self._random = random.Random(SEED)  # noqa: S311 — no secret is made with it
        self._fields: dict[str, Any] = SCHEMAS[machine]["properties"]
        self._known = known
        odd = [0, 10, 39, 65, 0x5D0, 0x65E5, 0x1F600]
        lengths = [1, 5, 60, 60, 60, 60, 20_000]
        self._texts = ["".join(map(chr, self._random.choices(odd, k=length))) for length in lengths]
        self._texts += [f"{self._texts[1]}\udc00", "x" * 20_000]

    def __call__(self) -> Any:
        kind = self._random.random()
        if kind < 0.1:
            return self._nonsense(3)
        names = self._random.sample(sorted(self._fields), self._random.randrange(1, min(8, len(self._fields))))
        made = {name: self._good(name) for name in names}
        if kind < 0.5:
            wrong = self._random.choice(names)
            made[wrong] = self._edge(wrong) if self._random.random() < 0.5 else self._nonsense(2)
        if kind < 0.2:
            made[self._text()] = self._nonsense(1)
        return made

    def _good(self, name: str) -> Any:
        """A value that the schema allows, if it says enough about it."""
        definition = self._fields[name]
        if name in self._known:
            return copy.deepcopy(self._random.choice(self._known[name]))
        if "enum" in definition:
            return self._random.choice(definition["enum"])
        match definition["type"]:
            case "integer":
                most = min(definition.get("maximum", 10**6), 10**6)
                value = self._random.randint(definition.get("minimum", 0), most)
                return float(value) if self._random.random() < 0.2 else value
            case "number":
                return self._random.uniform(0.1, definition.get("maximum", 1.0))
            case "boolean":
                return self._random.choice([True, False])
        return "".join(self._random.choices("abc ü日€'\"{}$\\", k=self._random.randrange(1, 40)))

    def _edge(self, name: str) -> Any:
        """A value at a limit of the schema, or just beyond it."""
        definition = self._fields[name]
        edges: list[Any] = [
            value + by
            for key in ("minimum", "maximum")
            if (value := definition.get(key)) is not None
            for by in (-1, 0, 1, 0.5)
        ]
        edges += ["x" * (definition.get("maxLength", 63) + by) for by in (0, 1)]
        edges += [[], {}, ["", ""], ["a", "a"], ["a\0b"], "", "\0", None, True, -0.0, math.inf, 10**400]
        edges += [self._text(), "9999-12-31T23:59:59Z", "2026-13-32T25:61:61Z", "0000-00-00T00:00:00Z"]
        return self._random.choice(edges)

    def _nonsense(self, depth: int) -> Any:
        scalars = [None, True, False, 0, -1, 0.5, 1e308, 2**63, "", "\ud800", "{}", "null", "$.plan", self._text()]
        kind = self._random.random()
        if depth and kind < 0.3:
            return [self._nonsense(depth - 1) for _ in range(self._random.randrange(4))]
        if depth and kind < 0.6:
            keys = ["plan", "warm", "execution_arn", "started_at", "__class__", self._text()]
            return {self._random.choice(keys): self._nonsense(depth - 1) for _ in range(self._random.randrange(4))}
        return self._random.choice(scalars)

    def _text(self) -> str:
        return self._random.choice(self._texts)


class Remembering:
    """A client of AWS that is asked the same thing once: moto takes milliseconds, and there are ten thousand cases."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: dict[str, Any] = {}
        self.exceptions = client.exceptions
        self.meta = client.meta

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(**parameters: Any) -> Any:
            key = f"{name} {json.dumps(parameters, sort_keys=True)}"
            if key not in self._answers:
                try:
                    self._answers[key] = getattr(self._client, name)(**parameters)
                except self._client.exceptions.ClientError as error:
                    self._answers[key] = error
            if isinstance(answer := self._answers[key], Exception):
                raise answer
            return copy.deepcopy(answer)

        return ask

    def get_paginator(self, name: str) -> Any:
        def paginate(**parameters: Any) -> Any:
            key = f"{name} {json.dumps(parameters, sort_keys=True)}"
            if key not in self._answers:
                self._answers[key] = list(self._client.get_paginator(name).paginate(**parameters))
            return copy.deepcopy(self._answers[key])

        return SimpleNamespace(paginate=paginate)


class Tables:
    """DynamoDB without an item, which notes what is written."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []

    def get_item(self, **_asked: Any) -> dict[str, Any]:
        return {}

    def put_item(self, **given: Any) -> None:
        self.written.append(given)


def told(error: BlueGreenError) -> str:
    """What the state machine gets; fails when it could not go through it, or a person could not read it."""
    text = str(error)
    assert text
    assert len(text.encode("unicode_escape")) <= MESSAGE_CHARACTERS or text.endswith("(this message was shortened)")
    json.dumps({"errorMessage": text}, ensure_ascii=False).encode()
    return type(error).__name__


def test_whatever_a_release_is_asked_to_do_is_planned_or_refused(rds: Any, route53: Any) -> None:
    stack = Stack(rds, route53)
    stack.make_cluster("shop-red")
    stack.rds, stack.route53 = Remembering(rds), Remembering(route53)
    tables = stack.dynamodb = Tables()
    make = Inputs(
        "release",
        cluster=["shop", "shop", "shop", "other"],
        blue_cluster_identifier=["shop-blue", "shop-blue", "shop-blue", "shop-red", "shop-gone"],
        databases=[["app"], ["app", "crm"], ["ü€ \"'"]],
        engine_version=["16.4", "18"],
        accept=[[], ["unlogged-table"], *([name] for name in BY_ID), ["typo-here"]],
        parameters=[{}, {"work_mem": "65536"}, {"wal_level": "logical"}],
        changes=[[], [{"database": "app", "script": "s3://bucket/a/"}], [{"database": "x", "script": "s3://b-b/c"}]],
        mode=["release", "rehearsal", "check"],
    )
    answers: dict[str, int] = {}
    for _ in range(CASES):
        given = make()
        tables.written.clear()
        try:
            plan = stack.plan(given)
        except (InputInvalid, BlueNotFound, BlueUnfit) as error:
            answer = told(error)
            assert not tables.written, given
        else:
            answer = plan.mode
            assert len(tables.written) == (plan.mode != "check"), given
            assert Plan.of({"plan": json.loads(json.dumps(plan.to_state()))}) == plan
            json.dumps(plan.to_state(), ensure_ascii=False).encode()
            for limit in (plan.approval_timeout_s, plan.freeze_budget_s, plan.freeze_hook_timeout_s):
                assert type(limit) is int, given
        answers[answer] = answers.get(answer, 0) + 1
    assert set(answers) == {"release", "rehearsal", "check", "InputInvalid", "BlueNotFound", "BlueUnfit"}
    assert min(answers.values()) > 50, answers


def test_whatever_a_decommission_is_asked_to_do_is_refused_while_nothing_may_end(rds: Any, route53: Any) -> None:
    stack = Stack(rds, route53)
    stack.make_cluster("shop-old")
    stack.make_cluster("crm-old")
    tables = Tables()
    remembered = Remembering(rds)
    no_database: Any = SimpleNamespace(find=lambda *_where: None)  # none knows of a release
    around = Surroundings(
        rds=lambda _region="": remembered,
        region="eu-west-2",
        route53=Remembering(route53),
        dynamodb=tables,
        databases=no_database,
        lock_table="locks",
        release_table="releases",
        cluster_name="shop",
        cluster_pattern="shop-*",
        home="app",
        record_keys=[{"zone_id": stack.zone_id, "name": "db.shop.internal", "type": "CNAME", "endpoint": "writer"}],
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )
    make = Inputs(
        "decommission",
        cluster=["shop", "shop", "shop", "other"],
        release_id=["20261123-0405-abcdef"],
        cluster_identifier=["shop-old", "shop-blue", "crm-old", "shop-gone"],
        restarted_at=["2026-11-22T23:59:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z"],
        not_before=["2026-11-22T23:59:00Z"],
    )
    answers: dict[str, int] = {}
    for _ in range(CASES):
        given = make()
        try:
            answer = str(plan_decommission(around, given))
        except (InputInvalid, BlueNotFound, ClusterInUse) as error:
            answer = told(error)
        answers[answer] = answers.get(answer, 0) + 1
    assert not tables.written
    assert set(answers) == {"None", "InputInvalid", "BlueNotFound", "ClusterInUse"}
    assert min(answers.values()) > 50, answers


def test_whatever_a_recovery_is_asked_about_is_an_execution_or_refused(plan: Plan) -> None:
    make = Inputs("release")
    arns = [
        plan.execution_arn,
        plan.execution_arn[:-1],
        "arn:aws:states:eu-west-2:1:execution:a:b",
        plan.execution_arn * 4,
    ]
    asked_about: set[str] = set()

    def describe(executionArn: str) -> dict[str, Any]:  # noqa: N803 — boto3's name
        asked_about.add(executionArn)
        return {"status": "RUNNING"}

    step_functions, now = SimpleNamespace(describe_execution=describe), datetime.now(UTC)
    none: Any = None  # an execution that runs is left alone
    found = 0
    for number in range(CASES):
        given = make()
        if number % 4 == 0 and isinstance(given, dict):
            given["execution_arn"] = arns[number // 4 % len(arns)]
        try:
            recovery.inspect(step_functions, none, none, none, "locks", "shop", given, 0, 0, now)
        except InputInvalid as error:
            told(error)
        else:
            found += 1
    assert asked_about == set(arns[:2])
    assert 0 < found < CASES / 4
