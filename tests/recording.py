"""What the emulators of a test run have asked for and been refused, collected over all of its processes.

Every run fails when a function has asked for what its role does not allow. A run with all tests that let the functions
run, a whole one, fails as well when a role allows what nobody needed, or something is excused for nothing; it leaves
its record in build/permissions, which `make permissions` prints.
"""

from __future__ import annotations

import os
import shutil

import pytest

from local.aws.emulator import KEPT_IN
from local.permissions import OF_SOURCES, RECORDS, WHOLE_RUN, Matrix
from local.sources import ROOT, fingerprint


class Recording:
    """A plugin of pytest for the process that leads; those of pytest-xdist find the folder in their environment."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder = RECORDS.with_name(f"permissions-{os.getpid()}")
        self._passed: set[str] = set()
        self._sources = fingerprint()  # as they are when the run begins
        self._complaints: list[str] = []
        os.environ[KEPT_IN] = str(self._folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes the module of each test that passed."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid.partition("::")[0])

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
        """Whether every module of `WHOLE_RUN` ran, and no choice of tests was made."""
        options = self._config.option
        chosen = options.keyword or options.markexpr or options.deselect or options.lf
        one_by_one = any("::" in each for each in self._config.args)
        return not (chosen or one_by_one) and self._modules() <= self._passed

    @staticmethod
    def _modules() -> set[str]:
        folders = {path for each in WHOLE_RUN if (path := ROOT / each).is_dir()}
        modules = {*(ROOT / each for each in WHOLE_RUN), *(path for each in folders for path in each.glob("test_*.py"))}
        return {path.relative_to(ROOT).as_posix() for path in modules - folders}
