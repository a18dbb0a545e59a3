"""PlanRelease: reads the input, finds blue, decides every name, takes the lock; touches nothing else."""

from __future__ import annotations

from functools import partial

from bluegreen.accounts import GreenAccount
from bluegreen.model import RecordKey, State
from bluegreen.planning import Defaults, plan_release

from .entry import Result, client, entry, json_setting, setting


@entry
def handler(state: State) -> Result:
    defaults = Defaults(
        cluster_name=setting("CLUSTER_NAME"),
        cluster_pattern=setting("CLUSTER_PATTERN"),
        databases=tuple(json_setting("DATABASES")),
        records=tuple(RecordKey(**key) for key in json_setting("RECORDS")),
        rehearsal_records=tuple(RecordKey(**key) for key in json_setting("REHEARSAL_RECORDS")),
        approval_timeout_s=int(setting("APPROVAL_TIMEOUT_S")),
        approvers_needed=int(setting("APPROVERS_NEEDED")),
        identity_claim=setting("IDENTITY_CLAIM"),
        freeze_budget_s=int(setting("FREEZE_BUDGET_S")),
        max_attempts=int(setting("MAX_ATTEMPTS")),
        freeze_method=setting("FREEZE_METHOD"),
        freeze_hook_function_arn=setting("FREEZE_HOOK_FUNCTION_ARN"),
        freeze_hook_in_budget=json_setting("FREEZE_HOOK_IN_BUDGET"),
        hook_function_arn=setting("HOOK_FUNCTION_ARN"),
        hook_timeout_s=int(setting("HOOK_TIMEOUT_S")),
        changes_bucket=setting("CHANGES_BUCKET"),
        green_account=GreenAccount.of(account) if (account := json_setting("GREEN_ACCOUNT")) else None,
        switchover_ttl_s=int(setting("SWITCHOVER_TTL_S")),
        max_lag_bytes=int(setting("MAX_LAG_BYTES")),
        max_lag_s=float(setting("MAX_LAG_S")),
        verify_workers=int(setting("VERIFY_WORKERS")),
        verify_rows_per_s=int(setting("VERIFY_ROWS_PER_S")),
        verify_max_active_sessions=int(setting("VERIFY_MAX_ACTIVE_SESSIONS")),
    )
    return plan_release(
        partial(client, "rds"),
        client("route53"),
        client("dynamodb"),
        defaults,
        setting("LOCK_TABLE"),
        state["input"],
        state["execution_arn"],
        state["started_at"],
    ).to_state()
