"""A server that follows another one: the storage of a secondary Region, which Aurora replicates.

It streams all of the primary's log and can be read meanwhile; promoted, it is a server of its own. It runs from the
moment that it is made, as storage does; the primary knows it by its Region.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from local.host import give_to_server_account
from local.postgres.binaries import run_program
from local.postgres.servers import Server


def follow(primary: Server, folder: Path, address: str, region: str, parameters: Mapping[str, str]) -> Server:
    """A standby of a server that runs, in another folder and at another address; it runs when this returns."""
    standby = Server(folder, primary.version, address, primary.port, {**primary.parameters, **parameters})
    standby._make_folder()
    source = ["--host", str(primary.sockets), "--port", str(primary.port), "--username=rdsadmin"]
    backup = ["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--pgdata", str(standby.data)]
    run_program(primary.version, "pg_basebackup", *source, *backup)
    signal_file = standby.data / "standby.signal"  # promotion removes it
    signal_file.touch()
    give_to_server_account(signal_file)
    standby.parameters["primary_conninfo"] = (
        f"host={primary.sockets} port={primary.port} user=rdsadmin application_name=global:{region}"
    )
    standby.follows = primary
    standby.start()
    return standby


def promote(standby: Server) -> None:
    """Let a standby stand for itself; nothing happens to a server that does."""
    if standby.follows is not None:
        standby.execute("postgres", "SELECT pg_promote()")
        standby.follows = None
        del standby.parameters["primary_conninfo"]
