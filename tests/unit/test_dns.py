"""The records by which applications find the cluster, against moto's Route 53."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen import dns, hosted_zones
from bluegreen.errors import AwsUnavailable, BlueNotFound, BlueUnfit, RecordChanged
from bluegreen.model import Cluster, Plan, Record, RecordKey
from tests.unit.conftest import BLUE_ENDPOINT

AWAY = "eu-west-1"
BLUE = Cluster(
    "shop-blue",
    BLUE_ENDPOINT,
    5432,
    "shop-blue.cluster-ro-abc.eu-west-2.rds.amazonaws.com",
    {AWAY: "shop-ireland.cluster-ro-abc.eu-west-1.rds.amazonaws.com"},
)
GREEN = Cluster(
    "shop-green",
    "shop-green.cluster-def.eu-west-2.rds.amazonaws.com",
    5432,
    "shop-green.cluster-ro-def.eu-west-2.rds.amazonaws.com",
    {AWAY: "shop-green.cluster-ro-ghi.eu-west-1.rds.amazonaws.com"},
)
ADDRESSES = {
    BLUE.host: ("10.0.0.1",),
    BLUE.reader_host: ("10.0.0.2",),
    GREEN.host: ("10.0.0.11",),
    GREEN.reader_host: ("10.0.0.12",),
    BLUE.secondary_readers[AWAY]: ("10.1.0.2",),
    GREEN.secondary_readers[AWAY]: ("10.1.0.12",),
}
Served = dict[tuple[str, str], tuple[int, tuple[str, ...]]]


def resolve(host: str) -> tuple[str, ...]:
    return ADDRESSES.get(host, ())


def put(route53: Any, zone_id: str, value: str, **extra: Any) -> None:
    record_set = {
        "Name": "db.shop.internal",
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": value}],
    } | extra
    route53.change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record_set}]}
    )


def make_zone(route53: Any, reference: str) -> str:
    """A zone ``shop.internal``; there may be several, as of a private and a public one."""
    zone = route53.create_hosted_zone(Name="shop.internal", CallerReference=reference)["HostedZone"]["Id"]
    return str(zone.removeprefix("/hostedzone/"))


@pytest.fixture
def zoned(route53: Any, plan: Plan) -> Plan:
    """A plan of records of every kind, in a private and a public zone of one name, all at blue."""
    private, public = make_zone(route53, "private"), make_zone(route53, "public")
    keys = [
        RecordKey(private, "db.shop.internal", "CNAME", "writer"),
        RecordKey(public, "db.shop.internal", "A", "writer"),
        RecordKey(private, "db-ro.shop.internal", "CNAME", "reader"),
        RecordKey(private, "*.tenants.shop.internal", "CNAME", "writer"),
        RecordKey(private, "_Primary.Shop.Internal.", "A", "reader"),
        RecordKey(private, "db-ireland.shop.internal", "CNAME", "reader", region=AWAY),
        RecordKey(private, "db-ireland-a.shop.internal", "A", "reader", region=AWAY),
    ]
    ttls_s = (60, 300, 30, 3, 60, 45, 60)
    for key, ttl_s in zip(keys, ttls_s, strict=True):
        host = dns._host(BLUE, key)
        # A name's case and final dot mean nothing.
        value = host.upper() + "." if key.type == "CNAME" else resolve(host)[0]
        put(route53, key.zone_id, value, Name=key.name, Type=key.type, TTL=ttl_s)
    put(route53, private, "10.9.9.9", Name="other.shop.internal", Type="A")
    put(route53, private, '"text beside an address"', Name="_primary.shop.internal", Type="TXT")
    return dataclasses.replace(plan, blue=BLUE, records=hosted_zones.read(route53, keys))


def served(route53: Any, plan: Plan) -> Served:
    """TTL and values of each record of the plan, by zone and name."""
    now = hosted_zones.read(route53, plan.records)
    return {
        (record.zone_id, record.name): (
            record.ttl_s,
            tuple(map(hosted_zones.normalized, record.values)),
        )
        for record in now
    }


def expected(plan: Plan, cluster: Cluster, *, lowered: bool) -> Served:
    hosts = {
        ("writer", ""): cluster.host,
        ("reader", ""): cluster.reader_host or "",
        ("reader", AWAY): cluster.secondary_readers[AWAY],
    }
    found = {record: hosts[record.endpoint, record.region] for record in plan.records}
    return {
        (record.zone_id, record.name): (
            min(5, record.ttl_s - 1) if lowered else record.ttl_s,
            (host,) if record.type == "CNAME" else resolve(host),
        )
        for record, host in found.items()
    }


@contextmanager
def calls(route53: Any) -> Iterator[list[str]]:
    """The names of the API calls made meanwhile."""
    seen: list[str] = []

    def note(model: Any, **_: Any) -> None:
        seen.append(model.name)

    route53.meta.events.register("before-call.route-53", note)
    yield seen
    route53.meta.events.unregister("before-call.route-53", note)


# The way of a release


def test_all_records_go_to_green_and_back_any_number_of_times(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    assert served(route53, zoned) == expected(zoned, BLUE, lowered=True)
    for _ in range(2):
        dns.prime_flip(route53, zoned, GREEN, resolve)
        changes = dns.flip(route53, zoned, GREEN, resolve)
        assert len(changes) == 2, "one for each zone"
        assert served(route53, zoned) == expected(zoned, GREEN, lowered=True)
        hosted_zones.require_in_sync(route53, changes)
    for _ in range(2):
        changes, left_alone = dns.restore(route53, zoned, GREEN, resolve)
        assert (len(changes), left_alone) == (2, [])
        assert hosted_zones.read(route53, zoned.records) == zoned.records, "to the letter"


def test_after_opening_all_records_have_their_old_ttls_at_green_even_those_that_had_not_moved(
    route53: Any, zoned: Plan
) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    here = dataclasses.replace(zoned, records=zoned.records[1:2])
    dns.flip(route53, here, GREEN, resolve)
    for _ in range(2):
        dns.settle(route53, zoned, GREEN, resolve)
        assert served(route53, zoned) == expected(zoned, GREEN, lowered=False)


def test_a_flip_is_one_call_for_each_zone_and_never_more_than_needed(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    with calls(route53) as first:
        dns.flip(route53, zoned, GREEN, resolve)
    with calls(route53) as second:
        dns.flip(route53, zoned, GREEN, resolve)
    assert first == ["ChangeResourceRecordSets"] * 2
    assert sorted(second) == ["ChangeResourceRecordSets"] * 4 + ["ListResourceRecordSets"] * 2


def test_lowering_tells_when_the_longest_old_ttl_has_run_out(route53: Any, zoned: Plan) -> None:
    before = datetime.now(UTC)
    ends_at = dns.lower_ttl(route53, zoned, resolve)
    assert ends_at.timestamp() >= before.timestamp() + 300
    assert dns.lower_ttl(route53, zoned, resolve) >= ends_at


def test_a_ttl_of_zero_is_a_lower_one_too(route53: Any, zoned: Plan) -> None:
    uncached = dataclasses.replace(zoned, switchover_ttl_s=0)
    dns.lower_ttl(route53, uncached, resolve)
    dns.flip(route53, uncached, GREEN, resolve)
    assert {ttl_s for ttl_s, _ in served(route53, uncached).values()} == {0}
    dns.restore(route53, uncached, GREEN, resolve)
    assert hosted_zones.read(route53, zoned.records) == zoned.records


# Others, and faults


def test_a_flip_that_an_abort_has_overtaken_does_nothing(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    dns.restore(route53, zoned, GREEN, resolve)
    for refused in (dns.flip, dns.prime_flip):
        with pytest.raises(RecordChanged):
            refused(route53, zoned, GREEN, resolve)
    assert hosted_zones.read(route53, zoned.records) == zoned.records


@pytest.mark.parametrize("overtaken", range(5))
def test_a_slow_flip_cannot_undo_the_abort_of_any_single_record(route53: Any, zoned: Plan, overtaken: int) -> None:
    """Each record is guarded by itself: where one is as before the release, the flip moves none of its zone."""
    dns.lower_ttl(route53, zoned, resolve)
    record = zoned.records[overtaken]
    dns.restore(route53, dataclasses.replace(zoned, records=(record,)), GREEN, resolve)
    with pytest.raises(RecordChanged, match=record.name.replace("*", r"\*")):
        dns.flip(route53, zoned, GREEN, resolve)
    now = served(route53, zoned)
    for each in zoned.records:
        at_blue = expected(zoned, BLUE, lowered=each != record)[each.zone_id, each.name]
        at_green = expected(zoned, GREEN, lowered=True)[each.zone_id, each.name]
        assert now[each.zone_id, each.name] == (at_blue if each.zone_id == record.zone_id else at_green)
    assert dns.restore(route53, zoned, GREEN, resolve)[1] == []
    assert hosted_zones.read(route53, zoned.records) == zoned.records


def test_a_zone_that_refuses_the_change_lets_the_abort_take_back_what_the_other_did(
    route53: Any, zoned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    change, public = route53.change_resource_record_sets, zoned.records[1].zone_id

    def refusing(HostedZoneId: str, ChangeBatch: Any) -> Any:  # noqa: N803 - as boto3 has it
        if HostedZoneId == public:
            raise route53.exceptions.InvalidChangeBatch({"Error": {"Code": "InvalidChangeBatch"}}, "Change")
        return change(HostedZoneId=HostedZoneId, ChangeBatch=ChangeBatch)

    monkeypatch.setattr(route53, "change_resource_record_sets", refusing)
    with pytest.raises(AwsUnavailable, match=public):
        dns.flip(route53, zoned, GREEN, resolve)
    assert served(route53, zoned)[zoned.records[0].zone_id, zoned.records[0].name] == (5, (GREEN.host,))
    with pytest.raises(AwsUnavailable, match=public):
        dns.restore(route53, zoned, GREEN, resolve)
    assert served(route53, zoned)[zoned.records[0].zone_id, zoned.records[0].name] == (60, (BLUE.host,)), (
        "the others go back"
    )
    monkeypatch.undo()
    dns.restore(route53, zoned, GREEN, resolve)
    assert hosted_zones.read(route53, zoned.records) == zoned.records


def test_a_record_that_changes_between_reading_and_writing_is_read_again_later(
    route53: Any, zoned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    record_sets = hosted_zones._record_sets

    def stale(*arguments: Any) -> Any:
        found = record_sets(*arguments)
        put(route53, zoned.records[0].zone_id, "maintenance.example.com")
        return found

    monkeypatch.setattr(hosted_zones, "_record_sets", stale)
    with pytest.raises(AwsUnavailable, match="changed between reading and writing"):
        dns.settle(route53, zoned, GREEN, resolve)
    monkeypatch.undo()
    now = served(route53, zoned)
    assert now[zoned.records[0].zone_id, zoned.records[0].name] == (60, ("maintenance.example.com",))
    assert now[zoned.records[2].zone_id, zoned.records[2].name][1] == (BLUE.reader_host,), "the batch is one"


def test_records_that_somebody_else_changed_are_left_alone_and_all_others_given_back(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    dns.flip(route53, zoned, GREEN, resolve)
    theirs, public, gone = zoned.records[0], zoned.records[1], zoned.records[2]
    put(route53, theirs.zone_id, "maintenance.example.com", TTL=5)
    put(route53, public.zone_id, "10.7.7.7", Type="A", TTL=5)
    _delete(route53, dataclasses.replace(gone, ttl_s=5, values=(GREEN.reader_host or "",)))
    for refused in (dns.flip, dns.settle):
        with pytest.raises(RecordChanged):
            refused(route53, zoned, GREEN, resolve)
    with pytest.raises(RecordChanged):
        dns.lower_ttl(route53, zoned, resolve)
    changes, left_alone = dns.restore(route53, zoned, GREEN, resolve)
    assert len(changes) == 1
    of_public, of_gone, of_private = sorted(left_alone, key=lambda reason: ("maintenance" in reason, "There" in reason))
    assert of_gone == f"There is no CNAME record db-ro.shop.internal of the hosted zone {gone.zone_id}."
    assert of_public.startswith(
        f"The record db.shop.internal of the hosted zone {public.zone_id} points at 10.7.7.7 with a TTL of 5 s, not at"
        " the writer endpoint of shop-blue or shop-green: somebody else changed it."
    )
    assert "points at maintenance.example.com with a TTL of 5 s" in of_private
    assert hosted_zones.read(route53, zoned.records[3:]) == zoned.records[3:]
    assert served(route53, dataclasses.replace(zoned, records=zoned.records[:2])) == {
        (theirs.zone_id, theirs.name): (5, ("maintenance.example.com",)),
        (public.zone_id, public.name): (5, ("10.7.7.7",)),
    }


def _delete(route53: Any, record: Record) -> None:
    values = [{"Value": value} for value in record.values]
    record_set = {"Name": record.name, "Type": record.type, "TTL": record.ttl_s, "ResourceRecords": values}
    route53.change_resource_record_sets(
        HostedZoneId=record.zone_id, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record_set}]}
    )


def test_a_ttl_that_was_raised_meanwhile_stops_the_release_rather_than_being_waited_for_too_briefly(
    route53: Any, zoned: Plan
) -> None:
    put(route53, zoned.records[0].zone_id, BLUE.host, TTL=86400)
    with pytest.raises(RecordChanged, match="86400"):
        dns.lower_ttl(route53, zoned, resolve)


# Addresses, which change when Aurora fails over


def test_an_a_record_follows_a_green_that_failed_over_and_is_given_back_all_the_same(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    dns.flip(route53, zoned, GREEN, resolve)
    swapped = ADDRESSES | {GREEN.host: ADDRESSES[GREEN.reader_host], GREEN.reader_host: ADDRESSES[GREEN.host]}
    dns.flip(route53, zoned, GREEN, lambda host: swapped.get(host, ()))
    public = zoned.records[1]
    assert served(route53, zoned)[public.zone_id, public.name] == (5, ("10.0.0.12",))
    assert dns.restore(route53, zoned, GREEN, resolve)[1] == []
    assert hosted_zones.read(route53, zoned.records) == zoned.records


def test_an_a_record_is_given_back_to_the_address_that_blue_has_now(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    dns.flip(route53, zoned, GREEN, resolve)
    moved = ADDRESSES | {BLUE.host: ("10.0.0.3",)}
    dns.restore(route53, zoned, GREEN, lambda host: moved.get(host, ()))
    public = zoned.records[1]
    assert served(route53, zoned)[public.zone_id, public.name] == (300, ("10.0.0.3",))


def test_an_a_record_that_was_moved_after_a_failover_of_blue_is_still_at_blue(route53: Any, zoned: Plan) -> None:
    public = zoned.records[1]
    moved = ADDRESSES | {BLUE.host: ("10.0.0.3",)}
    put(route53, public.zone_id, "10.0.0.3", Type="A", TTL=300)
    dns.lower_ttl(route53, zoned, lambda host: moved.get(host, ()))
    assert served(route53, zoned)[public.zone_id, public.name] == (5, ("10.0.0.3",))
    dns.flip(route53, zoned, GREEN, lambda host: moved.get(host, ()))
    assert served(route53, zoned) == expected(zoned, GREEN, lowered=True)


def test_without_an_address_a_record_goes_back_to_the_one_it_had_but_nowhere_else(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    with pytest.raises(AwsUnavailable, match=r"shop-green\.cluster-def.* has no address"):
        dns.flip(route53, zoned, GREEN, lambda host: () if host == GREEN.host else resolve(host))
    assert served(route53, zoned) == expected(zoned, BLUE, lowered=True)
    dns.restore(route53, zoned, GREEN, lambda _host: ())
    assert hosted_zones.read(route53, zoned.records) == zoned.records


def test_addresses_are_those_of_this_machines_resolver() -> None:
    assert dns.addresses("127.0.1.7") == ("127.0.1.7",)
    assert dns.addresses("nobody.invalid") == ()


# What is refused before anything is touched


def test_records_have_to_be_at_blue_with_a_ttl_that_can_be_lowered(zoned: Plan) -> None:
    dns.require_at(zoned.records, BLUE, resolve)
    for number, values, said in (
        (0, (GREEN.host,), "CNAME record db.shop.internal .* points at shop-green.* writer endpoint shop-blue"),
        (1, ("10.0.0.9",), "A record db.shop.internal .* points at 10.0.0.9, not at 10.0.0.1"),
        (1, ("10.0.0.1", "10.0.0.9"), "points at 10.0.0.1, 10.0.0.9, not at 10.0.0.1"),
        (2, (BLUE.host,), "db-ro.shop.internal .* reader endpoint"),
    ):
        wrong = dataclasses.replace(zoned.records[number], values=values)
        with pytest.raises(BlueUnfit, match=said):
            dns.require_at([wrong], BLUE, resolve)
    with pytest.raises(BlueUnfit, match="not at any address"):
        dns.require_at(zoned.records, BLUE, lambda _host: ())
    with pytest.raises(BlueUnfit, match="has a TTL of 0 s: give it at least 1 s"):
        dns.require_at([dataclasses.replace(zoned.records[0], ttl_s=0)], BLUE, resolve)
    with pytest.raises(BlueUnfit, match=r"shop-blue has no reader endpoint for the record db-ro\.shop\.internal"):
        dns.require_at(zoned.records, dataclasses.replace(BLUE, reader_host=None), resolve)


def test_absent_records_and_other_types_are_refused(route53: Any, zoned: Plan) -> None:
    key = zoned.records[0]
    with pytest.raises(BlueNotFound, match=rf"no CNAME record db2\.shop\.internal of the hosted zone {key.zone_id}"):
        hosted_zones.read(route53, [dataclasses.replace(key, name="db2.shop.internal")])
    with pytest.raises(BlueNotFound, match="is of type CNAME; it is configured as A"):
        hosted_zones.read(route53, [dataclasses.replace(key, type="A")])
    both = dataclasses.replace(zoned.records[4])
    put(route53, both.zone_id, "fd00::1", Name=both.name, Type="AAAA")
    with pytest.raises(BlueNotFound, match="is of type A and AAAA; it is configured as A"):
        hosted_zones.read(route53, [both])


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        ("CNAME", {"SetIdentifier": "one", "Weight": 1, "TTL": 60}, "it has SetIdentifier, Weight"),
        ("A", {"SetIdentifier": "one", "MultiValueAnswer": True, "TTL": 60}, "it has MultiValueAnswer, SetIdentifier"),
        ("A", {"AliasTarget": {"DNSName": "a.example.com"}}, "it has AliasTarget"),
    ],
)
def test_alias_and_weighted_records_are_refused(kind: str, shape: dict[str, Any], said: str) -> None:
    """moto takes neither through the seam that checks change batches, so the answer is written out."""
    answer = {"ResourceRecordSets": [{"Name": "w.shop.internal.", "Type": kind, "ResourceRecords": [], **shape}]}
    answering = SimpleNamespace(list_resource_record_sets=lambda **_: answer)
    with pytest.raises(BlueNotFound, match=f"record w.shop.internal of the hosted zone Z1 is an alias.*{said}"):
        hosted_zones.read(answering, [RecordKey("Z1", "w.shop.internal", kind, "writer")])


def test_records_that_lie_far_apart_in_a_large_zone_are_found(route53: Any, zoned: Plan) -> None:
    crowd = [
        {
            "Action": "CREATE",
            "ResourceRecordSet": {
                "Name": f"f{number:03}.shop.internal",
                "Type": "A",
                "TTL": 60,
                "ResourceRecords": [{"Value": "10.1.1.1"}],
            },
        }
        for number in range(120)
    ]
    route53.change_resource_record_sets(HostedZoneId=zoned.records[0].zone_id, ChangeBatch={"Changes": crowd})
    with calls(route53) as made:
        assert hosted_zones.read(route53, zoned.records) == zoned.records
    assert 3 <= len(made) <= 5, "two zones, and a second page of one"


def test_the_sets_of_a_name_that_go_on_in_the_next_page_are_read_together() -> None:
    """A page ends between the A and the AAAA of ``b``; taken for complete, the A alone would look simple."""
    plain = {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    sets = [{"Name": f"{name}.x.", "Type": kind, **plain} for name, kind in (("a", "A"), ("b", "A"), ("b", "AAAA"))]
    pages = {
        "a.x": {"ResourceRecordSets": sets[:2], "NextRecordName": "b.x."},
        "b.x": {"ResourceRecordSets": sets[1:]},
    }
    paged = SimpleNamespace(list_resource_record_sets=lambda StartRecordName, **_: pages[StartRecordName])  # noqa: N803
    with pytest.raises(BlueNotFound, match=r"b\.x .* is of type A and AAAA"):
        hosted_zones.read(paged, [RecordKey("Z1", name, "A", "writer") for name in ("a.x", "b.x")])


def test_records_are_restored_when_there_is_no_green(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned, resolve)
    assert dns.restore(route53, zoned, None, resolve)[1] == []
    assert hosted_zones.read(route53, zoned.records) == zoned.records
