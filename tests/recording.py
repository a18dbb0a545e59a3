"""What the emulators of a test run have asked for and been refused, collected over all of its processes.

Every run fails when a function has asked for what its role does not allow. A run with all end-to-end tests, a whole
one, fails as well when a role allows what nobody needed, or something is excused for nothing; it leaves its record in
build/permissions, which `make permissions` prints.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from local.aws.emulator import KEPT_IN
from local.permissions import OF_SOURCES, RECORDS, Matrix
from local.sources import fingerprint

E2E = Path(__file__).parent / "e2e"


class Recording:
    """A plugin of pytest for the process that leads; those of pytest-xdist find the folder in their environment."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = RECORDS.with_name(f"permissions-{os.getpid()}")
        self._passed: set[str] = set()
        self._skipped: set[str] = set()
        self._sources = fingerprint()  # as they are when the run begins
        self._complaints: list[str] = []
        os.environ[KEPT_IN] = str(self._folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the module of each test that passed, or was left out."""
        module = report.nodeid.partition("::")[0]
        if report.skipped:
            self._skipped.add(module)
        elif report.when == "call" and report.passed:
            self._passed.add(module)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails the run when a permission is missing, and a whole one when anything is wrong."""
        os.environ.pop(KEPT_IN, None)
        if not self._folder.is_dir():
            return
        matrix = Matrix.read(self._folder)
        whole = self._is_whole() and session.testsfailed == 0
        self._complaints = matrix.complaints() if whole else list(map(str, matrix.missing()))
        if whole:
            (self._folder / OF_SOURCES).write_text(self._sources)
            shutil.rmtree(RECORDS, ignore_errors=True)
            self._folder.rename(RECORDS)
        else:
            shutil.rmtree(self._folder)
        if self._complaints and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Says what is wrong."""
        if self._complaints:
            terminalreporter.section("permissions")
            terminalreporter.write_line("\n".join(self._complaints))

    def _is_whole(self) -> bool:
        """Whether every module of end-to-end tests ran, and no test of them was left out."""
        modules = {path.relative_to(self._config.rootpath).as_posix() for path in E2E.glob("test_*.py")}
        options = self._config.option
        chosen = options.keyword or options.markexpr or options.deselect or options.lf
        one_by_one = any("::" in each for each in self._config.args)
        return not (chosen or one_by_one or modules & self._skipped) and modules <= self._passed
