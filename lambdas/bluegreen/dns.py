"""The records by which applications find the cluster: what they hold before, during and after a switchover.

Safety: a record is replaced only while it is as expected (``hosted_zones``). During a switchover each has a TTL that it
has at no other time (``switchover_ttl_s``), and a flip wants that one: so a flip that was slow cannot undo the abort
that overtook it. Doing any of it twice does no harm. A record that somebody else changed raises ``RecordChanged``:
undoing that is not ours.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from .errors import AwsUnavailable, BlueUnfit, DnsNotInSync, RecordChanged
from .hosted_zones import Replacement, change, changes_of, normalized, replace_all, require_in_sync, side_by_side
from .model import Cluster, Plan, Record, RecordKey

Resolve = Callable[[str], tuple[str, ...]]
"""From a host name to its IPv4 addresses, none when it has none."""

PROPAGATION_TIMEOUT_S = 120
"""A change is served by all of Route 53's servers within 60 s, usually (Route 53 API Reference, GetChange)."""

POLL_INTERVAL_S = 0.5


def addresses(host: str) -> tuple[str, ...]:
    """The IPv4 addresses that a name has for this function, as its VPC's resolver answers now."""
    try:
        found = socket.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    return tuple(sorted({str(place[0]) for *_, place in found}))


def require_at(records: Iterable[Record], cluster: Cluster, resolve: Resolve = addresses) -> None:
    """Raises ``BlueUnfit`` naming a record that does not lead to its endpoint of a cluster, or cannot be lowered."""
    for record in records:
        host = _host(cluster, record)
        expected = {host} if record.type == "CNAME" else set(resolve(host))
        if not {normalized(value) for value in record.values} <= set(map(normalized, expected)):
            raise BlueUnfit(
                f"The {record.type} record {record.name} of the hosted zone {record.zone_id} points at"
                f" {', '.join(record.values)}, not at {' or '.join(sorted(expected)) or 'any address'}, where the"
                f" {record.endpoint} endpoint {host} of {cluster.identifier} is: it is not production."
            )
        if record.ttl_s < 1:
            raise BlueUnfit(f"The record {record.name} has a TTL of {record.ttl_s} s: give it at least 1 s.")


def switchover_ttl_s(plan: Plan, record: Record) -> int:
    """A record's TTL during an attempt: less than the old one, so that the two can be told apart.

    Each attempt has another one, as long as the old TTL has room for that many: so a flip of an earlier attempt that
    was slow finds no record that it may replace.

    Route 53 takes 0 as well (``TTL`` in its service model): then resolvers keep no answer.

    >>> from types import SimpleNamespace as N
    >>> [switchover_ttl_s(N(switchover_ttl_s=5, attempt=1), N(ttl_s=old)) for old in (300, 5, 1)]
    [5, 4, 0]
    >>> [switchover_ttl_s(N(switchover_ttl_s=1, attempt=attempt), N(ttl_s=60)) for attempt in (1, 2, 3)]
    [1, 0, 59]
    """
    return (min(plan.switchover_ttl_s, record.ttl_s - 1) - (plan.attempt - 1)) % record.ttl_s


def lower_ttl(route53: Any, plan: Plan, resolve: Resolve = addresses) -> datetime:
    """Lowers the TTLs for the switchover; returns when the last answer with an old one runs out."""

    def lowered(planned: Record, now: Record) -> Record:
        ttl_s = switchover_ttl_s(plan, planned)
        _require(now, [plan.blue], planned, resolve, ttls_s=(planned.ttl_s, ttl_s))
        return replace(now, ttl_s=ttl_s)

    _propagate(route53, replace_all(route53, plan.release_id, plan.records, lowered))
    return datetime.now(UTC) + timedelta(seconds=max((record.ttl_s for record in plan.records), default=0))


def _propagate(route53: Any, change_ids: Sequence[str]) -> None:
    """Returns when the changes are served everywhere. Raises ``DnsNotInSync``."""
    deadline = time.monotonic() + PROPAGATION_TIMEOUT_S
    while True:
        try:
            return require_in_sync(route53, change_ids)
        except DnsNotInSync:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_INTERVAL_S)


def rehearse_flip(route53: Any, plan: Plan, green: Cluster, resolve: Resolve = addresses) -> float:
    """Flips the records of a rehearsal; returns the seconds until that was served everywhere."""
    began = time.monotonic()
    _propagate(route53, flip(route53, plan, green, resolve))
    return time.monotonic() - began


def flip(route53: Any, plan: Plan, green: Cluster, resolve: Resolve = addresses) -> list[str]:
    """Points every record from blue, with its TTL lowered, at green; returns the ids of the changes, one for each zone.

    What the records hold is known, so one call for each zone is enough, and Route 53 itself refuses it when that is
    wrong. Only then is read what they hold: a flip before this one may have done it already.
    """
    flipped = _flipped(plan, green, cache(resolve))
    lowered = {record: replace(record, ttl_s=switchover_ttl_s(plan, record)) for record in plan.records}
    # What does not resolve is to be known before the first zone changes.
    expected = {planned: (now, flipped(planned, now)) for planned, now in lowered.items()}

    def zone(zone_id: str, records: Sequence[Record]) -> str:
        try:
            return change(route53, plan.release_id, zone_id, [expected[record] for record in records])
        except AwsUnavailable:
            return change(route53, plan.release_id, zone_id, changes_of(route53, zone_id, records, flipped))

    return side_by_side(plan.records, zone)


def prime_flip(route53: Any, plan: Plan, green: Cluster, resolve: Resolve = addresses) -> None:
    """Does everything of a flip but the change: what would be refused then is refused now, and connections are open."""
    flipped = _flipped(plan, green, cache(resolve))
    side_by_side(plan.records, lambda zone_id, records: changes_of(route53, zone_id, records, flipped))


def restore(
    route53: Any, plan: Plan, green: Cluster | None, resolve: Resolve = addresses
) -> tuple[list[str], list[str]]:
    """Gives the records back to blue as they were; returns the ids of the changes, and what was left alone and why.

    A record that somebody else changed stays theirs, and the others are given back all the same.
    """
    resolve, left_alone = cache(resolve), list[str]()

    def restored(planned: Record, now: Record) -> Record:
        _require(now, [plan.blue, *([green] if green else [])], planned, resolve)
        return replace(now, ttl_s=planned.ttl_s, values=_values_at_blue(planned, plan.blue, resolve))

    return replace_all(route53, plan.release_id, plan.records, restored, left_alone), left_alone


def settle(route53: Any, plan: Plan, green: Cluster, resolve: Resolve = addresses) -> list[str]:
    """Gives the records, which are at green or go there now, their old TTLs; returns the ids of the changes.

    Only for when green is open: whoever still asks blue is refused.
    """
    resolve = cache(resolve)

    def settled(planned: Record, now: Record) -> Record:
        _require(now, [green, plan.blue], planned, resolve)
        return replace(now, ttl_s=planned.ttl_s, values=_values_at(planned, green, resolve))

    return replace_all(route53, plan.release_id, plan.records, settled)


# What a record is to hold, and whether it holds that


def _host_of(cluster: Cluster, key: RecordKey) -> str | None:
    if key.region:
        return cluster.secondary_readers.get(key.region)
    return cluster.host if key.endpoint == "writer" else cluster.reader_host


def _host(cluster: Cluster, key: RecordKey) -> str:
    host = _host_of(cluster, key)
    if host is None:
        where = f" in {key.region}" if key.region else ""
        raise BlueUnfit(f"The cluster {cluster.identifier} has no reader endpoint{where} for the record {key.name}.")
    return host


def _values_at(key: RecordKey, cluster: Cluster, resolve: Resolve) -> tuple[str, ...]:
    host = _host(cluster, key)
    values = (host,) if key.type == "CNAME" else resolve(host)
    if not values:
        raise AwsUnavailable(f"{host}, which the A record {key.name} is to point at, has no address.")
    return values


def _values_at_blue(planned: Record, blue: Cluster, resolve: Resolve) -> tuple[str, ...]:
    """As planned; but the addresses of now where blue has failed over since then."""
    now = planned.values if planned.type == "CNAME" else resolve(_host(blue, planned))
    return now if now and not set(planned.values) <= set(now) else planned.values


def _is_at(now: Record, cluster: Cluster, resolve: Resolve) -> bool:
    """An address may belong to either endpoint: those of writer and reader are swapped by a failover."""
    if now.type == "CNAME":
        return normalized(now.values[0]) == normalized(_host_of(cluster, now) or "")
    same_region = (_host_of(cluster, now),) if now.region else (cluster.host, cluster.reader_host)
    hosts = [host for host in same_region if host]
    return set(now.values) <= {address for host in hosts for address in resolve(host)}


def leads_to(now: Record, cluster: Cluster, resolve: Resolve = addresses) -> bool:
    """Whether clients that follow a record may come to a cluster, by either of its endpoints."""
    hosts = [normalized(host) for host in (cluster.host, cluster.reader_host) if host]
    places = set(hosts) if now.type == "CNAME" else {place for host in hosts for place in resolve(host)}
    return not places.isdisjoint(map(normalized, now.values))


def _require(
    now: Record,
    clusters: Sequence[Cluster],
    planned: Record,
    resolve: Resolve,
    ttls_s: Sequence[int] | None = None,
) -> None:
    """Raises ``RecordChanged`` unless a record is at one of the clusters, or as planned, with one of the TTLs."""
    is_there = now.values == planned.values or any(_is_at(now, cluster, resolve) for cluster in clusters)
    if not is_there or (ttls_s is not None and now.ttl_s not in ttls_s):
        expected = "" if ttls_s is None else f" with {' or '.join(map(str, ttls_s))} s"
        raise RecordChanged(
            f"The record {now.name} of the hosted zone {now.zone_id} points at {', '.join(now.values)} with a TTL of"
            f" {now.ttl_s} s, not at the {now.endpoint} endpoint of"
            f" {' or '.join(cluster.identifier for cluster in clusters)}{expected}:"
            " somebody else changed it. Put it right, then release again."
        )


def _flipped(plan: Plan, green: Cluster, resolve: Resolve) -> Replacement:
    def flipped(planned: Record, now: Record) -> Record:
        _require(now, [plan.blue, green], planned, resolve, ttls_s=[switchover_ttl_s(plan, planned)])
        return replace(now, values=_values_at(planned, green, resolve))

    return flipped
