"""The one asset that all functions share, and the layer of those that parse scripts, put together without Docker.

The asset holds `handlers/` and `bluegreen/` as they are in `lambdas/`, the schema of the execution input, and what
`lambdas/requirements.txt` asks for in the versions of `requirements.lock`, as wheels for the functions' platform and
not for this machine's.

The layer holds PostgreSQL's parser, which is larger than all the rest, so that the others start as fast as without it.

The root certificates of RDS ship as `bluegreen/rds-ca-bundle.pem`; the head of that file says how it is made.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stacks.config import ClusterConfig

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64

_PLATFORM = ("--platform", "manylinux2014_aarch64", "--python-version", "3.13", "--only-binary=:all:")

REQUIREMENTS, PARSER = "requirements.txt", "requirements-parser.txt"

Build = Callable[[Path, Path], None]
"""Puts something of the repository in its first argument into the folder that is the second."""


class PackagingError(Exception):
    """The functions' asset cannot be put together; the message says what is missing or what pip said."""


def functions_code(root: Path = ROOT) -> lambda_.AssetCode:
    """The asset; the CDK puts it together only when its folder of output does not hold it already."""
    return _code(root, _fingerprint(root), build)


def parser_layer(scope: Construct, config: ClusterConfig, root: Path = ROOT) -> lambda_.LayerVersion:
    """What only the functions have that take scripts of SQL apart."""
    pins = "\n".join(_pins(root, PARSER))
    return lambda_.LayerVersion(
        scope,
        "Parser",
        layer_version_name=f"bluegreen-{config.name}-parser",
        description="PostgreSQL's parser",
        code=_code(root, hashlib.sha256(f"{Path(__file__).read_text()}\0{pins}".encode()).hexdigest(), build_parser),
        compatible_architectures=[ARCHITECTURE],
        compatible_runtimes=[RUNTIME],
    )


def _code(root: Path, fingerprint: str, build: Build) -> lambda_.AssetCode:
    return lambda_.Code.from_asset(
        str(root / "lambdas"),
        asset_hash=fingerprint,
        asset_hash_type=cdk.AssetHashType.CUSTOM,
        bundling=cdk.BundlingOptions(
            image=cdk.DockerImage.from_registry("unused"),  # the CDK wants one to fall back on; build() raises instead
            local=_Bundling(root, build),
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _Bundling:
    def __init__(self, root: Path, build: Build) -> None:
        self._root = root
        self._build = build

    def try_bundle(self, output_dir: str, *_options: Any, **_more: Any) -> bool:
        self._build(self._root, Path(output_dir))
        return True


def build(root: Path, target: Path) -> None:
    """Puts the asset into the folder `target`; raises PackagingError."""
    _install(root, target, REQUIREMENTS)
    for source, name in _sources(root):
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)


def build_parser(root: Path, target: Path) -> None:
    """Puts the layer into the folder `target`; Lambda has its folder `python` in the path. Raises PackagingError."""
    _install(root, target / "python", PARSER)


def _sources(root: Path) -> Iterator[tuple[Path, str]]:
    """Our own files and the names they have in the asset, always in the same order."""
    for package in ("handlers", "bluegreen"):
        for path in sorted((root / "lambdas" / package).rglob("*")):
            if path.suffix in {".py", ".sql", ".pem"}:
                yield path, path.relative_to(root / "lambdas").as_posix()
    for name in ("release-input.schema.json", "decommission-input.schema.json"):
        yield root / "statemachine" / name, f"bluegreen/{name}"


def _install(root: Path, target: Path, requirements: str) -> None:
    arguments = (
        "--target",
        target,
        "--no-compile",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--quiet",
    )
    files = ("--requirement", root / "lambdas" / requirements, "--constraint", root / "requirements.lock")
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "install", *map(str, (*arguments, *_PLATFORM, *files))],
        capture_output=True,
        text=True,
        check=False,
    )
    if pip.returncode:
        raise PackagingError(f"pip could not install the functions' requirements:\n{pip.stderr.strip()}")
    unwanted = [target / "bin"]  # scripts that nobody can run in a function
    for pattern in ("tests", "__pycache__"):
        unwanted += target.rglob(pattern)
    for path in unwanted:
        shutil.rmtree(path, ignore_errors=True)


def _fingerprint(root: Path) -> str:
    """Changes when the asset would: the CDK names the asset by it, and functions are deployed when that changes."""
    digest = hashlib.sha256()
    for path, name in ((Path(__file__), "packaging"), *_sources(root)):
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise PackagingError(f"{path}: this file has to ship with the functions and does not exist") from error
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    digest.update("\n".join(_pins(root)).encode())
    return digest.hexdigest()


def _pins(root: Path, requirements: str = REQUIREMENTS) -> list[str]:
    """The lines of requirements.lock that the functions depend on: a new linter should not redeploy them all."""
    lock = (root / "requirements.lock").read_text().splitlines()
    pins = {canonicalize_name(Requirement(line).name): line for line in lock if "==" in line}
    asked = (root / "lambdas" / requirements).read_text().splitlines()
    pending = [Requirement(line) for line in asked if line.strip() and not line.startswith("#")]
    found: set[str] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name not in pins:
            raise PackagingError(f"requirements.lock does not pin {name}, which the functions require: `make lock`")
        found.add(pins[name])
        for line in metadata.requires(name) or ():
            further = Requirement(line)
            extras = ("", *requirement.extras)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                pending.append(further)
    return sorted(found)
