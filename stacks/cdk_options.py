"""Which options of the `cdk` command go with a deployment: those that choose neither account, Region, app nor stacks.

The lock that is held is that of the stacks in cdk.json, in the account of the credentials that took it. What would
lead `cdk` anywhere else would deploy without a lock, so what is not known here is refused. `cdk` takes every option
from a variable of the environment as well (`CDK_PROFILE`), and those are all kept from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stacks.config import ConfigError

FLAGS = {
    *("ci", "color", "debug", "debug-app", "debug-cli", "exclusively", "force", "ignore-no-stacks", "notices"),
    *("path-metadata", "asset-metadata", "previous-parameters", "rollback", "strict", "trace", "verbose", "yes"),
    *("asset-parallelism", "asset-prebuild", "version-reporting"),
}
"""Take no value: the word after one would be a stack's name to `cdk`. Each is known with `no-` before it, too."""

VALUES = {
    *("ca-bundle-path", "change-set-name", "concurrency", "notification-arns", "output", "outputs-file", "profile"),
    *("progress", "proxy", "require-approval", "rollback-trigger-alarm-arns", "monitoring-time-minutes", "tags"),
}
_SHORT = {"e": "exclusively", "f": "force", "v": "verbose", "y": "yes", "R": "no-rollback"}
_SHORT |= {"o": "output", "O": "outputs-file", "t": "tags"}

VARIABLES = {"CDK_DISABLE_CLI_TELEMETRY", "CDK_DOCKER", "CDK_NAG"}
"""Those that begin with CDK and are passed on; the last is app.py's. All others could be an option to `cdk`, in more
spellings than can be named (`CDK_A`, `CDKAPP` and `CDK_app` are all `--app`)."""


def profile_of(rest: Sequence[str]) -> str | None:
    """The profile that `cdk` is told to use, which is then ours as well; None for what the environment says."""
    for before, word in zip(["", *rest], rest, strict=False):
        if before == "--profile":
            return word
        if word.startswith("--profile="):
            return word.partition("=")[2]
    return None


def require_known(rest: Sequence[str]) -> None:
    """Raises ConfigError at the first word that is not passed on."""
    words = iter(rest)
    for word in words:
        option, equals, value = word.partition("=")
        name = _name(option)
        if name is None:
            raise ConfigError(
                f"{word}: stacks are chosen by their blocks, before -- or by CLUSTERS, as each is locked."
            )
        if name.removeprefix("no-") in FLAGS:
            if equals and value not in ("true", "false"):
                raise ConfigError(f"{word}: {option} takes no value.")
        elif name in VALUES:
            if (value if equals else next(words, "-")).startswith("-"):
                raise ConfigError(f"{word}: {option} takes a value.")
        else:
            raise ConfigError(_refusal(word, name))


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of the environment, less those by which `cdk` or the app could be told something else.

    ``CONTEXT_OVERFLOW_LOCATION_ENV`` is how `cdk` names a file of context to the app when there is much of it.
    """
    return {
        name: value
        for name, value in variables.items()
        if name in VARIABLES or not name.upper().startswith(("CDK", "CONTEXT_OVERFLOW_LOCATION"))
    }


def _name(option: str) -> str | None:
    """The long name of an option; None for a word that is none."""
    if option in ("--", "-") or not option.startswith("-") or option == "--all":
        return None
    if re.fullmatch(r"-v+", option):
        return "verbose"
    return option[2:] if option.startswith("--") else _SHORT.get(option[1:], option[1:])


def _refusal(word: str, name: str) -> str:
    where = {
        "region": "The Region of a database is its block's in cdk.json.",
        "context": "Settings are in cdk.json, for they say what is locked.",
        "c": "Settings are in cdk.json, for they say what is locked.",
        "ec2creds": "Credentials are those of the environment, of AWS_PROFILE or of --profile.",
        "i": "Credentials are those of the environment, of AWS_PROFILE or of --profile.",
    }.get(name, f"Options that are: {', '.join(f'--{each}' for each in sorted(FLAGS | VALUES))}.")
    return f"{word}: not passed on to cdk, since the locks are not known to fit what it would do then. {where}"
