"""The writer record, against moto's Route 53."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen import dns
from bluegreen.errors import AwsUnavailable, BlueNotFound, RecordChanged
from bluegreen.model import Cluster, Plan, Record
from tests.unit.conftest import BLUE_ENDPOINT

GREEN = Cluster("shop-green", "shop-green.cluster-def.eu-west-2.rds.amazonaws.com", 5432)


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


@pytest.fixture
def zoned(route53: Any, plan: Plan) -> Plan:
    """A plan whose zone exists, the record pointing at blue."""
    zone = route53.create_hosted_zone(Name="shop.internal", CallerReference="1")["HostedZone"]["Id"]
    zone_id = zone.removeprefix("/hostedzone/")
    put(route53, zone_id, BLUE_ENDPOINT)
    return dataclasses.replace(plan, record=Record(zone_id, "db.shop.internal", "CNAME", 60))


def served(route53: Any, plan: Plan) -> tuple[str, int]:
    record, value = dns.read(route53, plan.record.zone_id, plan.record.name)
    return value, record.ttl_s


def test_the_record_is_flipped_and_taken_back_any_number_of_times(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned)
    for _ in range(2):
        change = dns.flip(route53, zoned, GREEN)
        assert served(route53, zoned) == (GREEN.host, 5)
        dns.require_in_sync(route53, change)
    for _ in range(2):
        dns.point_at(route53, zoned, zoned.blue, [GREEN], ttl_s=60)
        assert served(route53, zoned) == (BLUE_ENDPOINT, 60)


def test_lowering_the_ttl_keeps_the_value_and_tells_when_the_old_one_has_run_out(route53: Any, zoned: Plan) -> None:
    ends_at = dns.lower_ttl(route53, zoned)
    assert served(route53, zoned) == (BLUE_ENDPOINT, 5)
    assert dns.lower_ttl(route53, zoned) >= ends_at
    short = dataclasses.replace(zoned, record=dataclasses.replace(zoned.record, ttl_s=3))
    dns.lower_ttl(route53, short)
    assert served(route53, zoned)[1] == 2, "always less than before, never raised"


def test_a_flip_that_an_abort_has_overtaken_does_nothing(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned)
    dns.point_at(route53, zoned, zoned.blue, [GREEN], ttl_s=zoned.record.ttl_s)  # what RestoreDns does
    with pytest.raises(RecordChanged):
        dns.flip(route53, zoned, GREEN)
    assert served(route53, zoned) == (BLUE_ENDPOINT, 60)


def test_a_record_that_changes_between_reading_and_writing_is_read_again_later(
    route53: Any, zoned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    dns.lower_ttl(route53, zoned)
    stale = dns.read(route53, zoned.record.zone_id, zoned.record.name)
    dns.point_at(route53, zoned, zoned.blue, [], ttl_s=zoned.record.ttl_s)
    monkeypatch.setattr(dns, "read", lambda *_: stale)
    with pytest.raises(AwsUnavailable):
        dns.flip(route53, zoned, GREEN)
    monkeypatch.undo()
    assert served(route53, zoned) == (BLUE_ENDPOINT, 60)


def test_a_record_that_somebody_else_changed_is_left_alone(route53: Any, zoned: Plan) -> None:
    put(route53, zoned.record.zone_id, "maintenance.example.com")
    with pytest.raises(RecordChanged, match=r"maintenance\.example\.com"):
        dns.point_at(route53, zoned, GREEN, [zoned.blue], ttl_s=5)
    assert served(route53, zoned) == ("maintenance.example.com", 60)


def test_weighted_and_absent_records_are_refused(route53: Any, zoned: Plan) -> None:
    with pytest.raises(BlueNotFound, match=r"no CNAME record named db2\.shop\.internal"):
        dns.read(route53, zoned.record.zone_id, "db2.shop.internal")
    weighted = {"SetIdentifier": "one", "Weight": 1, "TTL": 60, "ResourceRecords": [{"Value": "a.example.com"}]}
    several = {"TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}]}
    for kind, shape in (("CNAME", weighted), ("A", several), ("A", {"AliasTarget": {"DNSName": "a.example.com"}})):
        answer = {"ResourceRecordSets": [{"Name": "w.shop.internal.", "Type": kind, **shape}]}
        answering = SimpleNamespace(list_resource_record_sets=lambda answer=answer, **_: answer)
        with pytest.raises(BlueNotFound, match="is no CNAME, or weighted"):
            dns.read(answering, zoned.record.zone_id, "w.shop.internal")


def test_a_record_that_somebody_else_changed_does_not_stop_the_clean_up(route53: Any, zoned: Plan) -> None:
    put(route53, zoned.record.zone_id, "maintenance.example.com")
    assert "left alone" in dns.restore(route53, zoned, GREEN)
    assert served(route53, zoned) == ("maintenance.example.com", 60)


def test_a_record_is_restored_when_there_is_no_green(route53: Any, zoned: Plan) -> None:
    dns.lower_ttl(route53, zoned)
    assert "left alone" not in dns.restore(route53, zoned, None)
    assert served(route53, zoned) == (BLUE_ENDPOINT, 60)
