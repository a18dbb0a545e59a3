"""What all tests share."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.matrix import pytest_terminal_summary as pytest_terminal_summary
from tests.recording import Recording

ROOM_BYTES = 4 << 30
MEMORY = Path("/dev/shm")  # noqa: S108 - only looked at here; folders below it are made by mkdtemp


def pytest_configure(config: pytest.Config) -> None:
    """The process that leads collects what functions called, and what their roles allow."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recording(config))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make faults` runs every fault in every state, `make test` a choice of them."""
    parser.addoption("--whole", action="store_true", help="every fault in every state (half an hour)")


@pytest.fixture(scope="session", autouse=True)
def _servers_in_memory() -> None:
    """Servers of tests live in memory where there is room: on a disk, making them takes three times as long."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        tempfile.tempdir = str(MEMORY)
