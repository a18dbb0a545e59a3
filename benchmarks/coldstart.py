"""How long the import of each handler takes in a fresh process, and how much each function carries.

From the packaged asset, as it is deployed, with boto3 from the virtual environment in place of the Lambda runtime's.
The asset has no bytecode (it would be that of this machine's Python and not of Lambda's), so our own modules are
compiled each time, as in a cold start: that is held against the aim. With bytecode is measured beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.aws.deploy import Assembly, synthesize, zip_folder

AIM_S = 0.35
SIZE_AIM_BYTES = 5_000_000

_MEASURED = """
import time
began, used = time.perf_counter(), time.process_time()
import {module}
print(time.perf_counter() - began, time.process_time() - used)
"""
_SETTINGS = {"CLUSTER_NAME": "shop", "POWERTOOLS_SERVICE_NAME": "bluegreen", "AWS_REGION": "eu-west-2"}


@dataclass(frozen=True, slots=True)
class Import:
    """The medians of a handler's imports, in seconds."""

    module: str
    compiling_s: float
    processor_s: float
    """Of that: an import waits for little, so the rest is what else the machine was busy with."""
    compiled_s: float


def measure(assembly: Assembly, runs: int) -> Iterator[Import]:
    """Each handler, so many times without and so many times with bytecode, which lies in a folder of its own."""
    (asset, *_) = assets(assembly)
    with tempfile.TemporaryDirectory() as bytecode:
        for path in sorted((asset / "handlers").glob("*.py")):
            if path.stem not in ("__init__", "entry"):
                _import(asset, path.stem, {"PYTHONPYCACHEPREFIX": bytecode})
                compiling = [_import(asset, path.stem, {"PYTHONDONTWRITEBYTECODE": "1"}) for _ in range(runs)]
                compiled = [_import(asset, path.stem, {"PYTHONPYCACHEPREFIX": bytecode}) for _ in range(runs)]
                took, used = (statistics.median(each) for each in zip(*compiling, strict=True))
                yield Import(path.stem, took, used, statistics.median(each for each, _ in compiled))


def assets(assembly: Assembly) -> list[Path]:
    """The folders of the functions' asset and of the layer with the parser; others may lie beside them."""
    manifests = [assembly.folder / each["file"] for each in assembly.artifacts("cdk:asset-manifest")]
    files = [file["source"] for path in manifests for file in json.loads(path.read_text())["files"].values()]
    folders = [assembly.folder / source["path"] for source in files if source["packaging"] == "zip"]
    return sorted(folders, key=lambda folder: not (folder / "handlers").is_dir())


def zipped_bytes(folder: Path) -> int:
    """How large a folder is as it is uploaded."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "asset.zip"
        zip_folder(folder, target)
        return target.stat().st_size


def packaged() -> Assembly:
    """The application as its example configures it."""
    return synthesize({})


def _import(asset: Path, name: str, more: dict[str, str]) -> tuple[float, float]:
    """How long it took, and the processor time of it, in seconds."""
    without = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED.format(module=f"handlers.{name}")],
        cwd=asset,
        env={**without, **_SETTINGS, "PYTHONPATH": str(asset), **more},
        capture_output=True,
        text=True,
        check=True,
    )
    took, used = map(float, ended.stdout.split())
    return took, used
