"""A real pg_upgrade of an embedded server, which stays what it was when it fails."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from local.postgres.binaries import ServerError, blank, copy_data, grants_since, run_program, usable_binaries
from local.postgres.servers import DEFAULTS, Server


def upgrade(server: Server, version: int, parameters: Mapping[str, str]) -> None:
    """Bring a server to a newer major version; it runs afterwards, with these parameters.

    What pg_upgrade says is in the error, with the lists that it makes of what is in its way; then the server runs again
    as it was. Files are copied, not linked, so that this is so whenever it fails, as RDS goes back to its snapshot.
    """
    made = server.folder / "upgraded"
    server.stop()
    try:
        copy_data(blank(version), made)
        arguments = {
            "--old-bindir": usable_binaries(server.version),
            "--new-bindir": usable_binaries(version),
            "--old-datadir": server.data,
            "--new-datadir": made,
            "--socketdir": server.sockets,
            "--username": "rdsadmin",
        }
        flat = [str(part) for pair in arguments.items() for part in pair]
        try:
            run_program(version, "pg_upgrade", *flat, "--no-sync", cwd=server.folder)
        except ServerError as error:
            raise ServerError("\n".join([str(error), *_lists(made)])) from None
        shutil.rmtree(server.data)
        made.rename(server.data)
        server.version, server.parameters = version, {**DEFAULTS, **parameters}
    finally:
        shutil.rmtree(made, ignore_errors=True)
        server.start()
    server.execute("template1", grants_since(version))


def _lists(made: Path) -> list[str]:
    """Tables, extensions and so on that a check has found."""
    return [path.read_text(errors="replace") for path in sorted((made / "pg_upgrade_output.d").rglob("*.txt"))]
