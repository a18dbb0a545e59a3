"""Green in another account than blue's: which, and what there is for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class GreenAccount:
    """Another account than blue's, in which green is made: who may make it, and what there is for it.

    Identifiers that mean something in one account only stand here in place of blue's (``rds/mirror.py``).
    """

    role_arn: str
    db_subnet_group: str
    security_group_ids: tuple[str, ...]
    cidr_blocks: tuple[str, ...]
    """Those of green's subnets: from there it connects to blue."""
    kms_key_id: str = ""
    """The key that green is encrypted with; empty for blue's own."""
    external_id: str = ""
    """What the role wants to be told by whoever assumes it; empty for nothing."""
    monitoring_role_arn: str = ""
    performance_insights_kms_key_id: str = ""
    associated_roles: Mapping[str, str] = field(default_factory=dict)
    """By the name of the feature that uses the role, ``s3Import`` for instance."""

    @property
    def account_id(self) -> str:
        """The number of the account."""
        return self.role_arn.split(":")[4]

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """The account as the plan's JSON has it."""
        lists = {key: tuple(state[key]) for key in ("security_group_ids", "cidr_blocks")}
        return cls(**{**state, **lists})
