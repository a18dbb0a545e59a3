"""The engine upgrade of green, and its parameter groups: after the clone was adopted, before it subscribes to blue.

Green is not production: its instances are rebooted as needed. RDS asks for an upgrade with its new groups in one
request, and goes back to the old version by itself when it fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ..errors import GreenFailed, GreenNotReady
from ..model import Cluster, Plan
from . import parameter_groups
from .aurora import Description, describe_cluster, describe_instances, require_green_ready
from .engines import Target, target_of
from .sides import Rds

UNDER_WAY_S = 20.0
"""How long one attempt waits for RDS to begin with what it was asked for: it answers first [U]."""

LOG_CHARACTERS = 3000
"""How much of the end of an upgrade's log is told; an execution's cause may have ten times as many."""


def upgrade_green(rds: Rds, plan: Plan, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Asks RDS for the version and the groups, and returns when it is seen to be at work.

    Only then does an available cluster of the old version mean that RDS took the upgrade back. ``GreenNotReady`` when
    RDS did not begin; asked again, it is told again.
    """
    blue, described = describe_cluster(rds.blue, plan.blue.identifier), _described(rds.green, plan)
    if blue is None:
        raise GreenFailed(f"The cluster {plan.blue.identifier} is gone.")
    target = target_of(rds.blue, plan, blue)
    request, left = parameter_groups.make_after(rds, plan, blue, target.family, with_instances=target.is_major)
    group = request["DBClusterParameterGroupName"]
    if not _is_under_way(described, target, group):
        _ask(rds.green, plan, target, request)
        _wait_until_under_way(rds.green, plan, target, group, sleep)
    return asdict(target) | {"was": blue["EngineVersion"], "group": group, "left_behind": left}


def _described(rds: Any, plan: Plan) -> Description:
    green = describe_cluster(rds, plan.green_identifier)
    if green is None:
        raise GreenFailed(f"The cluster {plan.green_identifier} is gone.")
    return green


def _is_under_way(green: Description, target: Target, group: str) -> bool:
    """Whether RDS has begun with it, or is done. A group without an upgrade has to be followed by a reboot."""
    if green["Status"] != "available":
        return True
    if green["EngineVersion"] != target.version or green["DBClusterParameterGroup"] != group:
        return False
    return target.is_upgrade or any(
        member.get("DBClusterParameterGroupStatus") != "in-sync" for member in green.get("DBClusterMembers", [])
    )


def _ask(rds: Any, plan: Plan, target: Target, request: dict[str, str]) -> None:
    version = {"EngineVersion": target.version, "AllowMajorVersionUpgrade": target.is_major}
    try:
        rds.modify_db_cluster(
            DBClusterIdentifier=plan.green_identifier,
            ApplyImmediately=True,
            **request,
            **(version if target.is_upgrade else {}),
        )
    except rds.exceptions.InvalidDBClusterStateFault as error:  # another attempt was faster
        raise GreenNotReady(f"{plan.green_identifier} cannot be changed now.") from error


def _wait_until_under_way(rds: Any, plan: Plan, target: Target, group: str, sleep: Callable[[float], None]) -> None:
    pause_s, deadline = 0.1, time.monotonic() + UNDER_WAY_S
    while not _is_under_way(_described(rds, plan), target, group):
        if time.monotonic() > deadline:
            if target.is_upgrade:
                raise GreenNotReady(f"RDS has not begun to upgrade {plan.green_identifier}.")
            return  # the group says what the one before said, or no reboot is wanted
        sleep(pause_s)
        pause_s = min(1.5 * pause_s, 0.3)


def require_upgraded(rds: Rds, plan: Plan, target_version: str) -> Cluster:
    """Green once it has version and groups; ``GreenNotReady`` until then. Reboots instances that wait for that.

    Raises ``GreenFailed`` with the end of the upgrade's log: the clean-up takes the log away with green.
    """
    cluster = require_green_ready(rds, plan)
    greens = rds.green
    green = _described(greens, plan)
    if green["EngineVersion"] != target_version:
        if "EngineVersion" in green.get("PendingModifiedValues", {}):
            raise GreenNotReady(f"{plan.green_identifier} is yet to be upgraded.")
        raise GreenFailed(
            f"RDS went back from the upgrade of {plan.green_identifier} to {target_version}; it is at"
            f" {green['EngineVersion']} again. Put right on blue what stood in its way, and release again.",
            *(upgrade_log(greens, plan) or ["It has left no log: see the events of the cluster."]),
        )
    waiting = _awaiting_reboot(greens, plan, green)
    for name in waiting:
        with suppress(greens.exceptions.InvalidDBInstanceStateFault):  # another attempt was faster
            greens.reboot_db_instance(DBInstanceIdentifier=name)
    if waiting:
        raise GreenNotReady(f"{', '.join(waiting)} is being rebooted for its parameters.")
    return cluster


def _awaiting_reboot(rds: Any, plan: Plan, green: Description) -> list[str]:
    members = {
        member["DBInstanceIdentifier"]
        for member in green.get("DBClusterMembers", [])
        if member.get("DBClusterParameterGroupStatus") == "pending-reboot"
    }
    instances = {
        instance["DBInstanceIdentifier"]
        for instance in describe_instances(rds, plan.green_identifier)
        if any(group["ParameterApplyStatus"] == "pending-reboot" for group in instance.get("DBParameterGroups", []))
    }
    return sorted(members | instances)


def upgrade_log(rds: Any, plan: Plan) -> list[str]:
    """The end of what the last upgrade of green has written, line by line, ``pg_upgrade_precheck.log`` for instance."""
    files = [
        (file["LastWritten"], instance["DBInstanceIdentifier"], file["LogFileName"])
        for instance in describe_instances(rds, plan.green_identifier)
        for page in rds.get_paginator("describe_db_log_files").paginate(
            DBInstanceIdentifier=instance["DBInstanceIdentifier"], FilenameContains="pg_upgrade"
        )
        for file in page["DescribeDBLogFiles"]
    ]
    if not files:
        return []
    _, instance, name = max(files)
    portion = rds.download_db_log_file_portion(DBInstanceIdentifier=instance, LogFileName=name, NumberOfLines=100)
    text = (portion.get("LogFileData") or "")[-LOG_CHARACTERS:]
    return [f"The end of {name}:", *(f"  {line}" for line in text.splitlines())]
