"""Lets through what the caller's role allows, refuses the rest as AWS does, and remembers both."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .policies import Asked, Statement, allowing

Tags = Callable[[str], Mapping[str, str]]
"""The tags that the resource of an ARN has now."""


@dataclass(frozen=True)
class Caller:
    """Who signs calls as a role: a function or a state machine; its name is that of the thing, not of the role."""

    name: str
    statements: tuple[Statement, ...]

    @property
    def is_unlimited(self) -> bool:
        """An administrator, or somebody whose permissions are nobody's concern."""
        return any("*" in statement.actions for statement in self.statements)


@dataclass(frozen=True)
class Call:
    """What one caller asked for; as often as it may have been, it is remembered once."""

    caller: str
    asked: Asked
    allowed: bool

    def to_json(self) -> str:
        """A line of the record."""
        keys = {name: list(values) for name, values in sorted(self.asked.keys.items())}
        action, resource = self.asked.action, self.asked.resource
        return json.dumps(
            {"caller": self.caller, "action": action, "resource": resource, "keys": keys, "allowed": self.allowed}
        )

    @classmethod
    def from_json(cls, line: str) -> Call:
        """The inverse of `to_json`."""
        read = json.loads(line)
        keys = {name: tuple(values) for name, values in read["keys"].items()}
        return cls(read["caller"], Asked(read["action"], read["resource"], keys), read["allowed"])


@dataclass(frozen=True)
class Unit:
    """The smallest thing that a policy allows: one action on one resource, or pattern of resources."""

    caller: str
    statement: Statement

    def to_json(self) -> str:
        """A line of the record."""
        return json.dumps({"granted": self.caller, **asdict(self.statement)})

    @classmethod
    def from_json(cls, line: str) -> Unit:
        """The inverse of `to_json`."""
        read = json.loads(line)
        conditions = tuple((operator, key, tuple(values)) for operator, key, values in read["conditions"])
        statement = Statement(read["effect"], tuple(read["actions"]), tuple(read["resources"]), conditions)
        return cls(read["granted"], statement)

    def in_words(self) -> str:
        """What is allowed, on what, and under which conditions."""
        conditions = (f"{operator} {key} {', '.join(values)}" for operator, key, values in self.statement.conditions)
        said = " and ".join(conditions)
        return f"{self.statement.actions[0]} on {self.statement.resources[0]}{f' if {said}' if said else ''}"

    def was_used(self, call: Call) -> bool:
        """Whether a call needed it."""
        return call.allowed and call.caller == self.caller and self.statement.matches(call.asked)


_MADE_UNIQUE = (
    re.compile(r"(?P<name>[0-9A-F]{8})-[0-9A-Z]{12,}(?=/|$)"),
    re.compile(r"(?P<name>[0-9a-f]{8})-[0-9a-z]{12,}(?=/|$)"),  # in the name of a bucket
    re.compile(r"(?P<name>:secret:.*)-[A-Za-z0-9]{6}$"),
)
"""What CloudFormation puts behind a logical id, and Secrets Manager behind a secret's name."""


def named_alike(resource: str) -> str:
    """A resource's name as it is in every deployment.

    >>> named_alike("arn:aws:s3:::bluegreen-shop-reports65402a0a-16hy53yfmxga/releases/*")
    'arn:aws:s3:::bluegreen-shop-reports65402a0a-*/releases/*'
    >>> named_alike("arn:aws:secretsmanager:eu-west-2:1:secret:bluegreen/shop/approval-key-AbCdEf")
    'arn:aws:secretsmanager:eu-west-2:1:secret:bluegreen/shop/approval-key-*'
    """
    for unique in _MADE_UNIQUE:
        resource = unique.sub(r"\g<name>-*", resource)
    return resource


def units_of(caller: Caller) -> list[Unit]:
    """What a caller may do, taken apart; a name that a deployment has made unique is the same in every one."""
    return [
        Unit(caller.name, Statement("Allow", (action,), (named_alike(resource),), statement.conditions))
        for statement in caller.statements
        if statement.effect == "Allow"
        for action in statement.actions
        for resource in statement.resources
    ]


class Guard:
    """Thread safe. `tags` is asked about resources that exist; of a new one the request's tags are known instead."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self._lock = threading.Lock()
        self._calls: dict[str, Call] = {}
        self._tagged: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        """What resources have carried: who comes late to one that has lost its tag, or is gone, lacks no permission."""
        self.payloads: Counter[str] = Counter()
        """The largest payload in bytes, in or out, of each function that was invoked."""

    def refusal(self, caller: Caller, asked: Iterable[Asked]) -> str | None:
        """Why a call is refused, in AWS's words; None when all that it asks for is allowed."""
        denied = None
        for each in asked:
            tags = {f"aws:ResourceTag/{name}": (value,) for name, value in self._tags(each.resource).items()}
            complete = Asked(each.action, each.resource, {**each.keys, **tags})
            allowed = allowing(caller.statements, complete) is not None
            call = Call(caller.name, complete, allowed)
            with self._lock:
                earlier = Asked(each.action, each.resource, {**each.keys, **self._tagged[each.resource]})
                if allowed or not allowing(caller.statements, earlier):
                    self._calls.setdefault(call.to_json(), call)
                self._tagged[each.resource].update(tags)
            if not allowed and denied is None:
                denied = (
                    f"{caller.name} is not authorized to perform: {each.action} on resource: {each.resource}"
                    " because no identity-based policy allows the action"
                )
        return denied

    def measure(self, function: str, *payloads: int) -> None:
        """Notes the sizes of what went into a function and came out."""
        with self._lock:
            self.payloads[function] = max(self.payloads[function], *payloads)

    def calls(self) -> list[Call]:
        """All different calls so far."""
        with self._lock:
            return list(self._calls.values())

    def refused(self) -> list[Call]:
        """Those that a role did not allow."""
        return [call for call in self.calls() if not call.allowed]

    def save(self, folder: Path, callers: Iterable[Caller]) -> None:
        """Writes what these callers may do and what they asked for into a file of its own in the folder."""
        granted = [unit for caller in callers for unit in units_of(caller)]
        if not granted:
            return
        names = {unit.caller for unit in granted}
        folder.mkdir(parents=True, exist_ok=True)
        lines = [unit.to_json() for unit in granted]
        lines += [call.to_json() for call in self.calls() if call.caller in names]
        lines += [json.dumps({"function": name, "bytes": self.payloads[name]}) for name in self.payloads]
        (folder / f"{uuid.uuid4().hex}.jsonl").write_text("\n".join(lines) + "\n")
