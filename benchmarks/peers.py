"""Other programs that compare tables, each in an environment of its own; what cannot be installed is left out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.dsn import Dsn

FOLDER = Path("build/peers")
TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True)
class Peer:
    """A program, and the command that compares one table by its key `aid`."""

    name: str
    install: Callable[[], Path | None]
    command: Callable[[Path, Dsn, Dsn, str], Sequence[str | Path]]


@dataclass(frozen=True, slots=True)
class PeerRun:
    """How long a peer took, and which keys it named."""

    seconds: float
    keys: frozenset[int]


def from_pypi(package: str, *also: str) -> Callable[[], Path | None]:
    """Installs into a virtual environment of its own, with what the package forgot to pin."""

    def install() -> Path | None:
        place = (FOLDER / package).absolute()
        program = place / "bin" / package
        if program.exists():
            return program
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        commands = [[sys.executable, "-m", "venv", str(place)], [*pip, f"{package}[postgresql]", *also]]
        if any(subprocess.run(command, check=False, capture_output=True).returncode for command in commands):
            shutil.rmtree(place, ignore_errors=True)
        return program if program.exists() else None

    return install


def _uri(dsn: Dsn) -> str:
    return f"postgresql://{dsn.user}:{dsn.password}@{dsn.host}:{dsn.port}/{dsn.database}"


def _diff(program: Path, blue: Dsn, green: Dsn, table: str) -> list[str | Path]:
    columns = [part for column in ("bid", "abalance", "filler") for part in ("-c", column)]
    ends = [_uri(blue), table, _uri(green), table]
    return [program, *ends, "-k", "aid", *columns, "--threads", "2", "--no-tracking"]


def _reladiff(program: Path, blue: Dsn, green: Dsn, table: str) -> list[str | Path]:
    return [part for part in _diff(program, blue, green, table) if part != "--no-tracking"]


PEERS = (
    Peer("reladiff", from_pypi("reladiff"), _reladiff),
    Peer("data-diff", from_pypi("data-diff", "setuptools<80", "dbt-core<1.9", "pydantic<2"), _diff),
)
LEFT_OUT = {
    "pg_comparator": "its functions for the server come for Debian's PostgreSQL only",
    "pgcopydb": "compare data came with 0.15, Debian has 0.10",
}


def run(peer: Peer, program: Path, blue: Dsn, green: Dsn, table: str) -> PeerRun:
    """One comparison. What it printed is searched for keys of rows."""
    began = time.perf_counter()
    done = subprocess.run(
        peer.command(program, blue, green, table),
        text=True,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
        env={"PATH": os.defpath, "HOME": str(FOLDER.absolute()), "LC_ALL": "C.UTF-8"},
    )
    seconds = time.perf_counter() - began
    printed = done.stdout + done.stderr
    keys = re.findall(r"^[+-] (\d+)", printed, re.MULTILINE)
    if done.returncode not in (0, 1) or "Error" in printed:
        raise RuntimeError(f"{peer.name} ended with {done.returncode}: {printed[-400:]}")
    return PeerRun(seconds, frozenset(map(int, keys)))
