"""What a function may be given: each grant adds the permissions for one thing, and the settings to find it by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from stacks.policies import (
    RELEASE_ROLE,
    Grant,
    Shared,
    allow,
    arn,
    function_name,
    global_arn,
    monitor_rule_name,
    resource_name,
)
from stacks.record_config import RecordConfig


def database(function: lambda_.Function, shared: Shared) -> None:
    """Sign in to PostgreSQL as the release's role, by its password or by a token.

    A token is permitted for that role on any cluster: a cluster is named there by a resource id, which green has yet
    to get. Others do not have the role.
    """
    if shared.release_secret:
        allow(function, ["secretsmanager:GetSecretValue"], shared.release_secret.secret_arn)
        function.add_environment("RELEASE_SECRET_ARN", shared.release_secret.secret_arn)
    else:
        allow(function, ["rds-db:connect"], arn(function, "rds-db", "dbuser", f"*/{RELEASE_ROLE}"))
        function.add_environment("DATABASE_USER", RELEASE_ROLE)
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
        "APPROVERS_NEEDED": str(config.approvers_needed),
        "FREEZE_BUDGET_S": str(config.freeze_budget_s),
        "MAX_ATTEMPTS": str(config.max_attempts),
        "FREEZE_METHOD": config.freeze_method,
        "FREEZE_HOOK_FUNCTION_ARN": config.freeze_hook_function_arn,
        "FREEZE_HOOK_IN_BUDGET": json.dumps(config.freeze_hook_in_budget),
        "HOOK_FUNCTION_ARN": config.hook_function_arn,
        "HOOK_TIMEOUT_S": str(config.hook_timeout_s),
        "CHANGES_BUCKET": config.changes_bucket,
        "GREEN_ACCOUNT": json.dumps(config.green_account and config.green_account.for_the_plan()),
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
        allow(function, [f"dynamodb:{action}" for action in actions], shared.lock_table.table_arn)
        function.add_environment("LOCK_TABLE", shared.lock_table.table_name)

    return grant


def releases(*actions: str) -> Grant:
    """The table of releases that are complete, and of clusters that were ended."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        allow(function, [f"dynamodb:{action}" for action in actions], shared.release_table.table_arn)
        function.add_environment("RELEASE_TABLE", shared.release_table.table_name)

    return grant


def monitoring(function: lambda_.Function, shared: Shared) -> None:
    """Keep samples, and turn the rule on and off that calls the function; it is known by its name, since it calls."""
    allow(function, ["dynamodb:PutItem"], shared.sample_table.table_arn)
    function.add_environment("SAMPLE_TABLE", shared.sample_table.table_name)
    name = monitor_rule_name(shared.config)
    rule = cdk.Stack.of(function).format_arn(service="events", resource="rule", resource_name=name)
    allow(function, ["events:EnableRule", "events:DisableRule"], rule)
    function.add_environment("MONITOR_RULE", name)


def order_end(function: lambda_.Function, shared: Shared) -> None:
    """Start the decommission of blue; the state machine is known by its name, as it calls functions itself."""
    machine = arn(function, "states", "stateMachine", f"{resource_name(shared.config)}-decommission")
    allow(function, ["states:StartExecution"], machine)
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
        allow(function, ["s3:ListBucket"], arn)
        allow(function, ["s3:GetObject"], objects)


def dead_executions(longest_timeout_s: int, planning_timeout_s: int) -> Grant:
    """How an execution of the release's machine ended; and by when no function that it had called can be running, and
    not the one that takes the lock.

    A minute is added: a call that was under way when the execution ended may have had its function to start yet.
    """

    def grant(function: lambda_.Function, shared: Shared) -> None:
        executions = arn(function, "states", "execution", f"{resource_name(shared.config)}:*")
        allow(function, ["states:DescribeExecution"], executions)
        function.add_environment("FUNCTIONS_END_AFTER_S", str(longest_timeout_s + 60))
        function.add_environment("PLANNING_ENDS_AFTER_S", str(planning_timeout_s + 60))

    return grant


def own_history(function: lambda_.Function, shared: Shared) -> None:
    """What an execution of the release's machine has been through."""
    executions = arn(function, "states", "execution", f"{resource_name(shared.config)}:*")
    allow(function, ["states:GetExecutionHistory"], executions)


def reports(memory_mb: Mapping[str, int]) -> Grant:
    """Lay reports down, of what executions of a release and of its recovery have been through, and of the samples.

    memory_mb  of the functions by their states, ``default`` for all others: what their time costs depends on it
    """

    def grant(function: lambda_.Function, shared: Shared) -> None:
        own_history(function, shared)
        recoveries = arn(function, "states", "execution", f"{resource_name(shared.config)}-recovery:*")
        allow(function, ["states:GetExecutionHistory"], recoveries)
        allow(function, ["dynamodb:Query"], shared.sample_table.table_arn)
        function.add_environment("SAMPLE_TABLE", shared.sample_table.table_name)
        allow(function, ["s3:PutObject"], shared.reports.arn_for_objects("releases/*"))
        function.add_environment("REPORT_BUCKET", shared.reports.bucket_name)
        function.add_environment("FUNCTION_MEMORY_MB", json.dumps(memory_mb))

    return grant


def replication_secrets(*actions: str) -> Grant:
    """The secrets of replication users, which live as long as their release."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        # Secrets Manager adds a hyphen and six characters to the name: the pattern covers them.
        secrets = arn(function, "secretsmanager", "secret", f"bluegreen/{shared.config.name}/replication/*")
        allow(function, [f"secretsmanager:{action}" for action in actions], secrets)
        if "CreateSecret" in actions:
            function.add_environment("KMS_KEY_ARN", shared.config.kms_key_arn)

    return grant


def read_record(function: lambda_.Function, shared: Shared) -> None:
    """Route 53 knows no permission to read a single record, so it is the zones'."""
    _read(function, _zones((*shared.config.records, *shared.config.rehearsal_records)))


def _read(function: lambda_.Function, zones: Iterable[str]) -> None:
    if resources := [_zone(function, zone_id) for zone_id in zones]:
        allow(function, ["route53:ListResourceRecordSets"], *resources)


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
        allow(
            function,
            ["route53:ChangeResourceRecordSets"],
            _zone(function, zone_id),
            conditions={"ForAllValues:StringEquals": only},
        )


def read_dns_change(function: lambda_.Function, _shared: Shared) -> None:
    """A change's identifier is not known beforehand."""
    allow(function, ["route53:GetChange"], global_arn(function, "route53", "change", "*"))


def warming(*names: str) -> Grant:
    """Call the functions of these states."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        function_names = [function_name(shared.config, name) for name in names]
        arns = [arn(function, "lambda", "function", name) for name in function_names]
        allow(function, ["lambda:InvokeFunction"], *arns)
        function.add_environment("WARM_FUNCTIONS", json.dumps(function_names))

    return grant


def _zones(records: Sequence[RecordConfig]) -> dict[str, list[RecordConfig]]:
    zones: dict[str, list[RecordConfig]] = {}
    for record in records:
        zones.setdefault(record.zone_id, []).append(record)
    return zones


def _zone(function: lambda_.Function, zone_id: str) -> str:
    return global_arn(function, "route53", "hostedzone", zone_id)
