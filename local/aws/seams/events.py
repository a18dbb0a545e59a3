"""EventBridge: rules whose target is a state machine or a function, for which moto raises NotImplementedError,
and rules that go by the clock, which it never runs."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import Rule, events_backends

from local.aws.permissions.calls import asked_for
from local.aws.permissions.guard import Guard

from .knobs import Knobs
from .patching import Seams
from .permissions import caller_name, caller_with

_TICK_S = 0.1
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}

Target = dict[str, Any]
Deliver = Callable[[Target, str], None]


def install(seams: Seams, deliver: Deliver, keep: Deliver, guard: Guard) -> None:
    """`deliver` gets a target that is a state machine or a function, and its input as JSON; `keep` what may not go.

    A state machine is started as the target's role, if that is allowed to; a function lets EventBridge in by itself.
    """

    def send_to_targets(original: Any, rule: Any, event: Any, *args: Any, **kwargs: Any) -> None:
        goes_by_the_clock = not rule.event_pattern.get_pattern()  # of which moto thinks that everything matches
        if rule.state != "ENABLED" or goes_by_the_clock or not rule.event_pattern.matches_event(event):
            return
        everything = rule.targets
        ours = [target for target in everything if re.match(r"arn:aws:(states|lambda):", target["Arn"])]
        for target in ours:
            is_let_in = ":lambda:" in target["Arn"] or _may_start(guard, target)
            (deliver if is_let_in else keep)(target, target_input(target, public_form(event)))
        if others := [target for target in everything if target not in ours]:
            try:
                rule.targets = others
                original(rule, event, *args, **kwargs)
            finally:
                rule.targets = everything

    seams.wrap(Rule, "send_to_targets", send_to_targets)


def _may_start(guard: Guard, target: dict[str, Any]) -> bool:
    caller = caller_with(caller_name(target), target["RoleArn"]) if target.get("RoleArn") else None
    region, account = target["Arn"].split(":")[3:5]
    asked = asked_for("states", "StartExecution", {"stateMachineArn": target["Arn"]}, region, account)
    reason = "its target has no role" if caller is None else guard.refusal(caller, asked)
    if reason:
        logging.getLogger("moto").error("an event for %s was not delivered: %s", target["Arn"], reason)
    return not reason


class Clock(threading.Thread):
    """Runs the enabled rules of a Region that have a rate, the first time a period after it has seen them enabled."""

    def __init__(self, region: str, knobs: Knobs, deliver: Deliver) -> None:
        super().__init__(daemon=True)
        self._region = region
        self._knobs = knobs
        self._deliver = deliver
        self._ran_at: dict[str, float] = {}

    def run(self) -> None:
        while not self._knobs.closing.wait(_TICK_S):
            rules = self._rules()
            self._ran_at = {name: at for name, at in self._ran_at.items() if name in rules}
            for name, rule in rules.items():
                if time.monotonic() - self._ran_at.setdefault(name, time.monotonic()) >= self._period_s(rule):
                    self._ran_at[name] = time.monotonic()
                    for target in list(rule.targets):
                        self._deliver(target, target_input(target, {"detail-type": "Scheduled Event"}))

    def _rules(self) -> dict[str, Any]:
        buses = events_backends[DEFAULT_ACCOUNT_ID][self._region].event_buses
        rules = list(buses["default"].rules.items()) if "default" in buses else []
        return {name: rule for name, rule in rules if rule.scheduled_expression and rule.state == "ENABLED"}

    def _period_s(self, rule: Any) -> float:
        number, unit = re.findall(r"rate\((\d+) (\w+?)s?\)", rule.scheduled_expression)[0]
        return int(number) * _MINUTES[unit] * self._knobs.minute_s


def put(region: str, source: str, detail_type: str, detail: dict[str, Any]) -> None:
    """An event of AWS's own: PutEvents refuses the sources `aws.…` there, not in moto's backend."""
    event = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
    events_backends[DEFAULT_ACCOUNT_ID][region].put_events([event])


def public_form(event: dict[str, Any]) -> dict[str, Any]:
    """The event as targets see it; moto keeps the time as a number and an inner key besides."""
    at = datetime.fromtimestamp(float(event["time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {key: value for key, value in event.items() if key != "ingestion-time"} | {"time": at}


def target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """What a target receives: its Input, its InputPath of the event, its InputTransformer's text, or the event.

    >>> target_input({"InputPath": "$.detail"}, {"detail": {"cluster": "shop"}})
    '{"cluster": "shop"}'
    >>> transformer = {"InputPathsMap": {"c": "$.detail.cluster"}, "InputTemplate": '{"of": <c>, "is": "a <c>"}'}
    >>> target_input({"InputTransformer": transformer}, {"detail": {"cluster": "shop"}})
    '{"of": "shop", "is": "a shop"}'
    """
    if "Input" in target:
        return str(target["Input"])
    if transformer := target.get("InputTransformer"):
        values = {name: _at(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
        return _fill_in(transformer["InputTemplate"], values)
    return json.dumps(_at(target.get("InputPath", "$"), event))


def execution_name() -> str:
    """A name such as EventBridge gives to the executions it starts."""
    return f"{uuid.uuid4()}_{uuid.uuid4()}"


def _at(path: str, event: Any) -> Any:
    for key in path.removeprefix("$").strip(".").split("."):
        event = event.get(key) if key else event
    return event


def _fill_in(template: str, values: dict[str, Any]) -> str:
    """Inside a JSON string a value stands as it is, outside as JSON."""

    def inside(match: re.Match[str]) -> str:
        value = values.get(match[1])
        text = value if isinstance(value, str) else json.dumps(value)
        return json.dumps(text)[1:-1]

    def token(match: re.Match[str]) -> str:
        if match[0].startswith('"'):
            return re.sub(r"<([\w.-]+)>", inside, match[0])
        return json.dumps(values.get(match[1]))

    return re.sub(r'"(?:[^"\\]|\\.)*"|<([\w.-]+)>', token, template)
