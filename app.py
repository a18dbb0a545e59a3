#!/usr/bin/env python3
"""Entry point of the CDK application: one stack for each database under `clusters` in cdk.json.

The `cdk` command runs it; `python app.py` alone synthesizes as well, into cdk.out or the folder named by CDK_OUTDIR.
With CDK_NAG=1 the AwsSolutions pack of cdk-nag has to be content as well; it comes with requirements.lock.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from stacks.blocks import configured
from stacks.config import ConfigError
from stacks.node import NodeNotFoundError, use_node

ROOT = Path(__file__).resolve().parent


def main() -> None:
    use_node()
    # Imported this late because jsii starts Node as soon as aws_cdk is imported.
    import aws_cdk as cdk

    from stacks.green_account import GreenAccountStack
    from stacks.release_stack import ReleaseStack

    app = cdk.App(
        # What the command passes in CDK_CONTEXT_JSON goes before this, key by key.
        context=json.loads((ROOT / "cdk.json").read_text())["context"],
        outdir=os.environ.get("CDK_OUTDIR", str(ROOT / "cdk.out")),
    )
    configs = configured(app.node.try_get_context("clusters"), local=app.node.try_get_context("local") is True)
    released: dict[tuple[str, str], list[str]] = {}
    for config in configs:
        released.setdefault((config.region, config.event_source), []).append(config.name)
    account = app.node.try_get_context("account")  # that of the locks, when `make deploy` has taken them
    for config in configs:
        ReleaseStack(app, config, released.pop((config.region, config.event_source), []), account)
        if config.green_account:
            GreenAccountStack(app, config, config.green_account)
    if os.environ.get("CDK_NAG"):
        from cdk_nag import AwsSolutionsChecks

        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, NodeNotFoundError) as error:
        sys.exit(str(error))
