"""What roles may do although no run on this machine needs it, each with the reason. A row that is not needed is refused
as a permission that is not needed is."""

from __future__ import annotations

from dataclasses import dataclass

from .guard import Unit
from .policies import like


@dataclass(frozen=True)
class Excuse:
    """Patterns of the caller's name, the action and the resource, and why it stays."""

    caller: str
    action: str
    resource: str
    reason: str
    by_chance: bool = False
    """Whether some runs need it, by a retry at the right moment for instance, and others do not."""

    def fits(self, unit: Unit) -> bool:
        """Whether it is about this permission."""
        return (
            like(self.caller, unit.caller)
            and like(self.action, unit.statement.actions[0])
            and like(self.resource, unit.statement.resources[0])
        )


_SUBNETS = (
    "The instance comes into its cluster's subnet group. The request does not name it, so the emulator does not ask;"
    " whether RDS does is a belief (docs/beliefs.md), and a release would end there."
)
_MAJOR_AWAY = (
    "With a major version green's secondary gets a group of instances of its own. No server here can be upgraded and be"
    " the primary of a secondary: pg_upgrade drops the function that tells its lag. The same calls at home are tried."
)
_AWAY = "arn:aws:rds:eu-west-1:123456789012"
_GROUPS = f"{_AWAY}:pg:*"

EXCUSES = (
    Excuse("*", "xray:*", "*", "X-Ray is off here"),
    Excuse("*", "logs:*", "*", "Lambda and Step Functions write their logs themselves; here they are files"),
    Excuse("bluegreen-shop-CloneBlue", "rds:CreateDBInstance", "arn:aws:rds:eu-west-2:*:subgrp:*", _SUBNETS),
    Excuse("*/bluegreen-shop-green", "rds:CreateDBInstance", "arn:aws:rds:eu-west-2:*:subgrp:*", _SUBNETS),
    Excuse("bluegreen-shop-CreateSecondary", "rds:CreateDBInstance", f"{_AWAY}:subgrp:*", _SUBNETS),
    Excuse("bluegreen-shop-CreateSecondary", "rds:DescribeDBEngineVersions", "*", _MAJOR_AWAY),
    Excuse("bluegreen-shop-CreateSecondary", "rds:DescribeEngineDefaultParameters", "*", _MAJOR_AWAY),
    *(
        Excuse("bluegreen-shop-CreateSecondary", f"rds:{action}", _GROUPS, _MAJOR_AWAY)
        for action in (
            "AddTagsToResource",
            "CreateDBParameterGroup",
            "DescribeDBParameterGroups",
            "DescribeDBParameters",
            "ListTagsForResource",
            "ModifyDBParameterGroup",
        )
    ),
    Excuse("bluegreen-shop-DeleteGreen", "rds:DeleteDBParameterGroup", _GROUPS, _MAJOR_AWAY),
    Excuse("bluegreen-shop-DeleteGreen", "rds:ListTagsForResource", _GROUPS, _MAJOR_AWAY),
)
