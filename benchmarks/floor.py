"""The floor: a switchover by hand, on servers of the same kind, with connections open and nothing around it.

It does what no switchover can leave out: take LOGIN from the roles, end their sessions, carry the sequences over, wait
for a sentinel, give LOGIN on the other server. The name changes meanwhile, since green is closed. It has no freeze
record, proof, comparison, deadline or way back, and whoever runs it had better not be interrupted.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pg8000.native import Connection, identifier, literal

from benchmarks import application
from benchmarks.application import ROLES, Application, Size
from local.postgres.roles import create_role
from local.postgres.servers import Server
from local.world import World

OPERATOR = "operator"
_SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences"
_SET = (
    "SELECT setval(format('%I.%I', s, n)::regclass, v) FROM unnest(:s::text[], :n::text[], :v::bigint[]) AS x(s, n, v)"
)
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(:roles)"


@dataclass
class Pair:
    """Two servers in step, the second of them closed; `record` is a name that leads to the first."""

    blue: Server
    green: Server
    application: Application
    record: str
    password: str

    @contextmanager
    def connections(self) -> Iterator[tuple[Connection, Connection]]:
        """To blue and green, open."""
        sides = [server.connect("app", OPERATOR, self.password) for server in (self.blue, self.green)]
        try:
            yield sides[0], sides[1]
        finally:
            for side in sides:
                side.close()


def prepare(running: World, number: int, size: Size) -> Pair:
    """Two servers in step by logical replication, made without the release."""
    made = [
        Server.create(
            running.folder / f"floor-{number}-{side}",
            running.blue.version,
            running.aurora.new_address(),
            running.aurora.port,
            running.blue.parameters,
        )
        for side in ("blue", "green")
    ]
    blue, green = made
    password = secrets.token_urlsafe(24)
    for server in made:
        create_role(server, OPERATOR, password, options="SUPERUSER REPLICATION")
        server.execute("postgres", "CREATE DATABASE app")
    built = application.create(blue, size)
    application.create_roles(green, built)
    application.create_objects(green, "app", size)
    for server in made:
        server.execute("app", "CREATE TABLE sentinel (beat int PRIMARY KEY)")
    green.execute("app", _roles("NOLOGIN"))
    blue.execute("app", "CREATE PUBLICATION floor FOR ALL TABLES")
    conninfo = f"host={blue.address} port={blue.port} user={OPERATOR} password={password} dbname=app"
    green.execute("app", f"CREATE SUBSCRIPTION floor CONNECTION {literal(conninfo)} PUBLICATION floor")
    pending = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"
    while green.execute("app", pending) != [[0]]:
        time.sleep(0.05)
    record = f"floor-{number}.{running.record.split('.', 1)[1]}"
    point(running, record, blue.address)
    return Pair(blue, green, built, record, password)


def point(running: World, record: str, address: str) -> None:
    """The name change, by the same API and emulator as the release's."""
    record_set = {"Name": record, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{"Value": address}]}
    running.emulator.client("route53").change_resource_record_sets(
        HostedZoneId=running.stack.config["hosted_zone_id"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record_set}]},
    )


def switch_over(running: World, pair: Pair, blue: Connection, green: Connection) -> dict[str, float]:
    """By hand; milliseconds of each part."""
    name_change = threading.Thread(target=point, args=(running, pair.record, pair.green.address))
    at: dict[str, float] = {"begin": time.perf_counter()}
    name_change.start()
    blue.run(_roles("NOLOGIN"))
    while blue.run(_END, roles=list(ROLES)):
        time.sleep(0.002)
    at["freeze"] = time.perf_counter()
    blue.run("INSERT INTO sentinel VALUES (1)")
    rows: list[Any] = blue.run(_SEQUENCES) or []
    used = [row for row in rows if row[2] is not None]
    green.run(_SET, s=[row[0] for row in used], n=[row[1] for row in used], v=[row[2] for row in used])
    at["sequences"] = time.perf_counter()
    while not green.run("SELECT 1 FROM sentinel"):
        time.sleep(0.002)
    at["drain"] = time.perf_counter()
    green.run(_roles("LOGIN"))
    at["open"] = time.perf_counter()
    name_change.join()
    at["name change, beside"] = time.perf_counter()
    return {name: 1000 * (then - before) for (_, before), (name, then) in itertools.pairwise(at.items())}


def _roles(attribute: str) -> str:
    return ";".join(f"ALTER ROLE {identifier(role)} {attribute}" for role in ROLES)
