"""Route 53: the records of hosted zones, read and replaced.

A record is replaced only while it is exactly as it was read, or is known to be: one batch deletes it so and creates the
new one, and Route 53 takes all of a batch or nothing (API Reference, ChangeResourceRecordSets). All records of a zone
are in one batch; zones change side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .errors import AwsUnavailable, BlueNotFound, DnsNotInSync, RecordChanged
from .model import Record, RecordKey

T = TypeVar("T")
Key = TypeVar("Key", bound=RecordKey)
Replacement = Callable[[Record, Record], Record]
"""From a record as planned and as it is now to what it becomes; raises ``RecordChanged`` for one that is not ours."""

SIMPLE = frozenset({"Name", "Type", "TTL", "ResourceRecords"})
"""What a simple record set consists of; alias, weighted and otherwise routed ones have more."""


def normalized(name: str) -> str:
    r"""A domain name as it is compared: lower case, without the final dot; Route 53 writes ``*`` as ``\052``.

    >>> normalized("DB.Shop.Internal."), normalized("\\052.shop.internal.")
    ('db.shop.internal', '*.shop.internal')
    """
    return name.rstrip(".").lower().replace("\\052", "*")


def read(route53: Any, keys: Sequence[RecordKey]) -> tuple[Record, ...]:
    """The records as they are now. Raises ``BlueNotFound`` for one that is absent, not simple, or of another type."""

    def zone(zone_id: str, here: Sequence[RecordKey]) -> list[tuple[RecordKey, Record]]:
        found = _record_sets(route53, zone_id, here)
        return [(key, _simple(key, found[normalized(key.name)])) for key in here]

    records = {key: record for there in side_by_side(keys, zone) for key, record in there}
    return tuple(records[key] for key in keys)


def replace_all(
    route53: Any,
    release_id: str,
    planned: Sequence[Record],
    replacement: Replacement,
    left_alone: list[str] | None = None,
) -> list[str]:
    """Replaces the records; returns the ids of the changes, at most one for each zone. See ``changes_of``."""

    def zone(zone_id: str, records: Sequence[Record]) -> str | None:
        changes = changes_of(route53, zone_id, records, replacement, left_alone)
        return change(route53, release_id, zone_id, changes) if changes else None

    return [change_id for change_id in side_by_side(planned, zone) if change_id]


def changes_of(
    route53: Any,
    zone_id: str,
    records: Sequence[Record],
    replacement: Replacement,
    left_alone: list[str] | None = None,
) -> list[tuple[Record, Record]]:
    """Each record as it is and as it is to be; what somebody else changed is an error, or goes to ``left_alone``."""
    found = _record_sets(route53, zone_id, records)
    changes = []
    for planned in records:
        try:
            now = _simple(planned, found[normalized(planned.name)])
            changes.append((now, replacement(planned, now)))
        except (BlueNotFound, RecordChanged) as error:
            if left_alone is None:
                raise RecordChanged(str(error)) from error
            left_alone.append(str(error))
    return changes


def change(route53: Any, release_id: str, zone_id: str, changes: Iterable[tuple[Record, Record]]) -> str:
    """One batch for one zone; returns its id. Raises ``AwsUnavailable`` when a record is not as was thought."""
    batch = [
        {
            "Action": action,
            "ResourceRecordSet": {
                "Name": record.name,
                "Type": record.type,
                "TTL": record.ttl_s,
                "ResourceRecords": [{"Value": value} for value in record.values],
            },
        }
        for pair in changes
        for action, record in zip(("DELETE", "CREATE"), pair, strict=True)
    ]
    try:
        response = route53.change_resource_record_sets(
            HostedZoneId=zone_id,
            ChangeBatch={"Comment": f"Blue/green release {release_id}", "Changes": batch},
        )
    except route53.exceptions.InvalidChangeBatch as error:
        raise AwsUnavailable(f"Records of the hosted zone {zone_id} changed between reading and writing.") from error
    return str(response["ChangeInfo"]["Id"])


def require_in_sync(route53: Any, change_ids: Iterable[str]) -> None:
    """Raises ``DnsNotInSync`` until all of Route 53's servers serve the changes."""
    for change_id in change_ids:
        status = route53.get_change(Id=change_id.removeprefix("/change/"))["ChangeInfo"]["Status"]
        if status != "INSYNC":
            raise DnsNotInSync(f"The change {change_id} is {status}.")


def side_by_side(keys: Sequence[Key], work: Callable[[str, Sequence[Key]], T]) -> list[T]:
    """Does the work for each hosted zone, all at once; an error of one does not keep the others from being done."""
    zones: dict[str, list[Key]] = {}
    for key in keys:
        zones.setdefault(key.zone_id, []).append(key)
    with ThreadPoolExecutor(len(zones) or 1) as pool:
        running = [pool.submit(work, zone_id, there) for zone_id, there in zones.items()]
    return [each.result() for each in running]


def _record_sets(route53: Any, zone_id: str, keys: Sequence[RecordKey]) -> dict[str, list[dict[str, Any]]]:
    """The record sets of each name; one call, unless the names lie far apart in a large zone.

    Route 53 lists names by their labels from the right, and the sets of one name may go on in the next page.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    names = sorted({normalized(key.name) for key in keys}, key=lambda name: name.split(".")[::-1])
    for start in names:
        if start not in found:
            page = route53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=start, MaxItems="100")
            whole: dict[str, list[dict[str, Any]]] = {start: []}
            for record_set in page["ResourceRecordSets"]:
                whole.setdefault(normalized(record_set["Name"]), []).append(record_set)
            if (cut := normalized(page.get("NextRecordName", ""))) != start:
                whole.pop(cut, None)
            found |= {name: whole[name] for name in names if name in whole}
    return found


def _simple(key: RecordKey, record_sets: Iterable[dict[str, Any]]) -> Record:
    where = f"record {key.name} of the hosted zone {key.zone_id}"
    leading = [each for each in record_sets if each["Type"] in ("CNAME", "A", "AAAA")]
    if not leading:
        raise BlueNotFound(f"There is no {key.type} {where}.")
    if extra := sorted(set().union(*leading) - SIMPLE):
        raise BlueNotFound(
            f"The {where} is an alias, or weighted or otherwise routed: it has {', '.join(extra)}. Make it one simple"
            f" {key.type} record: an alias has no TTL, and splitting clients between two writers is not safe."
        )
    if [each["Type"] for each in leading] != [key.type]:
        types = " and ".join(each["Type"] for each in leading)
        raise BlueNotFound(f"The {where} is of type {types}; it is configured as {key.type}.")
    (only,) = leading
    values = tuple(entry["Value"] for entry in only["ResourceRecords"])
    return Record(key.zone_id, key.name, key.type, key.endpoint, only["TTL"], values, region=key.region)
