"""What a policy allows: IAM's evaluation of identity policies, as far as the application's policies go.

An explicit Deny wins, else one Allow is enough (IAM User Guide, "Policy evaluation logic"). What is not known here, an
operator of a condition for instance, is an error and not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Keys = Mapping[str, tuple[str, ...]]
"""Values of condition keys by the key's name; a tag's is `aws:ResourceTag/<tag>`."""


class UnknownConditionError(Exception):
    """A condition's operator that is not evaluated here."""


@dataclass(frozen=True)
class Asked:
    """One action on one resource, which is `*` where the action knows none."""

    action: str
    resource: str
    keys: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, its strings in tuples."""

    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Operator, key, values."""

    @classmethod
    def of(cls, statement: Mapping[str, Any]) -> Statement:
        """From a policy document; `NotAction` and the like are not among what the application uses."""
        conditions = (
            (operator, key, tuple(map(str, _listed(values))))
            for operator, pairs in statement.get("Condition", {}).items()
            for key, values in pairs.items()
        )
        return cls(
            statement["Effect"],
            tuple(_listed(statement["Action"])),
            tuple(_listed(statement["Resource"])),
            tuple(conditions),
        )

    def matches(self, asked: Asked) -> bool:
        """Whether the statement speaks of this action on this resource under these circumstances."""
        return (
            any(like(action.lower(), asked.action.lower()) for action in self.actions)
            and any(like(resource, asked.resource) for resource in self.resources)
            and all(_holds(*condition, asked.keys) for condition in self.conditions)
        )


def statements_of(document: Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document."""
    return [Statement.of(each) for each in _listed(document["Statement"])]


def allowing(statements: Iterable[Statement], asked: Asked) -> Statement | None:
    """The statement that allows it; None when none does or another one denies it.

    >>> read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::scripts/*"}
    >>> allowing([Statement.of(read)], Asked("s3:GetObject", "arn:aws:s3:::scripts/a.sql")) is None
    False
    >>> allowing([Statement.of(read)], Asked("s3:PutObject", "arn:aws:s3:::scripts/a.sql")) is None
    True
    """
    found = [statement for statement in statements if statement.matches(asked)]
    if any(statement.effect == "Deny" for statement in found):
        return None
    return found[0] if found else None


def like(pattern: str, value: str) -> bool:
    """IAM's wildcards, which also match colons and slashes.

    >>> like("arn:aws:rds:*:cluster:shop-*", "arn:aws:rds:eu-west-2:1:cluster:shop-blue")
    True
    >>> like("shop-?", "shop-10")
    False
    """
    return _expression(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _holds(operator: str, key: str, wanted: tuple[str, ...], keys: Keys) -> bool:
    quantifier, _, plain = operator.rpartition(":")
    present = {name.lower(): values for name, values in keys.items()}.get(key.lower())
    if plain == "Null":
        return (present is None) is (wanted[0].lower() == "true")
    if plain.endswith("IfExists") and present is None:
        return True
    test = _OPERATORS.get(plain.removesuffix("IfExists"))
    if test is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownConditionError(f"{operator}: teach local/aws/permissions/policies.py this operator")
    positive = not plain.startswith(("StringNot", "ArnNot"))
    results = [any(test(each, value) for each in wanted) is positive for value in present or ()]
    if quantifier == "ForAllValues":
        return all(results)
    return any(results) if present is not None else not positive and quantifier == ""


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringNotEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": like,
    "StringNotLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "ArnNotLike": like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower(),
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
