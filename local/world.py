"""Everything that a release needs, on this machine: servers, AWS, the deployed stack, DNS."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from local.aws.aurora import EmbeddedAurora
from local.aws.deploy import Stack, deploy, records_of, synthesize
from local.aws.dns import DnsServer, Resolver
from local.aws.emulator import Emulator
from local.host import REGION, working_folder
from local.postgres.roles import create_role
from local.postgres.servers import Server, reader_address
from local.regions import add_secondary, secondary_name

CLUSTER = "shop"
BLUE = "shop-blue"
MORE_RECORDS = [
    {"zone_id": "Z0123456789ABCDEFGHIJ", "name": "db-ro.shop.internal", "endpoint": "reader"},
    {"zone_id": "Z1123456789ABCDEFGHIJ", "name": "db.shop.example", "endpoint": "writer", "type": "A"},
]
"""Beside the writer record of cdk.json, in its zone and in another one."""
RECORD_AWAY = "db-ro-away.shop.internal"
"""The record of the readers in another Region, where there is one."""
Progress = Callable[[str], None]


class World:
    """A production cluster ``shop-blue`` with its DNS records, and the application deployed beside it."""

    def __init__(
        self,
        folder: Path,
        emulator: Emulator,
        aurora: EmbeddedAurora,
        blue: Server,
        stack: Stack,
        dns: DnsServer,
        away: EmbeddedAurora | None = None,
    ) -> None:
        self.folder = folder
        self.emulator = emulator
        self.aurora = aurora
        self.blue = blue
        self.stack = stack
        self.dns = dns
        self.away = away
        """RDS of the other Region, if production is a global database."""

    @property
    def resolver(self) -> Resolver:
        """A client of the DNS server with a cache of its own, as each application host has one."""
        return Resolver(self.dns.host, self.dns.port)

    @property
    def record(self) -> str:
        """The name by which applications find the writer."""
        return str(self.stack.config["writer_record"])

    @property
    def mail_folder(self) -> Path:
        """Where the mails are that SNS sent."""
        return self.emulator.folder / "mail"

    def put_script(self, key: str, text: str) -> str:
        """Puts a script where releases read them; returns how an input names it."""
        bucket = self.stack.config["changes_bucket"]
        self.emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
        return f"s3://{bucket}/{key}"

    def production(self) -> Server:
        """The server that the record points at now."""
        address = self.resolver.resolve(self.record)
        with self.aurora.lock:
            return next(server for server in self.aurora.servers.values() if server.address == address)

    def server(self, cluster_identifier: str) -> Server:
        """The server behind a cluster."""
        return self.aurora.servers[cluster_identifier]


@contextmanager
def world(
    databases: Sequence[str] = ("app", "crm"),
    blue_version: int = 16,
    port: int = 0,
    latency_s: float = 2.0,
    propagation_s: float = 1.0,
    record_ttl_s: int = 5,
    parameters: dict[str, str] | None = None,
    overrides: dict[str, Any] | None = None,
    progress: Progress = lambda _: None,
    secondary_region: str = "",
) -> Iterator[World]:
    """A world for the length of a ``with`` block; nothing of it remains afterwards.

    latency_s      how long a cluster and each instance take to become available, at least
    propagation_s  how long Route 53 takes to serve a change
    record_ttl_s   of the records before the release: a release waits that long for resolvers to forget it
    parameters     settings in blue's cluster parameter group
    overrides      settings of the cluster's block in cdk.json that differ from the example
    secondary_region  where production has a secondary cluster, with a record for its readers; none when it is empty
    """
    with ExitStack() as undo:
        folder = undo.enter_context(working_folder())
        progress("AWS emulator")
        emulator = Emulator(folder / "aws", REGION, port)
        undo.callback(emulator.close)
        emulator.propagation_s = propagation_s
        progress(f"PostgreSQL {blue_version} as {BLUE}")
        aurora = EmbeddedAurora(folder, 0, emulator.region, latency_s)
        undo.callback(aurora.close)
        blue = aurora.create_cluster(BLUE, blue_version, databases, parameters)
        away, readers = None, {"": reader_address(blue.address)}
        if secondary_region:
            progress(f"secondary in {secondary_region}")
            away = add_secondary(emulator.client, aurora, BLUE, secondary_region)
            undo.callback(away.close)
            readers[secondary_region] = reader_address(away.servers[secondary_name(BLUE, secondary_region)].address)
        progress("synthesis of the stack")
        assembly = synthesize(
            {
                "databases": list(databases),
                "database_tls": "disable",  # the embedded servers are built without TLS
                "switchover_ttl_s": 1,
                "verify_workers": 2,  # each is a process
                "more_records": [*MORE_RECORDS, *_records_away(secondary_region)],
                "secondary_regions": [secondary_region] if secondary_region else [],
                **(overrides or {}),
            }
        )
        progress("deployment of the stack")
        stack = deploy(emulator, assembly)
        emulator.client("s3").create_bucket(
            Bucket=assembly.config["changes_bucket"],
            CreateBucketConfiguration={"LocationConstraint": emulator.region},
        )
        login = json.loads(
            emulator.client("secretsmanager").get_secret_value(SecretId=stack.outputs["ReleaseSecretArn"])[
                "SecretString"
            ]
        )
        create_role(blue, login["username"], login["password"], options="SUPERUSER", member_of=["rds_superuser"])
        emulator.functions.after_invoke.append(
            lambda function: aurora.sync_roles() if function.endswith("-CreateReplicationUser") else None
        )
        create_records(emulator, stack, blue, record_ttl_s, readers)
        progress("DNS")
        dns = DnsServer(emulator)
        undo.callback(dns.close)
        # Python looks through all objects now and then, which stops every thread of the emulator, and with them a
        # freeze, for 0.1 to 0.4 s; what is there by now stays, and need not be looked at again.
        gc.freeze()
        undo.callback(gc.unfreeze)
        yield World(folder, emulator, aurora, blue, stack, dns, away)


def _records_away(region: str) -> list[dict[str, str]]:
    zone = MORE_RECORDS[0]["zone_id"]
    return [{"zone_id": zone, "name": RECORD_AWAY, "endpoint": "reader", "region": region}] if region else []


def create_records(
    emulator: Emulator, stack: Stack, blue: Server, ttl_s: int, readers: dict[str, str] | None = None
) -> None:
    """The records at blue, as production has them, served before this returns."""
    route53 = emulator.client("route53")
    readers = readers or {"": reader_address(blue.address)}
    for record in (*records_of(stack.config), *stack.config["rehearsal_records"]):
        record_set = {
            "Name": record["name"],
            "Type": record.get("type", "CNAME"),
            "TTL": ttl_s,
            "ResourceRecords": [
                {"Value": blue.address if record["endpoint"] == "writer" else readers[record.get("region", "")]}
            ],
        }
        change = route53.change_resource_record_sets(
            HostedZoneId=record["zone_id"],
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record_set}]},
        )["ChangeInfo"]
        while route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] != "INSYNC":
            time.sleep(0.02)
