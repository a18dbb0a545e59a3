"""One function for each state of the state machines that runs code of ours, with its own role and its own grants.

The function of state `CheckBlue` is the construct `CheckBlue`, runs `handlers/check_blue.py`, and its ARN takes the
place of `${CheckBlueFunctionArn}` in the state machines' definitions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.account_grants import if_elsewhere, to_green, to_greens_secondaries, to_look_at_green
from stacks.approval_grants import answer_release, identity, mail_leads, requests, sign_links
from stacks.config import ClusterConfig
from stacks.grants import (
    change_record,
    change_rehearsal_record,
    database,
    dead_executions,
    lock,
    monitoring,
    order_end,
    own_history,
    plan,
    read_dns_change,
    read_record,
    releases,
    replication_secrets,
    reports,
    scripts,
    warming,
)
from stacks.network import Network
from stacks.observability import log_group
from stacks.packaging import ARCHITECTURE, RUNTIME, functions_code
from stacks.policies import Grant, Shared, function_name, role_path
from stacks.rds_grants import (
    delete_clone,
    delete_global_clone,
    delete_groups,
    delete_groups_of_opened,
    find_clusters,
    find_groups,
    find_secondaries,
    look_at_clusters,
    look_at_global_clusters,
    look_at_secondaries,
    look_at_upgrade,
    look_at_versions,
    look_for_obstacles,
    make_clone,
    make_global_cluster,
    make_groups,
    make_groups_elsewhere,
    make_secondary,
    read_groups,
    read_groups_elsewhere,
    settle_clone,
    settle_secondary,
    untag,
    untag_global_cluster,
    upgrade_clone,
)
from stacks.removal_grants import (
    delete_cluster,
    delete_global_cluster,
    look_at_snapshots,
    production,
    remove_from_global_cluster,
    remove_secondaries,
    retire,
    start_cluster,
    stop_cluster,
    take_snapshot,
    target,
)


@dataclass(frozen=True, slots=True)
class Row:
    """What one state's function needs: the seconds it may take, and what it may do."""

    state: str
    timeout_s: int
    grants: tuple[Grant, ...]

    @property
    def module(self) -> str:
        """
        >>> Row("CheckBlue", 60, ()).module
        'check_blue'
        """
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.state).lower()

    @property
    def placeholder(self) -> str:
        return f"{self.state}FunctionArn"


_IN_THE_FREEZE = (
    "FreezeBlue",
    "FlipDns",
    "SyncSequences",
    "WaitForDrain",
    "VerifyCutover",
    "OpenGreen",
    "AbortSwitchover",
    "RestoreDns",
)
BUDGET_LIMIT_S = 600
"""The largest freeze budget; what is left of the real one bounds a step before."""

ONE_CPU_MB = 1769
"""Lambda gives processor time in proportion to memory, and this is one vCPU (Lambda Developer Guide, "Configure Lambda
function memory"). In the freeze our own Python would otherwise take more than three times as long."""

_PARSING = ("CheckChanges", "ApplyChanges")
"""A script of 16 MB in many statements takes some 600 MB while it is taken apart."""

_SMALL_MB = 512
_MEMORY_MB = {"default": _SMALL_MB, **dict.fromkeys((*_IN_THE_FREEZE, *_PARSING, "WriteReport"), ONE_CPU_MB)}
"""Processor time comes with it."""

_forget_secret = replication_secrets("DeleteSecret")

_OF_A_RELEASE = (
    Row(
        "PlanRelease",
        30,
        (
            *(plan, identity, lock("PutItem", "GetItem"), read_record),
            *(find_clusters, find_secondaries, look_at_global_clusters),
        ),
    ),
    Row(
        "CheckBlue",
        60,
        (
            *(database, look_at_clusters, look_at_secondaries, look_at_global_clusters),
            *(look_for_obstacles, look_at_versions, read_groups, to_look_at_green()),
        ),
    ),
    Row("CheckChanges", 120, (database, scripts)),
    Row("CreateReplicationUser", 60, (database, replication_secrets("CreateSecret", "GetSecretValue", "TagResource"))),
    Row("CreatePublications", 120, (database,)),
    Row("CreateSlots", 180, (database,)),
    Row("CloneBlue", 60, (look_at_clusters, to_green(make_clone), if_elsewhere(read_groups, find_groups))),
    Row("WaitForGreen", 30, (look_at_clusters, to_green(settle_clone))),
    Row("AdoptClone", 120, (database,)),
    Row("UpgradeGreen", 120, (look_at_clusters, look_at_versions, read_groups, to_green(make_groups, upgrade_clone))),
    Row("WaitForUpgrade", 120, (look_at_clusters, to_green(settle_clone, look_at_upgrade))),
    Row("UpdateExtensions", 120, (database,)),
    Row("CreateSubscriptions", 120, (database, replication_secrets("GetSecretValue"))),
    Row("MonitorLag", 30, (database, lock("GetItem", "UpdateItem"), monitoring)),
    Row("CheckDrift", 120, (database,)),
    Row("ApplyChanges", 840, (database, scripts)),
    Row("WaitForCatchUp", 60, (database,)),
    Row(
        "CreateGlobalCluster", 60, (find_clusters, look_at_global_clusters, to_greens_secondaries(make_global_cluster))
    ),
    Row(
        "CreateSecondary",
        60,
        (
            *(find_clusters, look_at_secondaries, look_at_versions, read_groups_elsewhere),
            to_greens_secondaries(make_secondary, make_groups_elsewhere),
        ),
    ),
    Row("WaitForSecondary", 30, (look_at_secondaries, to_greens_secondaries(settle_secondary))),
    Row("WaitForGlobalLag", 60, (database,)),
    Row("BeginVerification", 120, (database,)),
    Row("CompareChunks", 840, (database,)),
    Row("SumUpVerification", 60, (database,)),
    Row("WarmGreen", 840, (database,)),
    Row("LowerTtl", 150, (change_record, change_rehearsal_record, read_dns_change)),
    Row("GatherEvidence", 840, (database,)),
    Row("RehearseSwitchover", 840, (database,)),
    Row("RehearseDns", 150, (change_rehearsal_record, read_dns_change)),
    Row("ReportRehearsal", 60, (own_history, lock("PutItem"))),
    Row(
        "RequestApproval",
        30,
        (requests("UpdateItem", "GetItem"), sign_links, mail_leads, answer_release, identity),
    ),
    Row("RecheckReadiness", 840, (database,)),
    Row("WarmFunctions", 60, (warming(*_IN_THE_FREEZE),)),
    Row("FreezeBlue", 60, (database,)),
    Row("FlipDns", 20, (change_record,)),
    Row("SyncSequences", BUDGET_LIMIT_S, (database,)),
    Row("WaitForDrain", BUDGET_LIMIT_S, (database,)),
    Row("VerifyCutover", BUDGET_LIMIT_S, (database,)),
    Row("OpenGreen", 30, (database,)),
    Row("WaitForDns", 30, (read_dns_change,)),
    Row("RestoreTtl", 60, (change_record,)),
    Row("DropSubscriptions", 120, (database,)),
    Row(
        "UntagGreen",
        60,
        (
            to_green(look_at_clusters, look_at_secondaries, look_at_global_clusters, untag),
            to_greens_secondaries(untag_global_cluster),
        ),
    ),
    Row(
        "CompleteRelease",
        120,
        (database, _forget_secret, releases("PutItem", "GetItem"), order_end),
    ),
    Row("WriteReport", 60, (reports(_MEMORY_MB),)),
    Row("AbortSwitchover", 60, (database,)),
    Row("RestoreDns", 60, (change_record, change_rehearsal_record)),
    Row("CleanUpReplication", 120, (database, _forget_secret)),
    Row(
        "DeleteGreen",
        60,
        (
            to_green(look_at_clusters, look_at_secondaries, look_at_global_clusters, delete_clone, delete_groups),
            to_greens_secondaries(delete_global_clone),
        ),
    ),
    Row("ReleaseLock", 30, (lock("DeleteItem"), requests("Query", "UpdateItem"))),
)

_TIMEOUTS_S = {row.state: row.timeout_s for row in _OF_A_RELEASE}

_OF_A_DECOMMISSION = (
    Row(
        "PlanDecommission",
        60,
        (
            *(database, target, lock("GetItem"), releases("PutItem", "GetItem")),
            *(look_at_clusters, find_secondaries, look_at_global_clusters),
        ),
    ),
    Row("TakeFinalSnapshot", 60, (find_clusters, take_snapshot)),
    Row("WaitForSnapshot", 30, (look_at_snapshots,)),
    Row("RetireCluster", 60, (production, look_at_snapshots, retire)),
    Row("RemoveSecondaries", 60, (production, look_at_snapshots, remove_secondaries)),
    Row("RemoveFromGlobalCluster", 60, (production, look_at_snapshots, remove_from_global_cluster)),
    Row("DeleteGlobalCluster", 60, (delete_global_cluster,)),
    Row("StopCluster", 60, (production, find_clusters, look_at_snapshots, stop_cluster)),
    Row(
        "DeleteCluster",
        60,
        (production, look_at_snapshots, delete_cluster, start_cluster, delete_groups, delete_groups_of_opened),
    ),
)

BESIDE_THE_STATES = (
    Row("ApprovalPage", 25, (requests("GetItem", "UpdateItem"), sign_links, identity, answer_release)),
    Row("DecideApproval", 25, (requests("GetItem", "UpdateItem"), answer_release)),
)
"""Functions that no state calls, but API Gateway and people do."""

FUNCTIONS = (
    *_OF_A_RELEASE,
    *_OF_A_DECOMMISSION,
    Row(
        "InspectRelease",
        60,
        (
            *(database, lock("GetItem"), dead_executions(max(_TIMEOUTS_S.values()), _TIMEOUTS_S["PlanRelease"])),
            to_look_at_green(find_clusters, find_secondaries),
        ),
    ),
    *BESIDE_THE_STATES,
)


def make_functions(scope: Construct, shared: Shared, network: Network) -> dict[str, lambda_.Function]:
    """The functions by the placeholders that stand for their ARNs in the state machine's definition."""
    code = functions_code()
    return {row.placeholder: _make(scope, row, code, shared, network) for row in FUNCTIONS}


def _make(scope: Construct, row: Row, code: lambda_.Code, shared: Shared, network: Network) -> lambda_.Function:
    name = function_name(shared.config, row.state)
    in_vpc = database in row.grants or shared.config.functions_in_vpc == "all"
    function = lambda_.Function(
        scope,
        row.state,
        function_name=name,
        description=f"{row.state} of the releases of {shared.config.name}",
        code=code,
        handler=f"handlers.{row.module}.handler",
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        memory_size=_MEMORY_MB.get(row.state, _SMALL_MB),
        timeout=cdk.Duration.seconds(row.timeout_s),
        environment=_environment(shared.config),
        vpc=network.vpc if in_vpc else None,
        security_groups=[network.functions] if in_vpc else None,
        tracing=lambda_.Tracing.ACTIVE,
        log_group=log_group(scope, f"{row.state}Logs", f"/aws/lambda/{name}"),
    )
    cast(iam.CfnRole, cast(iam.Role, function.role).node.default_child).path = role_path(shared.config)
    for grant in row.grants:
        grant(function, shared)
    return function


def _environment(config: ClusterConfig) -> dict[str, str]:
    return {
        "CLUSTER_NAME": config.name,
        "POWERTOOLS_SERVICE_NAME": "bluegreen",
        "POWERTOOLS_METRICS_NAMESPACE": "BlueGreen",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
