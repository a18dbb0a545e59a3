"""A command whose processes all end before whoever started it goes on, or with it.

`cdk` is a grandchild: npx is started, which starts it. A signal that is sent to one process, as pipelines do when their
time is over, would leave `cdk` at work. So the command leads a session of its own, and the signal goes to all of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

POLL_S = 0.1

ENDS_WITHIN_S = 10.0
"""How long the processes have after SIGTERM; then comes SIGKILL."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the end of a pipeline's time, and a terminal that is closed."""

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def handled(by: Handler | signal.Handlers, numbers: Sequence[signal.Signals] = ENDING) -> Iterator[None]:
    """Has signals handled, in the main thread. Those that are ignored, as under nohup, stay so."""
    before = {number: signal.getsignal(number) for number in numbers}
    heeded = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in heeded:
            signal.signal(number, by)
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def leave(number: int, _: FrameType | None = None) -> NoReturn:
    """Raises SystemExit with the status that shells give, so that what is open is closed on the way."""
    raise SystemExit(128 + number)


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], is_unwanted: Callable[[], bool]) -> int:
    """Runs the command until it ends, is no longer wanted or a signal says so, and returns its exit status.

    None of its processes is there any more when this returns or raises SystemExit, which it does after a signal.

    A session of its own has no controlling terminal, so that Ctrl-C reaches the command only by way of this process. It
    reads the terminal all the same, if standard input is one: job control stops readers of the terminal's session only.
    Ctrl-Z is ignored, since it would stop this process alone.
    """
    signals: list[int] = []
    with handled(lambda number, _: signals.append(number)), handled(signal.SIG_IGN, [signal.SIGTSTP]):
        process = subprocess.Popen(command, cwd=cwd, env=env, start_new_session=True)
        try:
            with _ended_with_us(process.pid):
                while process.poll() is None and not signals and not is_unwanted():
                    try:
                        process.wait(POLL_S)
                    except subprocess.TimeoutExpired:
                        continue
        finally:
            _end(process)
    if signals:
        leave(signals[0])
    return process.wait()


@contextmanager
def _ended_with_us(group: int) -> Iterator[None]:
    """Kills the group when this process is killed: the pipe is at its end then, however that came about."""
    command = ["/bin/sh", "-c", 'read -r _; kill -s KILL -- "-$1"', "sh", str(group)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as watching:
        try:
            yield
        finally:
            watching.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole group, whether or not its leader is still there."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + ENDS_WITHIN_S
        there = _send(process, number)
        while there and time.monotonic() < deadline:
            time.sleep(POLL_S / 4)
            there = _send(process, 0)
        if not there:
            return


def _send(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether there was anybody to send it to; 0 only asks. A leader that has ended is reaped, or would count."""
    process.poll()
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of processes that have ended
        return False
    return True
