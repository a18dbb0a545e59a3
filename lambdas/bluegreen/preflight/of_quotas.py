"""How many clusters and instances the account may have that green is made in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .findings import Check, Found

QUOTA_REACHED = Check(
    "quota-reached",
    "blocker",
    "Green needs a cluster, and an instance for each of blue's.",
    "ask for a larger quota of {quota} (Service Quotas), or delete some",
    name="{quota}: {used} of {max} are used; {needed} are needed",
)


def look(rds: Any, instances: int, place: str) -> Iterator[Found]:
    """Asks RDS of the account that is meant; ``place`` is what it is called in the finding."""
    needed = {"DBClusters": 1, "DBInstances": instances}
    for quota in rds.describe_account_attributes()["AccountQuotas"]:
        name, used, most = (quota.get(key) for key in ("AccountQuotaName", "Used", "Max"))
        if name in needed and used + needed[name] > most:
            yield QUOTA_REACHED.found(place, {"quota": name, "used": used, "max": most, "needed": needed[name]})
