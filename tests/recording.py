"""What the emulators of a test run have asked for and been refused, collected over all of its processes.

Every run fails when a function has asked for what its role does not allow. A run with all end-to-end tests leaves its
record in build/permissions and tells what nobody needed; `make permissions` prints it, and fails when there is any.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from local.aws.emulator import KEPT_IN
from local.permissions import RECORDS, Matrix

E2E = Path(__file__).parent / "e2e"


class Recording:
    """A plugin of pytest for the process that leads; those of pytest-xdist find the folder in their environment."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = RECORDS.with_name(f"permissions-{os.getpid()}")
        self._passed: set[str] = set()
        self._complaints: list[str] = []
        os.environ[KEPT_IN] = str(self._folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the module of each test that passed."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid.partition("::")[0])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails the run when a permission is missing; what is not needed is told after a whole one."""
        os.environ.pop(KEPT_IN, None)
        if not self._folder.is_dir():
            return
        matrix = Matrix.read(self._folder)
        whole = self._is_whole() and session.testsfailed == 0
        missing = matrix.missing()
        self._complaints = matrix.complaints() if whole else list(map(str, missing))
        if whole:
            shutil.rmtree(RECORDS, ignore_errors=True)
            self._folder.rename(RECORDS)
        else:
            shutil.rmtree(self._folder)
        if missing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says what is wrong."""
        if self._complaints:
            terminalreporter.section("permissions")
            terminalreporter.write_line("\n".join(self._complaints))

    def _is_whole(self) -> bool:
        """Whether every module of end-to-end tests ran, and no choice of tests was made."""
        modules = {path.relative_to(self._config.rootpath).as_posix() for path in E2E.glob("test_*.py")}
        options = self._config.option
        chosen = options.keyword or options.markexpr or any("::" in each for each in self._config.args)
        return not chosen and modules <= self._passed
