"""What RDS answers and moto does not know: quotas of the account, and maintenance that is due."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

QUOTAS = {"DBClusters": 40, "DBInstances": 40}
"""As an account has them by default (Aurora User Guide, "Quotas in Amazon Aurora")."""

DUE: list[dict[str, Any]] = []
"""What DescribePendingMaintenanceActions returns, whoever asks."""


def describe_account_attributes(self: RDSResponse) -> ActionResult:
    """Quotas, and how much of each is used."""
    used = {"DBClusters": len(self.backend.clusters), "DBInstances": len(self.backend.databases)}
    return ActionResult(
        {
            "AccountQuotas": [
                {"AccountQuotaName": name, "Used": used[name], "Max": most} for name, most in QUOTAS.items()
            ]
        }
    )


def describe_pending_maintenance_actions(_self: RDSResponse) -> ActionResult:
    """Nothing, usually."""
    return ActionResult({"PendingMaintenanceActions": DUE})


def install() -> None:
    """moto looks its answers up by name."""
    for answer in (describe_account_attributes, describe_pending_maintenance_actions):
        setattr(RDSResponse, answer.__name__, answer)
