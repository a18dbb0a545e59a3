"""DNS over the emulator's Route 53: propagation, TTLs, and answers that ordinary clients understand."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from local.aws.dns import DnsServer, ResolutionError, Resolver
from local.aws.emulator import Emulator
from tests.waiting import eventually

ZONE = "Z0123456789ABCDEFGHIJ"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("dns"), "eu-west-2")
    emulator.create_hosted_zone(ZONE, "shop.internal", "vpc-1")
    yield emulator
    emulator.close()


@pytest.fixture(scope="module")
def server(emulator: Emulator) -> Iterator[DnsServer]:
    server = DnsServer(emulator)
    yield server
    server.close()


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def put(emulator: Emulator, name: str, value: str, ttl: int = 60, kind: str = "CNAME", propagation_s: float = 0) -> str:
    record = {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]}
    emulator.propagation_s = propagation_s
    client = emulator.client("route53")
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    answer = client.change_resource_record_sets(HostedZoneId=ZONE, ChangeBatch=batch)
    return str(answer["ChangeInfo"]["Id"])


def ask(server: DnsServer, name: str, kind: str = "A", tcp: bool = False) -> DNSRecord:
    question = DNSRecord.question(name, kind)
    reply: DNSRecord = DNSRecord.parse(question.send(server.host, server.port, tcp=tcp, timeout=5))
    return reply


def shown(reply: DNSRecord) -> list[tuple[str, str, int, str]]:
    return [(str(rr.rname), QTYPE[rr.rtype], rr.ttl, str(rr.rdata)) for rr in reply.rr]


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_an_alias_of_an_address_comes_with_the_address(emulator: Emulator, server: DnsServer, tcp: bool) -> None:
    put(emulator, "db.shop.internal", "127.0.1.1", ttl=5)
    assert shown(ask(server, "DB.shop.internal", tcp=tcp)) == [
        ("db.shop.internal.", "CNAME", 5, "127.0.1.1."),
        ("127.0.1.1.", "A", 5, "127.0.1.1"),
    ]


def test_only_the_alias_is_told_to_who_asks_for_it(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "db.shop.internal", "127.0.1.1", ttl=5)
    expected = [("db.shop.internal.", "CNAME", 5, "127.0.1.1.")]
    assert shown(ask(server, "db.shop.internal", "CNAME")) == expected
    assert shown(ask(server, "db.shop.internal", "AAAA")) == expected


def test_addresses_and_aliases_of_names(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "host.shop.internal", "127.0.1.7", ttl=30, kind="A")
    put(emulator, "alias.shop.internal", "host.shop.internal.", ttl=10)
    assert shown(ask(server, "alias.shop.internal")) == [
        ("alias.shop.internal.", "CNAME", 10, "host.shop.internal."),
        ("host.shop.internal.", "A", 30, "127.0.1.7"),
    ]


def test_a_circle_of_aliases_ends(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "here.shop.internal", "there.shop.internal")
    put(emulator, "there.shop.internal", "here.shop.internal")
    assert len(ask(server, "here.shop.internal").rr) == 2


def test_names_that_are_not_there(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "a.b.shop.internal", "127.0.1.1")
    assert ask(server, "nobody.shop.internal").header.rcode == RCODE.NXDOMAIN
    assert QTYPE[ask(server, "nobody.shop.internal").auth[0].rtype] == "SOA"
    assert ask(server, "b.shop.internal").header.rcode == RCODE.NOERROR  # something is below it
    assert ask(server, "example.com").header.rcode == RCODE.REFUSED
    assert ask(server, "notshop.internal").header.rcode == RCODE.REFUSED


@pytest.mark.parametrize("kind", ["NS", "SOA", "MX"])
def test_questions_about_the_zone_itself_are_answered(emulator: Emulator, server: DnsServer, kind: str) -> None:
    reply = ask(server, "shop.internal", kind)
    assert reply.header.rcode == RCODE.NOERROR
    assert bool(reply.rr) == (kind == "NS")


def test_a_change_is_answered_when_it_is_in_sync(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "flip.shop.internal", "127.0.1.1", ttl=0)
    resolver = Resolver(server.host, server.port)
    change = put(emulator, "flip.shop.internal", "127.0.1.2", ttl=0, propagation_s=0.4)
    client: Any = emulator.client("route53")

    def state() -> tuple[str, str]:
        """The status is read before and after, since it may change in between."""
        before = client.get_change(Id=change)["ChangeInfo"]["Status"]
        address = resolver.resolve("flip.shop.internal")
        after = client.get_change(Id=change)["ChangeInfo"]["Status"]
        return (before if before == after else "", address)

    seen: set[tuple[str, str]] = set()

    def in_sync() -> bool:
        seen.add(state())
        return ("INSYNC", "127.0.1.2") in seen

    eventually(in_sync)
    assert seen - {("", "127.0.1.1"), ("", "127.0.1.2")} == {("PENDING", "127.0.1.1"), ("INSYNC", "127.0.1.2")}


def test_a_resolver_keeps_an_answer_for_its_ttl(emulator: Emulator, server: DnsServer) -> None:
    clock = Clock()
    resolver = Resolver(server.host, server.port, clock)
    put(emulator, "db.shop.internal", "127.0.1.1", ttl=5)
    assert resolver.resolve("db.shop.internal") == "127.0.1.1"
    put(emulator, "db.shop.internal", "127.0.1.2", ttl=60)
    clock.now += 4.99
    assert resolver.resolve("db.shop.internal") == "127.0.1.1"
    clock.now += 0.01
    assert resolver.resolve("db.shop.internal") == "127.0.1.2"
    put(emulator, "db.shop.internal", "127.0.1.3", ttl=60)
    clock.now += 59
    assert resolver.resolve("db.shop.internal") == "127.0.1.2"


def test_a_ttl_of_zero_is_not_kept(emulator: Emulator, server: DnsServer) -> None:
    resolver = Resolver(server.host, server.port, Clock())
    for address in ("127.0.1.1", "127.0.1.2"):
        put(emulator, "zero.shop.internal", address, ttl=0)
        assert resolver.resolve("zero.shop.internal") == address


def test_a_resolver_says_what_is_wrong(emulator: Emulator, server: DnsServer) -> None:
    with pytest.raises(ResolutionError, match=r"nobody\.shop\.internal: NXDOMAIN"):
        Resolver(server.host, server.port).resolve("nobody.shop.internal")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ResolutionError, match="no answer"):
        Resolver(server.host, port).resolve("db.shop.internal")


def test_many_threads_may_ask_at_once(emulator: Emulator, server: DnsServer) -> None:
    put(emulator, "busy.shop.internal", "127.0.1.1", ttl=0)
    resolver = Resolver(server.host, server.port)
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(resolver.resolve("busy.shop.internal") for _ in range(25)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["127.0.1.1"] * 200


def test_the_port_is_free_again_after_close(emulator: Emulator) -> None:
    first = DnsServer(emulator)
    first.close()
    DnsServer(emulator, first.port).close()
