"""Other programs that compare tables, each installed on its own; one that cannot be is left out, and that is said."""

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
    status: int


def from_pypi(package: str) -> Callable[[], Path | None]:
    """Installs into a virtual environment of its own."""

    def install() -> Path | None:
        place = (FOLDER / package).absolute()
        program = place / "bin" / package
        if program.exists():
            return program
        pip = [place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        # data-diff imports distutils and pkg_resources, which newer Pythons and setuptools lack
        commands = [[sys.executable, "-m", "venv", place], [*pip, f"{package}[postgresql]", "setuptools<80"]]
        if any(subprocess.run(command, check=False, capture_output=True).returncode for command in commands):
            shutil.rmtree(place, ignore_errors=True)
        return program if program.exists() else None

    return install


def from_debian(package: str, program: str) -> Callable[[], Path | None]:
    """Unpacks a package of Debian below the build folder, without installing it."""

    def install() -> Path | None:
        if found := shutil.which(program):
            return Path(found)
        place = (FOLDER / package).absolute()
        unpacked = place / "usr" / "bin" / program
        if not unpacked.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["apt-get", "download", package], cwd=place, check=False, capture_output=True)
            for file in place.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", file, place], check=False, capture_output=True)
        return unpacked if unpacked.exists() else None

    return install


def _uri(dsn: Dsn) -> str:
    return f"postgresql://{dsn.user}:{dsn.password}@{dsn.host}:{dsn.port}/{dsn.database}"


def _diff(program: Path, blue: Dsn, green: Dsn, table: str) -> list[str | Path]:
    columns = [part for column in ("bid", "abalance", "filler") for part in ("-c", column)]
    ends = [_uri(blue), table, _uri(green), table]
    return [program, *ends, "-k", "aid", *columns, "--threads", "2", "--no-tracking"]


def _reladiff(program: Path, blue: Dsn, green: Dsn, table: str) -> list[str | Path]:
    return [part for part in _diff(program, blue, green, table) if part != "--no-tracking"]


def _comparator(program: Path, blue: Dsn, green: Dsn, table: str) -> list[str | Path]:
    columns = f"{table}?aid:bid,abalance,filler"
    ends = [_uri(dsn).replace("postgresql://", "pgsql://") + f"/{columns}" for dsn in (blue, green)]
    return [program, "--checksum-function=md5", "--aggregate=sum", "--threads", *ends]


PEERS = (
    Peer("pg_comparator", from_debian("postgresql-comparator", "pg_comparator"), _comparator),
    Peer("reladiff", from_pypi("reladiff"), _reladiff),
    Peer("data-diff", from_pypi("data-diff"), _diff),
)


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
    keys = re.findall(r"(?:^[+-] \(?|^(?:UPDATE|INSERT|DELETE) )'?(\d+)", printed, re.MULTILINE)
    if done.returncode not in range(4) or (done.returncode and not keys):
        raise RuntimeError(f"{peer.name} ended with {done.returncode}: {printed[-400:]}")
    return PeerRun(seconds, frozenset(map(int, keys)), done.returncode)
