"""Route 53: changes take time to be served, wrong change batches are refused as on AWS, GetChange tells the truth.

moto applies a change at once and says INSYNC always, checks a CREATE or DELETE against a journal of requests rather
than against the records, and stops in the middle of a batch where AWS takes all of it or nothing.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import Route53Backend, route53_backends
from moto.route53.responses import Route53

from .knobs import Knobs
from .patching import Seams


@dataclass(frozen=True)
class Record:
    """A resource record set: name in lower case with its final dot, TTL in seconds."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


Records = tuple[Record, ...]


class Zones:
    """What is served when: for each zone its record sets, each version with the instant from which it is served."""

    def __init__(self, emulator: Knobs) -> None:
        self._emulator = emulator
        self._lock = threading.Lock()
        self._versions: defaultdict[str, list[tuple[float, Records]]] = defaultdict(list)
        self._served_from: dict[str, float] = {}

    def install(self, seams: Seams) -> None:
        # Functions, not bound methods: moto calls them with the request that it has parsed.
        seams.replace(
            Route53, "change_resource_record_sets", lambda request: self._change_resource_record_sets(request)
        )
        seams.replace(Route53, "get_change", lambda request: self._get_change(request))

    def zone_names(self) -> dict[str, str]:
        """Names, with their final dot, by the ids of the zones."""
        return {zone_id: zone.name.rstrip(".").lower() + "." for zone_id, zone in list(_backend().zones.items())}

    def served(self, zone_id: str, at: float) -> Records:
        """What name servers answer at the instant `at` (seconds since the epoch)."""
        with self._lock:
            versions = self._versions[zone_id]
            due = [records for served_from, records in versions if served_from <= at]
            if versions:
                return due[-1]
            return _records(_backend().get_hosted_zone(zone_id))

    def _change_resource_record_sets(self, request: Any) -> ActionResult:
        zone_id = request._get_param("HostedZoneId").rpartition("/")[2]
        changes = request._get_param("ChangeBatch.Changes")
        return ActionResult({"ChangeInfo": self._change(zone_id, changes)})

    def _get_change(self, request: Any) -> ActionResult:
        change_id = request._get_param("Id").rpartition("/")[2]
        if change_id not in self._served_from:
            raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {change_id}")
        return ActionResult({"ChangeInfo": self._info(change_id)})

    def _change(self, zone_id: str, changes: list[dict[str, Any]]) -> dict[str, Any]:
        refusal, self._emulator.refuse_next_change = self._emulator.refuse_next_change, None
        if refusal:
            raise Route53ClientError(refusal, "refused by the emulator's refuse_next_change")
        zone = _backend().get_hosted_zone(zone_id)
        now = time.time()
        with self._lock:
            before = _records(zone)
            after = apply(before, changes, zone.name)
            zone.rrsets = [kept for kept in zone.rrsets if _record(kept) in after]
            for record in after:
                if record not in before:
                    zone.add_rrset({"Name": record.name, "Type": record.type, "TTL": record.ttl})
                    zone.rrsets[-1].records = list(record.values)
            versions = self._versions[zone_id]
            if not versions:
                versions.append((0.0, before))
            # Never before an earlier change, whatever the delay was set to in between.
            served_from = max(now + self._emulator.propagation_s, versions[-1][0])
            versions.append((served_from, after))
            change_id = "C" + uuid.uuid4().hex[:20].upper()
            self._served_from[change_id] = served_from
        return self._info(change_id)

    def _info(self, change_id: str) -> dict[str, Any]:
        in_sync = self._served_from[change_id] <= time.time()
        return {
            "Id": f"/change/{change_id}",
            "Status": "INSYNC" if in_sync else "PENDING",
            "SubmittedAt": datetime.now(UTC),
        }


def apply(records: Records, changes: Iterable[dict[str, Any]], zone_name: str) -> Records:
    """The records after a change batch, or InvalidChangeBatch with all that is wrong in it.

    Route 53 takes the changes of a batch as one; here each sees those before it, as the service does for DELETE
    followed by CREATE.
    """
    after = {(record.name, record.type): record for record in records}
    wrong: list[str] = []
    for change in changes:
        action, record = change["Action"], _requested(change["ResourceRecordSet"])
        key = (record.name, record.type)
        which = f"resource record set [name='{record.name}', type='{record.type}']"
        if not f".{record.name}".endswith("." + zone_name.rstrip(".").lower() + "."):
            wrong.append(f"RRSet with DNS name {record.name} is not permitted in zone {zone_name}")
        elif action == "DELETE" and key not in after:
            wrong.append(f"Tried to delete {which} but it was not found")
        elif action == "DELETE" and after[key] != record:
            wrong.append(f"Tried to delete {which} but the values provided do not match the current values")
        elif action == "DELETE":
            del after[key]
        elif action == "CREATE" and key in after:
            wrong.append(f"Tried to create {which} but it already exists")
        elif not record.values:
            wrong.append(f"Expected TTL and ResourceRecords for {which}")
        else:
            after[key] = record
    names = [name for name, kind in after if kind == "CNAME"]
    for name in names:
        if sum(other == name for other, _ in after) > 1:
            wrong.append(
                f"RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records"
            )
    if wrong:
        raise Route53ClientError("InvalidChangeBatch", "[" + ", ".join(wrong) + "]")
    return tuple(after.values())


def _requested(record_set: dict[str, Any]) -> Record:
    values = tuple(record["Value"] for record in record_set.get("ResourceRecords", []))
    return _make(record_set["Name"], record_set["Type"], record_set.get("TTL", 0), values)


def _make(name: str, kind: str, ttl: Any, values: Iterable[str]) -> Record:
    # Route 53 writes an asterisk as an octal code, whichever way it came in.
    return Record(name.rstrip(".").lower().replace("*", "\\052") + ".", kind, int(ttl or 0), tuple(values))


def _record(record_set: Any) -> Record:
    """From moto's form, in which values are strings, or dicts where moto itself made them."""
    values = (value["Value"] if isinstance(value, dict) else value for value in record_set.records)
    return _make(record_set.name, record_set.type, record_set.ttl, values)


def _records(zone: Any) -> Records:
    return tuple(map(_record, zone.rrsets))


def _backend() -> Route53Backend:
    return route53_backends[DEFAULT_ACCOUNT_ID]["aws"]
