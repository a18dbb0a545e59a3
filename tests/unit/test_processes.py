"""What is started ends before whoever started it goes on, whatever ends it, against real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks import processes
from tests.waiting import eventually

LOOP = "echo $$ > pid.new; mv pid.new pid; while :; do sleep 0.05; done"
GRANDCHILD = f"trap : TERM; sh -c 'trap \"exit 9\" TERM; {LOOP}' & wait; wait"
"""It is a process of its own, as `cdk` is to npx, which waits for it."""

STUBBORN = GRANDCHILD.replace('"exit 9"', '""')


def run(script: str, folder: Path, is_unwanted: Callable[[], bool] = lambda: False) -> int:
    return processes.run(["/bin/sh", "-c", script], folder, os.environ, is_unwanted)


def is_gone(folder: Path) -> bool:
    """A zombie, which nobody may have waited for, does nothing any more."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", (folder / "pid").read_text().strip()], capture_output=True)
    return said.stdout.strip()[:1] in (b"", b"Z")


@pytest.mark.parametrize("number", processes.ENDING)
def test_a_signal_to_this_process_alone_ends_what_the_command_has_started_before_anything_else(
    tmp_path: Path, number: signal.Signals
) -> None:
    def send() -> bool:
        if (tmp_path / "pid").exists():
            os.kill(os.getpid(), number)
        return False

    with pytest.raises(SystemExit) as left:
        run(GRANDCHILD, tmp_path, send)
    assert left.value.code == 128 + number
    assert is_gone(tmp_path)


def test_what_does_not_heed_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "ENDS_WITHIN_S", 0.5)
    run(STUBBORN, tmp_path, (tmp_path / "pid").exists)
    assert is_gone(tmp_path)


def test_what_is_not_wanted_any_more_is_ended(tmp_path: Path) -> None:
    run(GRANDCHILD, tmp_path, (tmp_path / "pid").exists)
    assert is_gone(tmp_path)


def test_what_a_command_leaves_behind_ends_with_it_and_its_status_is_kept(tmp_path: Path) -> None:
    leaving = GRANDCHILD.replace("& wait; wait", "& while ! test -e pid; do sleep 0.01; done; exit 5")
    assert run(leaving, tmp_path) == 5
    assert is_gone(tmp_path)


def test_signals_mean_what_they_did_afterwards(tmp_path: Path) -> None:
    numbers = [*processes.ENDING, signal.SIGTSTP]
    before = [signal.getsignal(number) for number in numbers]
    assert run("exit 0", tmp_path) == 0
    assert [signal.getsignal(number) for number in numbers] == before


CALLER = """
import os, sys
from pathlib import Path
from stacks import processes
sys.exit(processes.run(["/bin/sh", "-c", sys.argv[1]], Path(sys.argv[2]), os.environ, lambda: False))
"""


def test_it_ends_with_this_process_when_that_is_killed(tmp_path: Path) -> None:
    caller = subprocess.Popen([sys.executable, "-c", CALLER, STUBBORN, str(tmp_path)])
    eventually((tmp_path / "pid").exists)
    caller.kill()
    caller.wait()
    eventually(lambda: is_gone(tmp_path))


def test_a_command_can_ask_at_the_terminal(tmp_path: Path) -> None:
    """As `cdk` does before it widens permissions."""
    at_a_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    asking = 'test -t 0 && printf "sure? " && read -r answer && echo "it was $answer"'
    command = [sys.executable, "-c", at_a_terminal, sys.executable, "-c", CALLER, asking, str(tmp_path)]
    done = subprocess.run(command, input=b"indeed\n", capture_output=True, timeout=60)
    assert b"it was indeed" in done.stdout
    assert done.returncode == 0
