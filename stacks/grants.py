"""What a function may be given: each grant adds the permissions for one thing, and the settings to find it by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager

from stacks.config import ClusterConfig, RecordConfig


@dataclass(frozen=True, slots=True)
class Shared:
    """What the functions of one stack share."""

    config: ClusterConfig
    release_secret: secretsmanager.ISecret
    lock_table: dynamodb.ITable
    release_table: dynamodb.ITable
    parser: lambda_.ILayerVersion


RELEASE_TAG = "bluegreen:release"  # as in bluegreen.model

_OF_A_RELEASE: dict[str, object] = {"Null": {f"aws:ResourceTag/{RELEASE_TAG}": "false"}}
"""What carries the tag."""

Grant = Callable[[lambda_.Function, Shared], None]


def database(function: lambda_.Function, shared: Shared) -> None:
    """Sign in to PostgreSQL as the release's role."""
    _allow(function, ["secretsmanager:GetSecretValue"], shared.release_secret.secret_arn)
    function.add_environment("RELEASE_SECRET_ARN", shared.release_secret.secret_arn)
    function.add_environment("DATABASE_TLS", shared.config.database_tls)


def plan(function: lambda_.Function, shared: Shared) -> None:
    """The settings that a release is planned with."""
    config = shared.config
    settings = {
        "DATABASES": json.dumps(config.databases),
        "RECORDS": json.dumps([asdict(record) for record in config.records]),
        "REHEARSAL_RECORDS": json.dumps([asdict(record) for record in config.rehearsal_records]),
        "CLUSTER_PATTERN": config.cluster_pattern,
        "APPROVAL_TIMEOUT_S": str(config.approval_timeout_s),
        "FREEZE_BUDGET_S": str(config.freeze_budget_s),
        "MAX_ATTEMPTS": str(config.max_attempts),
        "FREEZE_METHOD": config.freeze_method,
        "FREEZE_HOOK_FUNCTION_ARN": config.freeze_hook_function_arn,
        "FREEZE_HOOK_IN_BUDGET": json.dumps(config.freeze_hook_in_budget),
        "CHANGES_BUCKET": config.changes_bucket,
        "SWITCHOVER_TTL_S": str(config.switchover_ttl_s),
        "MAX_LAG_BYTES": str(config.max_lag_bytes),
        "MAX_LAG_S": str(config.max_lag_s),
        "VERIFY_WORKERS": str(config.verify_workers),
        "VERIFY_ROWS_PER_S": str(config.verify_rows_per_s),
        "VERIFY_MAX_ACTIVE_SESSIONS": str(config.verify_max_active_sessions),
    }
    for key, value in settings.items():
        function.add_environment(key, value)


def lock(*actions: str) -> Grant:
    """The table that keeps releases of one cluster apart."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        _allow(function, [f"dynamodb:{action}" for action in actions], shared.lock_table.table_arn)
        function.add_environment("LOCK_TABLE", shared.lock_table.table_name)

    return grant


def releases(*actions: str) -> Grant:
    """The table of releases that are complete, and of clusters that were ended."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        _allow(function, [f"dynamodb:{action}" for action in actions], shared.release_table.table_arn)
        function.add_environment("RELEASE_TABLE", shared.release_table.table_name)

    return grant


def order_end(function: lambda_.Function, shared: Shared) -> None:
    """Start the decommission of blue; the state machine is known by its name, as it calls functions itself."""
    machine = _arn(function, "states", "stateMachine", f"{resource_name(shared.config)}-decommission")
    _allow(function, ["states:StartExecution"], machine)
    function.add_environment("DECOMMISSION_ARN", machine)


def scripts(function: lambda_.Function, shared: Shared) -> None:
    """Read the scripts that change green, and the parser that takes them apart.

    With the permission to list, a script that is not there is told from one that may not be read.
    """
    function.add_layers(shared.parser)
    if bucket := shared.config.changes_bucket:
        stack = cdk.Stack.of(function)
        arn = stack.format_arn(service="s3", region="", account="", resource=bucket)
        objects = stack.format_arn(service="s3", region="", account="", resource=bucket, resource_name="*")
        _allow(function, ["s3:ListBucket"], arn)
        _allow(function, ["s3:GetObject"], objects)


def look_at_clusters(function: lambda_.Function, shared: Shared) -> None:
    """All of the Regions: blue is found by its endpoint in a list, and RDS has no permission for a part of a list."""
    actions = ["rds:DescribeDBClusters", "rds:DescribeDBInstances"]
    _allow(function, actions, *_everywhere(function, shared, "*", "cluster", "db"))


def look_at_global_clusters(function: lambda_.Function, _shared: Shared) -> None:
    """All, since blue's is found among them; they belong to no Region."""
    _allow(function, ["rds:DescribeGlobalClusters"], _global_clusters(function, "*"))


def look_for_obstacles(function: lambda_.Function, _shared: Shared) -> None:
    """What RDS is about to do to blue; quotas, classes, and rules of security groups, which know no resource."""
    actions = ["rds:DescribeBlueGreenDeployments", "rds:DescribePendingMaintenanceActions"]
    _allow(function, actions, *(_arn(function, "rds", kind, "*") for kind in ("cluster", "db", "deployment")))
    known_to_none = ["rds:DescribeAccountAttributes", "rds:DescribeOrderableDBInstanceOptions"]
    _allow(function, [*known_to_none, "ec2:DescribeSecurityGroupRules"], "*")


def make_clone(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances, of the groups that blue's are of, whose names follow no pattern."""
    groups = [_arn(function, "rds", kind, "*") for kind in ("cluster-pg", "pg", "subgrp", "og")]
    clusters = _clusters(function, shared)
    _allow(function, ["rds:AddTagsToResource"], *clusters)
    _allow(function, ["rds:RestoreDBClusterToPointInTime", "rds:CreateDBInstance"], *clusters, *groups)
    _pass_roles(function)


def settle_clone(function: lambda_.Function, shared: Shared) -> None:
    """Give what a release has made those settings of blue's that it could not be made with."""
    actions = ["rds:ModifyDBCluster", "rds:AddRoleToDBCluster", "rds:EnableHttpEndpoint"]
    _allow(function, actions, *_regional_clusters(function, shared), conditions=_OF_A_RELEASE)
    _pass_roles(function)


def make_global_cluster(function: lambda_.Function, shared: Shared) -> None:
    """Of a clone; it is tagged as that is."""
    whole = _global_clusters(function, shared.config.cluster_pattern)
    _allow(function, ["rds:CreateGlobalCluster"], *_clusters(function, shared), whole)
    _allow(function, ["rds:AddTagsToResource"], whole)


def make_secondary(function: lambda_.Function, shared: Shared) -> None:
    """A cluster and its instances in the Regions of blue's secondaries, of the groups that those are of."""
    clusters = _everywhere(function, shared, shared.config.cluster_pattern, "cluster", "db")
    groups = _everywhere(function, shared, "*", "cluster-pg", "pg", "subgrp", "og")
    whole = _global_clusters(function, shared.config.cluster_pattern)
    _allow(function, ["rds:AddTagsToResource"], *clusters)
    _allow(function, ["rds:CreateDBCluster", "rds:CreateDBInstance"], *clusters, *groups, whole)
    _pass_roles(function)


def delete_clone(function: lambda_.Function, shared: Shared) -> None:
    """Only what carries the tag that releases put on their clones: a cluster that none has made stays out of reach."""
    clusters = _regional_clusters(function, shared)
    whole = _global_clusters(function, shared.config.cluster_pattern)
    _allow(function, ["rds:ListTagsForResource"], *clusters)
    _allow(
        function,
        ["rds:DeleteDBInstance", "rds:DeleteDBCluster", "rds:ModifyDBCluster"],
        *clusters,
        conditions=_OF_A_RELEASE,
    )
    actions = ["rds:RemoveFromGlobalCluster", "rds:ModifyGlobalCluster", "rds:DeleteGlobalCluster"]
    _allow(function, actions, *clusters, whole, conditions=_OF_A_RELEASE)


def look_at_versions(function: lambda_.Function, shared: Shared) -> None:
    """Engine versions and the parameters of their families, which know no resource; blue's groups, of any name."""
    of_clusters, of_instances = (_everywhere(function, shared, "*", kind) for kind in ("cluster-pg", "pg"))
    _allow(function, ["rds:DescribeDBClusterParameterGroups", "rds:DescribeDBClusterParameters"], *of_clusters)
    _allow(function, ["rds:DescribeDBParameterGroups", "rds:DescribeDBParameters"], *of_instances)
    defaults = ["rds:DescribeEngineDefaultClusterParameters", "rds:DescribeEngineDefaultParameters"]
    _allow(function, [*defaults, "rds:DescribeDBEngineVersions"], "*")


def make_groups(function: lambda_.Function, shared: Shared) -> None:
    """Parameter groups that are named as green is. They are looked at before they are touched: by their tags."""
    of_clusters, of_instances = _groups(function, shared)
    _allow(function, ["rds:AddTagsToResource", "rds:ListTagsForResource"], *of_clusters, *of_instances)
    _allow(function, ["rds:CreateDBClusterParameterGroup", "rds:ModifyDBClusterParameterGroup"], *of_clusters)
    _allow(function, ["rds:CreateDBParameterGroup", "rds:ModifyDBParameterGroup"], *of_instances)


def delete_groups(function: lambda_.Function, shared: Shared) -> None:
    """Only groups that carry the tag of a release."""
    of_clusters, of_instances = _groups(function, shared)
    _allow(function, ["rds:DescribeDBClusterParameterGroups"], *_everywhere(function, shared, "*", "cluster-pg"))
    _allow(function, ["rds:DescribeDBParameterGroups"], *_everywhere(function, shared, "*", "pg"))
    _allow(function, ["rds:ListTagsForResource"], *of_clusters, *of_instances)
    _allow(function, ["rds:DeleteDBClusterParameterGroup"], *of_clusters, conditions=_OF_A_RELEASE)
    _allow(function, ["rds:DeleteDBParameterGroup"], *of_instances, conditions=_OF_A_RELEASE)


def upgrade_clone(function: lambda_.Function, shared: Shared) -> None:
    """Modify what carries the tag of a release; the groups that it may be given are RDS's own or named as green is."""
    names = (shared.config.cluster_pattern, "default.*")
    groups = [_arn(function, "rds", kind, name) for name in names for kind in ("cluster-pg", "pg")]
    _allow(function, ["rds:ModifyDBCluster"], *_clusters(function, shared), conditions=_OF_A_RELEASE)
    _allow(function, ["rds:ModifyDBCluster"], *groups)


def look_at_upgrade(function: lambda_.Function, shared: Shared) -> None:
    """Reboot instances that carry the tag of a release, and read what an upgrade has written."""
    clusters = _clusters(function, shared)
    _allow(function, ["rds:RebootDBInstance"], clusters[1], conditions=_OF_A_RELEASE)
    _allow(function, ["rds:DescribeDBLogFiles", "rds:DownloadDBLogFilePortion"], clusters[1])


def dead_executions(longest_timeout_s: int) -> Grant:
    """How an execution of the release's machine ended; and by when no function that it had called can be running.

    A minute is added: a call that was under way when the execution ended may have had its function to start yet.
    """

    def grant(function: lambda_.Function, shared: Shared) -> None:
        executions = _arn(function, "states", "execution", f"{resource_name(shared.config)}:*")
        _allow(function, ["states:DescribeExecution"], executions)
        function.add_environment("FUNCTIONS_END_AFTER_S", str(longest_timeout_s + 60))

    return grant


def own_history(function: lambda_.Function, shared: Shared) -> None:
    """What an execution of the release's machine has been through."""
    executions = _arn(function, "states", "execution", f"{resource_name(shared.config)}:*")
    _allow(function, ["states:GetExecutionHistory"], executions)


def replication_secrets(*actions: str) -> Grant:
    """The secrets of replication users, which live as long as their release."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        # Secrets Manager adds a hyphen and six characters to the name: the pattern covers them.
        secrets = _arn(function, "secretsmanager", "secret", f"bluegreen/{shared.config.name}/replication/*")
        _allow(function, [f"secretsmanager:{action}" for action in actions], secrets)

    return grant


def read_record(function: lambda_.Function, shared: Shared) -> None:
    """Route 53 knows no permission to read a single record, so it is the zones'."""
    _read(function, _zones((*shared.config.records, *shared.config.rehearsal_records)))


def _read(function: lambda_.Function, zones: Iterable[str]) -> None:
    if resources := [_zone(function, zone_id) for zone_id in zones]:
        _allow(function, ["route53:ListResourceRecordSets"], *resources)


def change_record(function: lambda_.Function, shared: Shared) -> None:
    """The records of production and no other ones of their zones."""
    _change(function, shared.config.records)


def change_rehearsal_record(function: lambda_.Function, shared: Shared) -> None:
    """The records of the rehearsal and no other ones of their zones."""
    _change(function, shared.config.rehearsal_records)


def _change(function: lambda_.Function, configured: Sequence[RecordConfig]) -> None:
    """A condition has names as Route 53 normalizes them, ``\\052`` for ``*`` (Developer Guide, "Using IAM policy
    conditions for fine-grained access control")."""
    zones = _zones(configured)
    _read(function, zones)
    for zone_id, records in zones.items():
        names = [record.name.replace("*", "\\052") for record in records]
        only = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
            "route53:ChangeResourceRecordSetsRecordTypes": sorted({record.type for record in records}),
        }
        _allow(
            function,
            ["route53:ChangeResourceRecordSets"],
            _zone(function, zone_id),
            conditions={"ForAllValues:StringEquals": only},
        )


def read_dns_change(function: lambda_.Function, _shared: Shared) -> None:
    """A change's identifier is not known beforehand."""
    _allow(function, ["route53:GetChange"], _global_arn(function, "route53", "change", "*"))


def warming(*names: str) -> Grant:
    """Call the functions of these states."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        function_names = [function_name(shared.config, name) for name in names]
        arns = [_arn(function, "lambda", "function", name) for name in function_names]
        _allow(function, ["lambda:InvokeFunction"], *arns)
        function.add_environment("WARM_FUNCTIONS", json.dumps(function_names))

    return grant


def resource_name(config: ClusterConfig) -> str:
    """The name of the release's state machine, and the beginning of all other names."""
    return f"bluegreen-{config.name}"


def function_name(config: ClusterConfig, state: str) -> str:
    return f"{resource_name(config)}-{state}"


def _allow(
    function: lambda_.Function, actions: list[str], *resources: str, conditions: dict[str, object] | None = None
) -> None:
    function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=list(resources), conditions=conditions))


def _clusters(function: lambda_.Function, shared: Shared) -> list[str]:
    return [_arn(function, "rds", kind, shared.config.cluster_pattern) for kind in ("cluster", "db")]


def _regional_clusters(function: lambda_.Function, shared: Shared) -> list[str]:
    return _everywhere(function, shared, shared.config.cluster_pattern, "cluster", "db")


def _everywhere(function: lambda_.Function, shared: Shared, name: str, *kinds: str) -> list[str]:
    """ARNs in the stack's Region and in those of blue's secondaries."""
    regions = [None, *shared.config.secondary_regions]
    return [_arn(function, "rds", kind, name, region) for region in regions for kind in kinds]


def _global_clusters(function: lambda_.Function, name: str) -> str:
    return _arn(function, "rds", "global-cluster", name, region="")


def _pass_roles(function: lambda_.Function) -> None:
    """Blue's own roles, whose names follow no pattern, to RDS and its monitoring only."""
    roles = cdk.Stack.of(function).format_arn(service="iam", region="", resource="role", resource_name="*")
    services = ["rds.amazonaws.com", "monitoring.rds.amazonaws.com"]
    _allow(function, ["iam:PassRole"], roles, conditions={"StringEquals": {"iam:PassedToService": services}})


def _groups(function: lambda_.Function, shared: Shared) -> Iterator[list[str]]:
    """Parameter groups of clusters, and of instances, that are named as green is, in all Regions."""
    return (_everywhere(function, shared, shared.config.cluster_pattern, kind) for kind in ("cluster-pg", "pg"))


def _zones(records: Sequence[RecordConfig]) -> dict[str, list[RecordConfig]]:
    zones: dict[str, list[RecordConfig]] = {}
    for record in records:
        zones.setdefault(record.zone_id, []).append(record)
    return zones


def _zone(function: lambda_.Function, zone_id: str) -> str:
    return _global_arn(function, "route53", "hostedzone", zone_id)


def _arn(function: lambda_.Function, service: str, resource: str, name: str, region: str | None = None) -> str:
    return cdk.Stack.of(function).format_arn(
        service=service,
        region=region,
        resource=resource,
        resource_name=name,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )


def _global_arn(function: lambda_.Function, service: str, resource: str, name: str) -> str:
    return cdk.Stack.of(function).format_arn(
        service=service, region="", account="", resource=resource, resource_name=name
    )
