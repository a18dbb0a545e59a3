"""Route 53: the record by which applications find the writer."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import AwsUnavailable, BlueNotFound, DnsNotInSync, RecordChanged
from .model import Cluster, Plan, Record

PROPAGATION_TIMEOUT_S = 120
"""A change is served by all of Route 53's servers within 60 s, usually (Route 53 API Reference, GetChange)."""

POLL_INTERVAL_S = 0.5


def normalized(name: str) -> str:
    r"""A domain name as it is compared: lower case, without the final dot; Route 53 writes ``*`` as ``\052``.

    >>> normalized("DB.Shop.Internal.")
    'db.shop.internal'
    """
    return name.rstrip(".").lower().replace("\\052", "*")


def read(route53: Any, zone_id: str, name: str) -> tuple[Record, str]:
    """The writer record and what it points at. Raises ``BlueNotFound`` when it is absent or not a simple record."""
    sets = route53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=name, MaxItems="10")
    for record_set in sets["ResourceRecordSets"]:
        if normalized(record_set["Name"]) != normalized(name) or record_set["Type"] not in ("CNAME", "A", "AAAA"):
            continue
        values = [entry["Value"] for entry in record_set.get("ResourceRecords", [])]
        if record_set["Type"] != "CNAME" or "SetIdentifier" in record_set or len(values) != 1:
            raise BlueNotFound(
                f"The record {name} is no CNAME, or weighted: make it one simple CNAME record that holds the writer"
                " endpoint. Splitting clients between two writers is not safe, and addresses of Aurora change."
            )
        return Record(zone_id, name, record_set["Type"], record_set["TTL"]), values[0]
    raise BlueNotFound(f"The hosted zone {zone_id} has no CNAME record named {name}.")


def point_at(
    route53: Any, plan: Plan, target: Cluster, others: list[Cluster], ttl_s: int, only_from_ttl_s: int | None = None
) -> str:
    """Points the writer record at a cluster with a TTL, and returns the id of the change.

    The record is replaced only while it is exactly as it was read: one batch deletes that and creates the new one, and
    Route 53 takes all of a batch or nothing. With ``only_from_ttl_s`` a record of any other TTL is left alone; that is
    how a flip that was slow cannot undo the abort that overtook it (``switchover_ttl_s``).

    Doing it twice does no harm. Raises ``RecordChanged`` when the record points at neither ``target`` nor ``others``:
    then somebody else changed it, and undoing that is not ours.
    """
    record, current = read(route53, plan.record.zone_id, plan.record.name)
    expected = {normalized(cluster.host) for cluster in (target, *others)}
    if normalized(current) not in expected or only_from_ttl_s not in (None, record.ttl_s):
        raise RecordChanged(
            f"The record {record.name} points at {current} with a TTL of {record.ttl_s} s, not at"
            f" {' or '.join(sorted(expected))}{'' if only_from_ttl_s is None else f' with {only_from_ttl_s} s'}:"
            " somebody else changed it. Put it right, then release again."
        )
    new = replace(record, ttl_s=ttl_s)
    changes = [_change("DELETE", record, current), _change("CREATE", new, target.host)]
    try:
        response = route53.change_resource_record_sets(
            HostedZoneId=record.zone_id,
            ChangeBatch={"Comment": f"Blue/green release {plan.release_id}", "Changes": changes},
        )
    except route53.exceptions.InvalidChangeBatch as error:
        raise AwsUnavailable(f"The record {record.name} changed between reading and writing it.") from error
    return str(response["ChangeInfo"]["Id"])


def _change(action: str, record: Record, value: str) -> dict[str, Any]:
    return {
        "Action": action,
        "ResourceRecordSet": {
            "Name": record.name,
            "Type": record.type,
            "TTL": record.ttl_s,
            "ResourceRecords": [{"Value": value}],
        },
    }


def switchover_ttl_s(plan: Plan) -> int:
    """The record's TTL during the switchover: always less than the old one, so that the two can be told apart.

    >>> from types import SimpleNamespace as N
    >>> [switchover_ttl_s(N(switchover_ttl_s=5, record=N(ttl_s=old))) for old in (300, 5, 2)]
    [5, 4, 1]
    """
    return min(plan.switchover_ttl_s, plan.record.ttl_s - 1)


def flip(route53: Any, plan: Plan, green: Cluster) -> str:
    """Points the record from blue, with its TTL lowered, at green, and returns the id of the change."""
    ttl_s = switchover_ttl_s(plan)
    return point_at(route53, plan, green, [plan.blue], ttl_s, only_from_ttl_s=ttl_s)


def restore(route53: Any, plan: Plan, green: Cluster | None) -> str:
    """Gives the record back to blue as it was; says what was done. A record that somebody else changed stays theirs."""
    try:
        return point_at(route53, plan, plan.blue, [green] if green else [], plan.record.ttl_s)
    except RecordChanged as error:
        return f"left alone: {error}"


def lower_ttl(route53: Any, plan: Plan) -> datetime:
    """Lowers the record's TTL for the switchover; returns when the last answer with the old one runs out."""
    change_id = point_at(route53, plan, plan.blue, [], switchover_ttl_s(plan))
    deadline = time.monotonic() + PROPAGATION_TIMEOUT_S
    while True:
        try:
            require_in_sync(route53, change_id)
        except DnsNotInSync:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_INTERVAL_S)
        else:
            return datetime.now(UTC) + timedelta(seconds=plan.record.ttl_s)


def require_in_sync(route53: Any, change_id: str) -> None:
    """Raises ``DnsNotInSync`` until all of Route 53's servers serve a change."""
    status = route53.get_change(Id=change_id.removeprefix("/change/"))["ChangeInfo"]["Status"]
    if status != "INSYNC":
        raise DnsNotInSync(f"The change {change_id} is {status}.")
