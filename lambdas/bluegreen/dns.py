"""Route 53: the record by which applications find the writer."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import BlueNotFound, DnsNotInSync, RecordChanged
from .model import Cluster, Plan, Record

PROPAGATION_TIMEOUT_S = 120
"""A change is served by all of Route 53's servers within 60 s, usually (Route 53 API Reference, GetChange)."""

POLL_INTERVAL_S = 0.5

TYPES = ("CNAME", "A")


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
        if normalized(record_set["Name"]) != normalized(name) or record_set["Type"] not in TYPES:
            continue
        values = [entry["Value"] for entry in record_set.get("ResourceRecords", [])]
        if "SetIdentifier" in record_set or len(values) != 1:
            raise BlueNotFound(
                f"The record {name} is weighted, an alias, or has several values. Splitting clients between two writers"
                " is not safe: make it one simple CNAME or A record with one value."
            )
        return Record(zone_id, name, record_set["Type"], record_set["TTL"]), values[0]
    raise BlueNotFound(f"The hosted zone {zone_id} has no CNAME or A record named {name}.")


def value_for(record: Record, cluster: Cluster) -> str:
    """What the record holds when it points at a cluster."""
    return cluster.host if record.type == "CNAME" else socket.gethostbyname(cluster.host)


def point_at(route53: Any, plan: Plan, target: Cluster, others: list[Cluster], ttl_s: int) -> str:
    """Points the writer record at a cluster with a TTL, and returns the id of the change.

    Doing it twice does no harm. Raises ``RecordChanged`` when the record points at neither ``target`` nor ``others``:
    then somebody else changed it, and undoing that is not ours.
    """
    record, current = read(route53, plan.record.zone_id, plan.record.name)
    record = replace(record, ttl_s=ttl_s)
    expected = {normalized(value_for(record, cluster)) for cluster in (target, *others)}
    if normalized(current) not in expected:
        raise RecordChanged(
            f"The record {record.name} points at {current}, not at {' or '.join(sorted(expected))}:"
            " somebody else changed it. Put it right, then release again."
        )
    change = {
        "Action": "UPSERT",
        "ResourceRecordSet": {
            "Name": record.name,
            "Type": record.type,
            "TTL": ttl_s,
            "ResourceRecords": [{"Value": value_for(record, target)}],
        },
    }
    response = route53.change_resource_record_sets(
        HostedZoneId=record.zone_id,
        ChangeBatch={"Comment": f"Blue/green release {plan.release_id}", "Changes": [change]},
    )
    return str(response["ChangeInfo"]["Id"])


def lower_ttl(route53: Any, plan: Plan) -> datetime:
    """Lowers the record's TTL for the switchover; returns when the last answer with the old one runs out."""
    change_id = point_at(route53, plan, plan.blue, [], min(plan.record.ttl_s, plan.switchover_ttl_s))
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
