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
    "With a major version green's secondary gets a group of instances of its own. A server here that was upgraded"
    " lacks what stands for Aurora's function that tells the lag of a secondary. The same calls at home are tried."
)
_AWAY = "arn:aws:rds:eu-west-1:123456789012"
_GROUPS = f"{_AWAY}:pg:*"

_THERE = "*/bluegreen-shop-green"
"""The role in green's account."""
_KEYS = "RDS uses the keys, with the permissions of whoever has it make a cluster; RDS here has no keys"
_SHARED = "AWS may ask for a shared cluster of blue's account by its name or its resource id; here it asks by one"
_LISTED = "A list with the clusters that are shared is asked for here by those of its own account; AWS may ask by both"
_UPGRADED = "A major upgrade in another account, and the log of one that fails: tried at home, by the same grants"

EXCUSES = (
    *(
        Excuse("*", f"xray:{action}", "*", "X-Ray is off here")
        for action in ("GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments")
    ),
    *(
        Excuse("*", f"logs:{action}", "*", "Step Functions writes its logs itself; here they are files")
        for action in (
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        )
    ),
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
    *(
        Excuse(_THERE, f"kms:{action}", "arn:aws:kms:eu-west-2:*:key/*", _KEYS)
        for action in (
            "CreateGrant",
            "Decrypt",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        )
    ),
    Excuse(_THERE, "rds:DescribeDBClusters", "arn:aws:rds:eu-west-2:123456789012:cluster:*", _SHARED),
    Excuse(f"{_THERE}-reader", "rds:DescribeDBClusters", "arn:aws:rds:eu-west-2:123456789012:cluster:*", _LISTED),
    Excuse(_THERE, "rds:RestoreDBClusterToPointInTime", "arn:aws:rds:eu-west-2:123456789012:cluster:*", _SHARED),
    Excuse(_THERE, "rds:ModifyDBCluster", "arn:aws:rds:eu-west-2:210987654321:pg:*", _UPGRADED),
    Excuse(_THERE, "rds:ModifyDBParameterGroup", "arn:aws:rds:eu-west-2:210987654321:pg:*", _UPGRADED),
    Excuse(_THERE, "rds:DescribeDBLogFiles", "arn:aws:rds:eu-west-2:210987654321:db:*", _UPGRADED),
    Excuse(_THERE, "rds:DownloadDBLogFilePortion", "arn:aws:rds:eu-west-2:210987654321:db:*", _UPGRADED),
    *(
        Excuse("bluegreen-shop-UntagGreen", f"rds:{action}", _GROUPS, _MAJOR_AWAY)
        for action in ("AddTagsToResource", "ListTagsForResource", "RemoveTagsFromResource")
    ),
    Excuse("bluegreen-shop-DeleteGreen", "rds:DeleteDBParameterGroup", _GROUPS, _MAJOR_AWAY),
    Excuse("bluegreen-shop-DeleteGreen", "rds:ListTagsForResource", _GROUPS, _MAJOR_AWAY),
)
