"""What RDS answers and moto does not know: quotas of the account, maintenance that is due, classes of today."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from local.aws.seams.rds_engines import ANSWERS

QUOTAS = {"DBClusters": 40, "DBInstances": 40}
"""As an account has them by default (Aurora User Guide, "Quotas in Amazon Aurora")."""

DUE: list[dict[str, Any]] = []
"""What DescribePendingMaintenanceActions returns, whoever asks."""


NOT_OFFERED: set[str] = set()
"""Classes that DescribeOrderableDBInstanceOptions has for no version; moto's list is of 2023 and never filtered."""


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


def describe_orderable_db_instance_options(self: RDSResponse) -> ActionResult:
    """The class that is asked for."""
    name = self.params["DBInstanceClass"]
    option = {"Engine": self.params["Engine"], "EngineVersion": self.params["EngineVersion"], "DBInstanceClass": name}
    return ActionResult({"OrderableDBInstanceOptions": [] if name in NOT_OFFERED else [option]})


def enable_http_endpoint(self: RDSResponse) -> ActionResult:
    """The Data API of a cluster."""
    arn = self.params["ResourceArn"]
    [cluster] = self.backend.describe_db_clusters(arn)
    cluster._enable_http_endpoint = True
    return ActionResult({"ResourceArn": arn, "HttpEndpointEnabled": True})


def install() -> None:
    """moto looks its answers up by name."""
    for answer in (
        describe_account_attributes,
        describe_pending_maintenance_actions,
        describe_orderable_db_instance_options,
        enable_http_endpoint,
        *ANSWERS,
    ):
        setattr(RDSResponse, answer.__name__, answer)
