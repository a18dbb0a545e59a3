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
    parser.addoption("--validators", action="store_true", help="the templates against cfn-lint and cdk-nag as well")
    parser.addoption("--renew", action="store_true", help="write the templates' snapshots in the place of comparing")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What `make templates` runs takes longer than the tests of the stack, and finds less often something."""
    return True if collection_path.name == "validators" and not config.option.validators else None


@pytest.fixture(scope="session", autouse=True)
def _servers_in_memory() -> None:
    """Servers of tests live in memory where there is room: on a disk, making them takes three times as long."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        tempfile.tempdir = str(MEMORY)
