"""``python -m local up``: everything is started and keeps running, to be driven by any AWS client and psql."""

from __future__ import annotations

import argparse
import json
import threading
from urllib.parse import quote

from rich.console import Console

from local.aws.environment import ADMINISTRATOR
from local.postgres import psqlfile
from local.release import upgrade_input
from local.world import World, world


def up(console: Console, options: argparse.Namespace) -> int:
    """Starts everything, says where it is, and waits."""
    into = options.into or options.databases[0]
    with world(
        databases=options.databases,
        blue_version=options.blue_version,
        port=options.port,
        secondary_region=options.secondary_region,
        progress=lambda what: console.print(f"[dim]{what} …[/dim]"),
    ) as running:
        for path in options.load:
            console.print(f"[dim]loading {path} into {into} …[/dim]")
            psqlfile.load(running.blue, into, path, "postgres", running.aurora.master_password)
        print(json.dumps(description(running, options.databases) | input_of(options)), flush=True)
        console.print("Ready. Interrupt (Ctrl-C) to stop; nothing is left behind.")
        threading.Event().wait()
    return 0


def input_of(options: argparse.Namespace) -> dict[str, object]:
    """The input with which a release upgrades green, to be given to ``start-execution``."""
    accepted = {"accept": ["global-endpoint"]} if options.secondary_region else {}
    return {"input": upgrade_input(options.blue_version, options.green_version) | accepted}


def description(running: World, databases: tuple[str, ...]) -> dict[str, object]:
    """What ``up`` prints: everything that an AWS client and psql need."""
    blue = running.blue
    password = quote(running.aurora.master_password)

    def dsns(database: str) -> dict[str, str]:
        name = quote(database, safe="")
        return {
            "dsn": f"postgresql://postgres:{password}@{blue.address}:{blue.port}/{name}",
            "admin_dsn": f"postgresql://rdsadmin@/{name}?host={quote(str(blue.sockets), safe='/')}&port={blue.port}",
        }

    away = {"secondary_region": running.away.region} if running.away else {}
    return away | {
        "endpoint_url": running.emulator.endpoint_url,
        "region": running.emulator.region,
        "access_key_id": ADMINISTRATOR,
        "state_machine_arn": running.stack.outputs["StateMachineArn"],
        "recovery_state_machine_arn": running.stack.outputs["RecoveryStateMachineArn"],
        "decommission_state_machine_arn": running.stack.outputs["DecommissionStateMachineArn"],
        "topic_arn": running.stack.outputs["ApprovalTopicArn"],
        "approval_page_url": running.stack.outputs["ApprovalPageUrl"],
        "event_bus": "default",
        "event_source": running.stack.config["event_source"],
        "blue": {
            "cluster_identifier": "shop-blue",
            "host": blue.address,
            "port": blue.port,
        },
        "databases": {database: dsns(database) for database in databases},
        "dns": {"host": running.dns.host, "port": running.dns.port, "record": running.record},
        "mail_folder": str(running.mail_folder),
        "log_folder": str(running.emulator.folder / "logs"),
    }
