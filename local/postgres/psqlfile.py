"""Loads a file in psql's syntax: dumps have backslash commands and COPY data that only psql reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from local.postgres.binaries import find_binaries
from local.postgres.servers import Server


class LoadError(Exception):
    """psql refused the file; the message is psql's, with file and line."""


def load(server: Server, database: str, path: Path, user: str = "rdsadmin", password: str | None = None) -> None:
    """Run a file, all of it or nothing, with the psql that belongs to the server's version.

    As `rdsadmin` by the local socket, as anybody else with a password over TCP.
    """
    psql = find_binaries(server.version) / "psql"
    if not psql.exists():
        raise LoadError(f"{psql} not found (Debian: apt install postgresql-client-{server.version})")
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}"]
    host = server.sockets if password is None else server.address
    place = [f"--host={host}", f"--port={server.port}", f"--username={user}", f"--dbname={database}"]
    done = subprocess.run(
        [psql, *options, *place, f"--file={path}"],
        # not PGOPTIONS and such of the user
        env={"PATH": os.defpath, "PGCLIENTENCODING": "UTF8", **({"PGPASSWORD": password} if password else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LoadError(f"{path} cannot be loaded into database {database}: {done.stderr.strip()}")
