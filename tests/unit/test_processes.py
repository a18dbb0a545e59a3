"""What is started ends before whoever started it goes on, whatever ends it, against real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stacks import processes
from tests.waiting import eventually

LOOP = "exec 3> alive; echo > ready; while :; do sleep 0.05; done"
GRANDCHILD = f"trap : TERM; sh -c 'trap \"exit 9\" TERM; {LOOP}' & wait; wait"
"""It is a process of its own, as `cdk` is to npx, which waits for it."""

STUBBORN = GRANDCHILD.replace('"exit 9"', '""')


def run(script: str, folder: Path, is_unwanted: Callable[[], bool] = lambda: False) -> int:
    return processes.run(["/bin/sh", "-c", script], folder, os.environ, is_unwanted)


class Folder:
    """Where processes say that they are there, by a pipe that all of them hold open for as long as they live."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path / "alive")
        self.alive = os.open(path / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def is_ready(self) -> bool:
        return (self.path / "ready").exists()

    def is_gone(self) -> bool:
        try:
            return self.is_ready() and os.read(self.alive, 1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path)
    yield made
    os.close(made.alive)


@pytest.mark.parametrize("number", processes.ENDING)
def test_a_signal_to_this_process_alone_ends_what_the_command_has_started_before_anything_else(
    folder: Folder, number: signal.Signals
) -> None:
    def send() -> bool:
        if folder.is_ready():
            os.kill(os.getpid(), number)
        return False

    with pytest.raises(SystemExit) as left:
        run(GRANDCHILD, folder.path, send)
    assert left.value.code == 128 + number
    assert folder.is_gone()


def test_what_does_not_heed_the_signal_is_killed(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ENDS_WITHIN_S", 0.5)
    run(STUBBORN, folder.path, folder.is_ready)
    eventually(folder.is_gone)


def test_what_is_not_wanted_any_more_is_ended(folder: Folder) -> None:
    run(GRANDCHILD, folder.path, folder.is_ready)
    assert folder.is_gone()


def test_what_a_command_leaves_behind_ends_with_it_and_its_status_is_kept(folder: Folder) -> None:
    leaving = GRANDCHILD.replace("& wait; wait", "& while ! test -e ready; do sleep 0.01; done; exit 5")
    assert run(leaving, folder.path) == 5
    assert folder.is_gone()


def test_signals_mean_what_they_did_afterwards(folder: Folder) -> None:
    numbers = [*processes.ENDING, signal.SIGTSTP]
    before = [signal.getsignal(number) for number in numbers]
    assert run("exit 0", folder.path) == 0
    assert [signal.getsignal(number) for number in numbers] == before


CALLER = """
import os, sys
from pathlib import Path
from stacks import processes
sys.exit(processes.run(["/bin/sh", "-c", sys.argv[1]], Path(sys.argv[2]), os.environ, lambda: False))
"""


def test_it_ends_with_this_process_when_that_is_killed(folder: Folder) -> None:
    caller = subprocess.Popen([sys.executable, "-c", CALLER, STUBBORN, str(folder.path)])
    eventually(folder.is_ready)
    caller.kill()
    caller.wait()
    eventually(folder.is_gone)


def test_a_command_can_ask_at_the_terminal(folder: Folder) -> None:
    """As `cdk` does before it widens permissions."""
    at_a_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    asking = 'test -t 0 && printf "sure? " && read -r answer && echo "it was $answer"'
    command = [sys.executable, "-c", at_a_terminal, sys.executable, "-c", CALLER, asking, str(folder.path)]
    done = subprocess.run(command, input=b"indeed\n", capture_output=True, timeout=60)
    assert b"it was indeed" in done.stdout
    assert done.returncode == 0
