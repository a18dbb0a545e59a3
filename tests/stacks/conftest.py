"""One synthesis for all tests here."""

from __future__ import annotations

import fcntl
import json
from typing import Any

import pytest

from stacks.node import use_node
from tests.stacks.synthesis import OUTPUT, ROOT, Assembly, run_app

use_node()  # before a test module imports aws_cdk


@pytest.fixture(scope="session")
def assembly() -> Assembly:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with OUTPUT.with_suffix(".lock").open("w") as lock:  # tests run side by side; an asset is put together by one only
        fcntl.flock(lock, fcntl.LOCK_EX)
        synthesis = run_app(OUTPUT)
        assert synthesis.returncode == 0, synthesis.stderr
        template = json.loads((OUTPUT / "BlueGreen-shop.template.json").read_text())
        assets = json.loads((OUTPUT / "BlueGreen-shop.assets.json").read_text())["files"].values()
        folders = [OUTPUT / each["source"]["path"] for each in assets if each["source"]["packaging"] == "zip"]
        ((asset,), (layer,)) = (
            [each for each in folders if (each / "handlers").is_dir() is ours] for ours in (True, False)
        )
    return Assembly(template, asset, layer)


@pytest.fixture(scope="session")
def block() -> dict[str, Any]:
    """The example block of cdk.json."""
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    found: dict[str, Any] = context["clusters"]["shop"]
    return found


@pytest.fixture(scope="session")
def definitions() -> dict[str, dict[str, Any]]:
    """The state machines' definitions, with their placeholders, by the name of the deployed machine."""
    files = {"": "release", "-recovery": "recovery", "-decommission": "decommission"}
    return {
        f"bluegreen-shop{suffix}": json.loads((ROOT / "statemachine" / f"{file}.asl.json").read_text())
        for suffix, file in files.items()
    }
