"""The first step: read the input, find blue, decide every name, take the lock. Nothing else is touched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from . import dns, records
from .accounts import GreenAccount
from .approval.names import NAME_RULE, cleaned_name
from .errors import BlueNotFound, BlueUnfit, InputInvalid
from .hosted_zones import read
from .inputs import validated
from .model import LAMBDA_LIMIT_S, NOT_SAID, Change, Plan, Record, RecordKey, release_id
from .preflight.catalogue import BY_ID
from .rds import aurora, global_database

ENGINE = "aurora-postgresql"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The stack's configuration: what holds where the execution input is silent."""

    cluster_name: str
    cluster_pattern: str
    databases: tuple[str, ...]
    records: tuple[RecordKey, ...]
    """The writer record by which blue is found comes first."""
    approval_timeout_s: int
    freeze_budget_s: int
    max_attempts: int
    switchover_ttl_s: int
    max_lag_bytes: int
    max_lag_s: float
    rehearsal_records: tuple[RecordKey, ...] = ()
    """What moves in a rehearsal, in place of the records."""
    verify_workers: int = 4
    verify_rows_per_s: int = 0
    verify_max_active_sessions: int = 0
    freeze_method: str = "nologin"
    freeze_hook_function_arn: str = ""
    freeze_hook_in_budget: bool = True
    hook_function_arn: str = ""
    hook_timeout_s: int = LAMBDA_LIMIT_S
    changes_bucket: str = ""
    green_account: GreenAccount | None = None
    approvers_needed: int = 1
    identity_claim: str = ""
    """By which claim of a token approvers are known; empty where nobody signs in."""


def plan_release(
    rds: global_database.Clients,
    route53: Any,
    dynamodb: Any,
    defaults: Defaults,
    lock_table: str,
    release_input: Any,
    execution_arn: str,
    started_at: str,
    resolve: dns.Resolve = dns.addresses,
) -> Plan:
    """Decides everything that can be decided before anything is touched, and takes the cluster's lock last.

    A check takes no lock, so that no release is ever refused because of it; and it is refused while a release holds the
    lock: it tries the freeze, which would make the real one wait, and the release's own traces are none of blue's.
    """
    asked = validated("release", release_input)
    if asked.get("cluster", defaults.cluster_name) != defaults.cluster_name:
        raise InputInvalid(f"input.cluster must be {defaults.cluster_name}, which this state machine releases.")
    found = read(route53, defaults.records)
    blue = _find_blue(rds(), asked.get("blue_cluster_identifier"), found[0])
    whole = global_database.global_cluster_of(rds(), blue["DBClusterArn"]) or {}
    secondaries = global_database.secondaries_of(whole, blue["DBClusterArn"]) if whole else ()
    globalize = asked.get("globalize", "before_cutover")
    _require_regions(found, [each.region for each in secondaries], globalize)
    _require_one_region(whole, globalize, defaults)
    identifier = release_id(execution_arn, started_at)
    mode = asked.get("mode", "release")
    moved = found
    if mode == "rehearsal":
        moved = read(route53, defaults.rehearsal_records)
        _require_playable(moved)
        _require_regions(moved, [each.region for each in secondaries], globalize)
    freeze_budget_s = asked.get("freeze_budget_s", defaults.freeze_budget_s)
    plan = Plan(
        release_id=identifier,
        cluster_name=defaults.cluster_name,
        execution_arn=execution_arn,
        requested_by=asked.get("requested_by", NOT_SAID),
        reason=asked.get("reason", NOT_SAID),
        blue=replace(
            aurora.endpoint(blue),
            secondary_readers=global_database.blues_readers(rds, secondaries, found),
        ),
        green_identifier=f"{defaults.cluster_name}-{identifier}",
        databases=tuple(asked.get("databases", defaults.databases)),
        records=moved,
        switchover_ttl_s=asked.get("switchover_ttl_s", defaults.switchover_ttl_s),
        approval_timeout_s=asked.get("approval_timeout_s", defaults.approval_timeout_s),
        approvers_needed=_approvers_needed(asked, defaults),
        freeze_budget_s=freeze_budget_s,
        max_attempts=asked.get("max_attempts", defaults.max_attempts),
        max_lag_bytes=asked.get("max_lag_bytes", defaults.max_lag_bytes),
        max_lag_s=asked.get("max_lag_s", defaults.max_lag_s),
        verify_workers=asked.get("verify_workers", defaults.verify_workers),
        verify_rows_per_s=asked.get("verify_rows_per_s", defaults.verify_rows_per_s),
        verify_max_active_sessions=asked.get("verify_max_active_sessions", defaults.verify_max_active_sessions),
        freeze_method=asked.get("freeze_method", defaults.freeze_method),
        freeze_hook_function_arn=defaults.freeze_hook_function_arn,
        freeze_hook_in_budget=defaults.freeze_hook_in_budget,
        repair_drift=asked.get("repair_drift", False),
        freeze_hook_timeout_s=freeze_budget_s if defaults.freeze_hook_in_budget else LAMBDA_LIMIT_S,
        hook_function_arn=defaults.hook_function_arn if mode == "release" else "",
        hook_timeout_s=defaults.hook_timeout_s,
        mode=mode,
        last_rehearsal=records.last_rehearsal(dynamodb, lock_table, defaults.cluster_name),
        accept=accepted(asked.get("accept", ())),
        engine_version=asked.get("engine_version", ""),
        parameters=_parameters(asked.get("parameters", {})),
        changes=_changes(asked.get("changes", ()), asked.get("databases", defaults.databases), defaults),
        globalize=globalize,
        blue_global_cluster=whole.get("GlobalClusterIdentifier", ""),
        secondaries=secondaries,
        blue_end=asked.get("blue_end", "keep"),
        retain_blue_h=asked.get("retain_blue_h", 0),
        green_account=defaults.green_account,
    )
    if plan.freeze_method == "hook" and not plan.freeze_hook_function_arn:
        raise InputInvalid(
            f"input.freeze_method: hook needs clusters.{defaults.cluster_name}.freeze_hook_function_arn in cdk.json."
        )
    _require_fit(blue, defaults)
    dns.require_at(found, plan.blue, resolve)
    (records.require_unlocked if plan.mode == "check" else records.acquire_lock)(dynamodb, lock_table, plan)
    return plan


def accepted(ids: Sequence[str]) -> tuple[str, ...]:
    """The warnings, if there are such. Raises ``InputInvalid``, with the nearest one's name."""
    for name in ids:
        if name not in BY_ID:
            near = difflib.get_close_matches(name, BY_ID, n=1)
            raise InputInvalid(
                f"input.accept: there is no finding {name}; "
                + (f"did you mean {near[0]}?" if near else "all of them are in docs/findings.md.")
            )
        if BY_ID[name].severity == "blocker":
            raise InputInvalid(
                f"input.accept: {name} is a blocker, which nobody can accept: {BY_ID[name].why} The input"
                ' {"mode": "check"} names the objects and what puts them right.'
            )
    return tuple(ids)


_OF_REPLICATION = frozenset(
    {"rds.logical_replication", "max_logical_replication_workers", "max_replication_slots", "max_wal_senders"}
    | {"max_worker_processes", "max_sync_workers_per_subscription", "wal_level"}
)


def _approvers_needed(asked: Mapping[str, Any], defaults: Defaults) -> int:
    """An input may demand more than the configuration. Two are others than the one who asks, so that has to be said."""
    needed = int(asked.get("approvers_needed", defaults.approvers_needed))
    if needed < defaults.approvers_needed:
        raise InputInvalid(
            f"input.approvers_needed: clusters.{defaults.cluster_name}.approvers_needed in cdk.json demands"
            f" {defaults.approvers_needed}."
        )
    is_release = asked.get("mode", "release") == "release"
    if is_release and needed > 1 and not defaults.identity_claim and not cleaned_name(asked.get("requested_by", "")):
        raise InputInvalid(
            f"input.requested_by: say who asks for the release, by a name: {needed} others than that one have to"
            f" approve it. A name has {NAME_RULE}."
        )
    _require_comparable(asked, defaults)
    return needed


def _require_comparable(asked: Mapping[str, Any], defaults: Defaults) -> None:
    """Who asks is told from approvers by their claim, so it has to be said in that form. Whether it is true is not
    known here: CloudTrail has who started the execution."""
    claim, requested_by = defaults.identity_claim, asked.get("requested_by", "").strip()
    if not claim or asked.get("mode", "release") != "release":
        return
    if not requested_by or (claim == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+", requested_by)):
        raise InputInvalid(
            f"input.requested_by: say who asks for the release, by the {claim} of that one's sign-in: approvers are"
            " known by theirs, and whoever asks may not approve."
        )


def _parameters(asked: Mapping[str, str]) -> dict[str, str]:
    if taken := sorted(_OF_REPLICATION & asked.keys()):
        raise InputInvalid(
            f"input.parameters: green follows blue by {', '.join(taken)}: change that after the release."
        )
    return dict(asked)


def _require_playable(moved: Sequence[Record]) -> None:
    for record in moved:
        if record.ttl_s < 1:
            raise BlueUnfit(f"The record {record.name} of the rehearsal has a TTL of {record.ttl_s} s: give it 1 s.")


def _changes(asked: Sequence[Mapping[str, str]], databases: Sequence[str], defaults: Defaults) -> tuple[Change, ...]:
    changes = []
    for number, change in enumerate(asked):
        if change["database"] not in databases:
            raise InputInvalid(
                f"input.changes[{number}].database: {change['database']} is not released;"
                f" there are {', '.join(databases)}."
            )
        bucket, _, key = change["script"].removeprefix("s3://").partition("/")
        if bucket != defaults.changes_bucket:
            raise InputInvalid(
                f"input.changes[{number}].script: scripts are read from the bucket"
                f" {defaults.changes_bucket or '(none)'}, not {bucket}: see"
                f" clusters.{defaults.cluster_name}.changes_bucket in cdk.json."
            )
        changes.append(Change(change["database"], bucket, key))
    return tuple(changes)


def _find_blue(rds: Any, named: str | None, record: Record) -> aurora.Description:
    (points_at,) = record.values
    if named is None:
        return aurora.cluster_at(rds, points_at)
    blue = aurora.describe_cluster(rds, named)
    if blue is None:
        raise BlueNotFound(f"input.blue_cluster_identifier: there is no cluster {named} in this Region.")
    return blue


def _require_regions(records: Sequence[Record], regions: Sequence[str], globalize: str) -> None:
    """A record of another Region has to lead to a secondary of blue's, and there must be one of green's for it."""
    for record in records:
        if record.region and record.region not in regions:
            raise BlueUnfit(f"The record {record.name} is for {record.region}, where blue has no secondary cluster.")
        if record.region and globalize != "before_cutover":
            raise InputInvalid(
                f"input.globalize: {globalize} leaves no green cluster in {record.region} that the record {record.name}"
                " could move to; only before_cutover does."
            )


def _require_one_region(whole: Mapping[str, Any], globalize: str, defaults: Defaults) -> None:
    """Subnet groups, security groups and keys of green's account are known for one Region only."""
    if defaults.green_account and whole and globalize != "never":
        raise InputInvalid(
            f"input.globalize: {globalize} would make secondaries, and a green in another account gets none"
            f" (clusters.{defaults.cluster_name}.green_account in cdk.json). Say never, and make them there when green"
            " is production: docs/accounts.md."
        )


def _require_fit(blue: aurora.Description, defaults: Defaults) -> None:
    name = blue["DBClusterIdentifier"]
    if blue["Engine"] != ENGINE:
        raise BlueUnfit(f"{name} runs {blue['Engine']}; only {ENGINE} can be released.")
    if blue["Status"] != "available":
        raise BlueUnfit(f"{name} is {blue['Status']}, not available.")
    if not fnmatchcase(name, defaults.cluster_pattern):
        raise BlueUnfit(
            f"{name} does not match {defaults.cluster_pattern}, the clusters that this stack may touch:"
            f" set clusters.{defaults.cluster_name}.cluster_pattern in cdk.json."
        )
