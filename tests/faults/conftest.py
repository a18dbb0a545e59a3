"""The stage, and which cases are for whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.matrix import matrix as matrix
from tests.faults.stage import Stage


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cases that are marked `whole` are for `make faults`."""
    if not config.getoption("whole"):
        left_out = [item for item in items if item.get_closest_marker("whole")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
