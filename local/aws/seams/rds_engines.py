"""What RDS answers about engines: the versions that are here, their parameters, and what an upgrade has written.

moto knows no versions, and of a parameter group only what was put into it.
"""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from local.aws.seams.rds_records import ENGINE
from local.postgres.binaries import ServerError, find_binaries, full_version

_MAJORS = (15, 16, 18)

_STATIC = "postmaster"
"""The context of a parameter that a server takes only when it starts (pg_settings)."""

_KEPT_BY_RDS = frozenset(
    {"data_directory", "fsync", "full_page_writes", "hba_file", "listen_addresses", "port", "wal_level"}
)
_OF_RDS = {"rds.logical_replication": "static", "rds.force_ssl": "dynamic", "rds.log_retention_period": "dynamic"}

LOGS: dict[str, str] = {}
"""By cluster: what its last upgrade that failed has written."""


def major(version: str) -> int:
    """
    >>> major("16.14")
    16
    """
    return int(version.split(".")[0])


@cache
def versions() -> dict[int, str]:
    """The versions that this machine can run."""
    found = {}
    for each in _MAJORS:
        try:
            find_binaries(each)
        except ServerError:
            continue
        found[each] = full_version(each)
    return found


def targets(version: str) -> list[str]:
    """What a version can be upgraded to."""
    own = _ordered(version)
    return [each for each in versions().values() if _ordered(each) > own]


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@cache
def parameters(of: int) -> list[dict[str, Any]]:
    """All parameters that a version knows, as its own program describes them, and some of Aurora's."""
    command = [str(find_binaries(of) / "postgres"), "--describe-config"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    known = {name: context for name, context, *_ in (line.split("\t") for line in lines)}
    types = {name: "static" if context == _STATIC else "dynamic" for name, context in known.items()} | _OF_RDS
    return [
        {
            "ParameterName": name,
            "ApplyType": types[name],
            "IsModifiable": name not in _KEPT_BY_RDS,
            "Source": "engine-default",
        }
        for name in sorted(types)
    ]


def describe_db_engine_versions(self: RDSResponse) -> ActionResult:
    """The versions that are here, or the one that is asked for."""
    asked = self.params.get("EngineVersion")
    return ActionResult(
        {"DBEngineVersions": [_described(each) for each in ([asked] if asked else versions().values())]}
    )


def _described(version: str) -> dict[str, Any]:
    return {
        "Engine": ENGINE,
        "EngineVersion": version,
        "MajorEngineVersion": str(major(version)),
        "DBParameterGroupFamily": f"{ENGINE}{major(version)}",
        "ValidUpgradeTarget": [
            {"Engine": ENGINE, "EngineVersion": each, "IsMajorVersionUpgrade": major(each) > major(version)}
            for each in targets(version)
        ],
    }


def _defaults(self: RDSResponse) -> ActionResult:
    family = self.params["DBParameterGroupFamily"]
    found = parameters(int(family.removeprefix(ENGINE)))
    return ActionResult({"EngineDefaults": {"DBParameterGroupFamily": family, "Parameters": found}})


def describe_engine_default_cluster_parameters(self: RDSResponse) -> ActionResult:
    """All parameters of a family."""
    return _defaults(self)


def describe_engine_default_parameters(self: RDSResponse) -> ActionResult:
    """The same: embedded servers have no instance of their own."""
    return _defaults(self)


def _log(self: RDSResponse) -> str:
    [instance] = self.backend.describe_db_instances(self.params["DBInstanceIdentifier"])
    return LOGS.get(str(instance.db_cluster_identifier), "")


def describe_db_log_files(self: RDSResponse) -> ActionResult:
    """The log of an upgrade that failed."""
    text = _log(self)
    files = [{"LogFileName": "error/pg_upgrade_precheck.log", "LastWritten": 1, "Size": len(text)}] if text else []
    return ActionResult({"DescribeDBLogFiles": files})


def download_db_log_file_portion(self: RDSResponse) -> ActionResult:
    """Its text."""
    return ActionResult({"LogFileData": _log(self), "Marker": "1", "AdditionalDataPending": False})


ANSWERS = (
    describe_db_engine_versions,
    describe_engine_default_cluster_parameters,
    describe_engine_default_parameters,
    describe_db_log_files,
    download_db_log_file_portion,
)
