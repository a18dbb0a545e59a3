"""From the CDK application to a deployed stack: what `cdk deploy` does, with the emulator in AWS's place."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from local.aws.emulator import ACCOUNT, Emulator
from local.host import LocalError
from local.sources import ROOT, fingerprint

BUILD = ROOT / "build"
CLUSTER = "shop"

Progress = Callable[[str], None]


class DeployError(LocalError):
    """The application could not be synthesized or deployed; the message holds what was said about it."""


@dataclass(frozen=True)
class Assembly:
    """A cloud assembly: the folder that a synthesis wrote, and the configuration it was made with."""

    folder: Path
    config: Mapping[str, Any]

    def artifacts(self, kind: str) -> list[dict[str, Any]]:
        """The properties of the manifest's artifacts of a type."""
        manifest = json.loads((self.folder / "manifest.json").read_text())
        return [
            artifact["properties"] | {"name": name}
            for name, artifact in manifest["artifacts"].items()
            if artifact["type"] == kind
        ]


@dataclass(frozen=True)
class Stack:
    """A deployed stack: the block of cdk.json that it was made from, and its outputs."""

    name: str
    config: Mapping[str, Any]
    outputs: Mapping[str, str]


def synthesize(overrides: Mapping[str, Any], progress: Progress = lambda _: None) -> Assembly:
    """Run app.py with the example block of cdk.json, changed by `overrides`; DeployError with what it said if it fails.

    Takes seconds, so what was made from the same sources and settings before is used again. All syntheses share a
    folder of output, in which the functions' asset is put together once for all settings.
    """
    example = json.loads((ROOT / "cdk.json").read_text())["context"]["clusters"][CLUSTER]
    config = {**example, **overrides}
    folder = BUILD / "assemblies" / fingerprint(json.dumps(config, sort_keys=True))
    with _one_at_a_time():
        if not folder.exists():
            progress("synthesizing the stack")
            output = BUILD / "synthesis"
            _run_app(config, output)
            _keep(output, folder)
    return Assembly(folder, config)


def deploy(emulator: Emulator, assembly: Assembly, progress: Progress = lambda _: None) -> Stack:
    """Upload the assets and create the stack in the network that its configuration names, or raise DeployError."""
    config = assembly.config
    if config["region"] != emulator.region:
        raise DeployError(f"the configuration is for {config['region']}, the emulator is in {emulator.region}")
    _prepare_account(emulator, config)
    for manifest in assembly.artifacts("cdk:asset-manifest"):
        progress("uploading the functions")
        _upload(emulator, assembly.folder, json.loads((assembly.folder / manifest["file"]).read_text())["files"])
    stacks = assembly.artifacts("aws:cloudformation:stack")
    (stack,) = (each for each in stacks if each["name"] == f"BlueGreen-{CLUSTER}")  # the other is for another account
    progress("creating the resources")
    name = stack.get("stackName", stack["name"])
    return Stack(name, config, _create_stack(emulator, name, (assembly.folder / stack["templateFile"]).read_text()))


def records_of(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """The records that a release moves, as `more_records` has them, the writer record first."""
    writer = {"zone_id": config["hosted_zone_id"], "name": config["writer_record"], "endpoint": "writer"}
    return [{"type": "CNAME", **record} for record in (writer, *config["more_records"])]


def zip_folder(folder: Path, target: Path) -> None:
    """The same bytes for the same content: names sorted, no times, no byte code."""
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    partial.replace(target)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests and a demo may synthesize at the same time."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "synthesis.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_app(config: Mapping[str, Any], output: Path) -> None:
    context = json.dumps({"clusters": {CLUSTER: config}, "local": True})
    ended = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": context, "CDK_OUTDIR": str(output)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise DeployError(f"app.py failed:\n{ended.stderr.strip()}")


def _keep(output: Path, folder: Path) -> None:
    """The assembly's own files, and links to the assets that it shares with others."""
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in output.iterdir():
        if path.is_dir():
            (partial / path.name).symlink_to(path)
        else:
            shutil.copyfile(path, partial / path.name)
    partial.rename(folder)


def _prepare_account(emulator: Emulator, config: Mapping[str, Any]) -> None:
    """What is there before the application: a bootstrapped account, the network, the zones of the records."""
    # The version that the template asks for is that of `cdk bootstrap`.
    emulator.client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String", Overwrite=True
    )
    subnets = dict(zip(config["subnet_ids"], config["availability_zones"], strict=True))
    emulator.create_network(config["vpc_id"], subnets, config["database_security_group_id"])
    zones = {record["zone_id"]: record["name"].partition(".")[2] for record in records_of(config)}
    for zone_id, name in zones.items():
        emulator.create_hosted_zone(zone_id, name, config["vpc_id"])


def _upload(emulator: Emulator, folder: Path, files: Mapping[str, Any]) -> None:
    s3 = emulator.client("s3")
    for asset_hash, asset in files.items():
        path = folder / asset["source"]["path"]
        if asset["source"]["packaging"] == "zip":
            archive = BUILD / f"{asset_hash}.zip"
            with _one_at_a_time():
                if not archive.exists():
                    zip_folder(path, archive)
            path = archive
        for destination in asset["destinations"].values():
            bucket = destination["bucketName"]
            for placeholder, value in {"${AWS::AccountId}": ACCOUNT, "${AWS::Region}": emulator.region}.items():
                bucket = bucket.replace(placeholder, value)
            _make_bucket(s3, bucket, emulator.region)
            s3.put_object(Bucket=bucket, Key=destination["objectKey"], Body=path.read_bytes())


def _make_bucket(s3: Any, bucket: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **where)


def _create_stack(emulator: Emulator, name: str, template: str) -> dict[str, str]:
    """The stack's outputs, by their names."""
    cloudformation = emulator.client("cloudformation")
    try:
        cloudformation.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"])
    except (ClientError, ResponseParserError) as error:  # moto says some things in another service's format
        raise DeployError(f"{name}: {error}") from error
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeployError(f"{name}: {stack['StackStatus']} {stack.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
