"""DNS in two halves: name servers that answer from the emulator's Route 53, and a client that caches for the TTL.

The delay between a change and its answer is Route 53's propagation and lives in the emulator; the time for which a
client goes on with an old answer is the TTL and lives in `Resolver`. Both together are how long a flip takes.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dnslib import CNAME, NS, QTYPE, RCODE, RR, SOA, TXT, A, DNSError, DNSRecord
from dnslib.server import DNSLogger, DNSServer

from local.aws.emulator import Emulator
from local.aws.seams.zones import Record

NEGATIVE_TTL_S = 1
_POLL_S = 0.05
"""How soon a server notices that it is to stop."""

# What these name servers can tell; of other types they say that there are none.
_DATA: dict[str, Callable[[str], Any]] = {
    "A": A,
    "CNAME": CNAME,
    "NS": NS,
    "TXT": lambda value: TXT(value.strip('"')),
}


class ResolutionError(OSError):
    """The name has no address, or no name server answered."""


class DnsServer:
    """Authoritative for the emulator's hosted zones, over UDP and TCP on one port; `close()` ends it."""

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        self.host = "127.0.0.1"
        self._servers = _bind(_Zones(emulator), self.host, port)
        self.port: int = self._servers[0].server.server_address[1]
        self._threads = [
            threading.Thread(target=server.server.serve_forever, args=(_POLL_S,), daemon=True)
            for server in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop answering."""
        for server in self._servers:
            server.stop()
            server.server.server_close()
        for thread in self._threads:
            thread.join()


def _bind(zones: _Zones, host: str, port: int) -> list[Any]:
    """A server for UDP and one for TCP. A port that is free for one need not be for the other: try some."""
    quiet = DNSLogger(log="-request,-reply,-truncated,-error", prefix=False)
    for attempt in itertools.count(1):
        tcp = DNSServer(zones, host, port, tcp=True, logger=quiet)
        try:
            udp = DNSServer(zones, host, tcp.server.server_address[1], logger=quiet)
        except OSError:
            tcp.server.server_close()
            if port or attempt == 20:
                raise
        else:
            return [tcp, udp]
    raise AssertionError


class _Zones:
    """Answers questions as Route 53's name servers do."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def resolve(self, request: DNSRecord, _handler: object) -> DNSRecord:
        """dnslib's interface: the reply to a request."""
        reply: DNSRecord = request.reply()
        name, kind = str(request.q.qname).lower(), QTYPE[request.q.qtype]
        zone = self._zone_of(name)
        if zone is None:
            reply.header.rcode = RCODE.REFUSED
            return reply
        records = self._emulator.served_records(zone[0])
        answers = _answers(name, kind, records)
        reply.add_answer(*answers)
        if not answers:
            exists = any(record.name == name or record.name.endswith("." + name) for record in records)
            reply.header.rcode = RCODE.NOERROR if exists else RCODE.NXDOMAIN
            authority = SOA(f"ns.{zone[1]}", f"hostmaster.{zone[1]}", (1, 7200, 900, 1209600, NEGATIVE_TTL_S))
            reply.add_auth(RR(zone[1], QTYPE.SOA, ttl=NEGATIVE_TTL_S, rdata=authority))
        return reply

    def _zone_of(self, name: str) -> tuple[str, str] | None:
        """Id and name of the zone that is responsible: the longest that the name ends in."""
        zones = self._emulator.hosted_zones().items()
        fitting = [(zone_id, zone) for zone_id, zone in zones if f".{name}".endswith("." + zone)]
        return max(fitting, key=lambda zone: len(zone[1]), default=None)


def _answers(name: str, kind: str, records: tuple[Record, ...]) -> list[RR]:
    """The records asked for; aliases are followed as long as they stay within the zone.

    A cluster's endpoint is an address on this machine, where AWS has a name. As the target of a CNAME it is a name that
    no zone knows, so its address is added here, which is what makes the answer of use to libc and dig.
    """
    answers: list[RR] = []
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        alias: Record | None = None
        for record in records:
            if record.name == name and record.type == kind and kind in _DATA:
                answers += [_rr(record, value) for value in record.values]
            elif record.name == name and record.type == "CNAME":
                alias = record
        if alias is None or kind == "CNAME":
            break
        target = alias.values[0].rstrip(".").lower()
        answers.append(_rr(alias, target))
        if _is_address(target) and kind == "A":
            answers.append(RR(target, QTYPE.A, ttl=alias.ttl, rdata=A(target)))
        name = target + "."
    return answers


def _rr(record: Record, value: str) -> RR:
    return RR(record.name, getattr(QTYPE, record.type), ttl=record.ttl, rdata=_DATA[record.type](value))


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class _Cached:
    address: str
    until: float


class Resolver:
    """A client's resolver: answers from its cache until the TTL is over. Thread safe.

    Name servers hand out the whole TTL each time, so that an answer is at most one TTL old.
    """

    def __init__(self, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = (host, port)
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[str, _Cached] = {}

    def resolve(self, name: str) -> str:
        """The IPv4 address that the name has, following aliases; ResolutionError if it has none."""
        with self._lock:
            cached = self._cache.get(name)
            asked_at = self._clock()
            if cached is None or cached.until <= asked_at:
                address, ttl = self._ask(name)
                cached = self._cache[name] = _Cached(address, asked_at + ttl)
            return cached.address

    def _ask(self, name: str) -> tuple[str, int]:
        """Address and TTL: the least of the records on the way."""
        reply = self._exchange(DNSRecord.question(name, "A"))
        addresses = [str(answer.rdata) for answer in reply.rr if answer.rtype == QTYPE.A]
        if not addresses:
            raise ResolutionError(f"{name}: {RCODE[reply.header.rcode]}, no address")
        return addresses[0], min(answer.ttl for answer in reply.rr)

    def _exchange(self, question: DNSRecord) -> DNSRecord:
        for _ in range(3):
            question.header.id = random.randrange(1 << 16)  # noqa: S311 — tells answers apart, on this machine
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
                channel.settimeout(1)
                channel.connect(self._server)
                try:
                    channel.send(question.pack())
                    reply: DNSRecord = DNSRecord.parse(channel.recv(4096))
                except (OSError, DNSError):
                    continue
            if reply.header.id == question.header.id:
                return reply
        raise ResolutionError(f"{question.q.qname}: no answer from {self._server[0]}:{self._server[1]}")
