"""``python -m local decommission``: ends the blue of a release, or any cluster by its name, in a running ``up``."""

from __future__ import annotations

import argparse
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from rich.console import Console
from rich.markup import escape

from local.aws.environment import ADMINISTRATOR
from local.host import REGION, LocalError
from local.release import POLL_S, Release

_RELEASE_ID = re.compile(r"[0-9]{8}-[0-9]{4}-[0-9a-f]{6}")


def add_command(commands: Any) -> None:
    """The command and its options."""
    command = commands.add_parser(
        "decommission",
        help="end the blue of a completed release: final snapshot, then stopped or deleted",
        description="Starts a decommission in a running `up`, shows its states as they pass, and says what is left. "
        "Exit status 0 only if the cluster came to its end.",
    )
    command.add_argument("endpoint_url", metavar="ENDPOINT_URL", help="of the line that `up` has printed")
    command.add_argument("target", metavar="RELEASE|CLUSTER", help="the release whose blue ends, or a cluster's name")
    command.add_argument("--end", choices=("stop", "delete"), help="default: what the release's input said (blue_end)")
    command.add_argument("--region", default=REGION, help="of the same line (default: %(default)s)")


def decommission(console: Console, options: argparse.Namespace) -> int:
    """Starts it, follows it, says how it ended."""
    by = "release_id" if _RELEASE_ID.fullmatch(options.target) else "cluster_identifier"
    asked = {by: options.target} | ({"end": options.end} if options.end else {})
    client = boto3.client(
        "stepfunctions",
        endpoint_url=options.endpoint_url,
        region_name=options.region,
        aws_access_key_id=ADMINISTRATOR,
        aws_secret_access_key="local",  # noqa: S106 - nothing checks it
    )
    try:
        run = Release.start(client, _state_machine(client), asked, Path(), f"by-hand-{uuid.uuid4()}")
        _follow(console, run)
    except BotoCoreError as error:
        raise LocalError(f"{options.endpoint_url}: {error}. Is `python -m local up` running?") from error
    described = run.describe()
    if described["status"] != "SUCCEEDED":
        console.print(escape(run.failure()), style="red")
        return 1
    plan = json.loads(described["output"])
    became = "stopped" if plan["end"] == "stop" else "deleted"
    left = f"; its final snapshot is {plan['snapshot_identifier']}"
    is_clone = plan["snapshot_identifier"] == "no-snapshot"
    console.print(f"{plan['cluster']['identifier']} is {became}{'' if is_clone else left}.")
    return 0


def _state_machine(client: Any) -> str:
    for machine in client.list_state_machines()["stateMachines"]:
        if machine["name"].endswith("-decommission"):
            return str(machine["stateMachineArn"])
    raise LocalError("No state machine for decommissions is deployed there: is it the endpoint of `up`?")


def _follow(console: Console, run: Release) -> None:
    while True:
        is_over = not run.running
        for step in run.new_steps():
            if step.duration_s is not None:
                console.print(f"{step.name:<26}{step.duration_s:6.1f} s")
        if is_over:
            return
        time.sleep(POLL_S)
