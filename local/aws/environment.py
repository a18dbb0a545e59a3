"""One execution environment of the local Lambda runtime: a process that serves one function.

What AWS answers for a function that died is what Step Functions takes as the name of the error. The names are those
recorded next to real AWS in github.com/floci-io/floci/issues/3314: `Sandbox.Timedout` for the timeout and
`Runtime.ExitError` for a process that ended. Both used to come without errorType, which Step Functions calls
`Lambda.Unknown` (its documentation, "Handle transient Lambda service exceptions", still says so): a state machine
should name all three, or States.TaskFailed, which matches any of them.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

INIT_TIMEOUT_S = 30.0
ADMINISTRATOR = "local"
"""The access key that may do everything; a function's is its name."""


@dataclass(frozen=True)
class Function:
    """A deployed function, as far as running it needs to know."""

    name: str
    arn: str
    handler: str
    timeout_s: float
    memory_mb: int
    environment: tuple[tuple[str, str], ...]
    code_sha256: str
    code: bytes = field(compare=False, repr=False)
    packages: tuple[str, ...] = ()
    """What its layers hold in their folder `python`, in the path of Lambda's Python."""


@dataclass(frozen=True)
class Answer:
    """What Invoke returns: the payload, and whether it is the function's error."""

    payload: bytes
    is_error: bool = False

    @classmethod
    def failed(cls, error_type: str, message: str) -> "Answer":
        """An error that the service reports for the function."""
        return cls(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), is_error=True)


class Template:
    """The process that an asset's environments are forked from; see `local.aws.bootstrap`."""

    def __init__(self, asset: Path, runtime: Path, log: Path, variables: dict[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        bootstrap = Path(__file__).with_name("bootstrap.py")
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(bootstrap), str(theirs.fileno()), str(runtime)]
        with theirs, log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=asset,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def fork(self, requests: int, answers: int, log: int, lifeline: int) -> None:
        """Have an environment with these descriptors; returns before it is there."""
        with suppress(BrokenPipeError, ConnectionResetError):  # a template that was killed: the pipes tell
            socket.send_fds(self._control, [b"."], [requests, answers, log, lifeline])

    def close(self) -> None:
        """End this process and all of its environments; they are gone when this returns."""
        self._control.close()
        self._process.wait()


class Environment:
    """One process of one function (Lambda's execution environment); `variables` are those that the template lacks."""

    def __init__(self, function: Function, template: Template, log: Path, variables: dict[str, str]) -> None:
        self.function = function
        self._buffer = b""
        request_read, self._requests = os.pipe()
        self._answers, answer_write = os.pipe()
        self._lifeline, theirs = socket.socketpair()
        self._initialised = False
        try:
            with theirs, log.open("ab") as output:
                template.fork(request_read, answer_write, output.fileno(), theirs.fileno())
        finally:
            os.close(request_read)
            os.close(answer_write)
        # The variables of a function, 4 KB at most, fit into the pipe before anybody reads them.
        with suppress(BrokenPipeError):
            _write(self._requests, json.dumps(variables).encode() + b"\n")

    def initialise(self) -> Answer | None:
        """Wait for the handler's import; the error if it failed, None when ready."""
        if self._initialised:
            return None
        line = self._read_line(time.monotonic() + INIT_TIMEOUT_S)
        if line is None:
            return Answer.failed("Sandbox.Timedout", f"Error: Init timed out after {INIT_TIMEOUT_S:.2f} seconds")
        if not line:
            return self._died("")
        self._initialised = True
        error = json.loads(line).get("error")
        return Answer(json.dumps(error).encode(), is_error=True) if error else None

    def invoke(self, event: bytes) -> tuple[Answer, bool]:
        """Run the handler once: the answer, and whether the process may serve again."""
        request_id = str(uuid.uuid4())
        timeout_s = self.function.timeout_s
        request = {
            "event": json.loads(event or b"{}"),
            "request_id": request_id,
            "arn": self.function.arn,
            "deadline_s": time.time() + timeout_s,
            "trace_id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        deadline = time.monotonic() + timeout_s
        try:
            _write(self._requests, json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            return self._died(request_id), False
        line = self._read_line(deadline)
        if line is None:
            return self._timed_out(request_id), False
        if not line:
            return self._died(request_id), False
        answer = json.loads(line)
        if "error" in answer:
            return Answer(json.dumps(answer["error"], ensure_ascii=False).encode(), is_error=True), True
        return Answer(answer["payload"].encode()), True

    def hang(self) -> Answer:
        """Do nothing until the timeout."""
        return self.never_answer(self.function.timeout_s)

    def never_answer(self, timeout_s: float) -> Answer:
        """Give no answer, and be reported as timed out after that many seconds."""
        return self._timed_out("") if self._exit_status(timeout_s) is None else self._died("")

    def kill(self) -> None:
        """End the process and whatever it started; any thread may, at any time."""
        with suppress(OSError):  # it ended already
            self._lifeline.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Kill, wait for the end, and give the descriptors back. Only by the thread that holds this environment."""
        self.kill()
        self._exit_status()
        self._lifeline.close()
        os.close(self._requests)
        os.close(self._answers)

    def _timed_out(self, request_id: str) -> Answer:
        message = f"RequestId: {request_id} Error: Task timed out after {self.function.timeout_s:.2f} seconds"
        return Answer.failed("Sandbox.Timedout", message)

    def _died(self, request_id: str) -> Answer:
        status = self._exit_status() or 0
        how = "signal: killed" if status == -signal.SIGKILL else f"exit status {abs(status)}"
        return Answer.failed("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")

    def _exit_status(self, timeout_s: float | None = None) -> int | None:
        """How the process ended, as `subprocess` puts it, once it has; None when it has not by the timeout."""
        poll = select.poll()
        poll.register(self._lifeline, select.POLLIN)
        if not poll.poll(None if timeout_s is None else timeout_s * 1000):
            return None
        # Peeked, for whoever asks next. A template that was killed says nothing.
        return int(self._lifeline.recv(8, socket.MSG_PEEK) or -signal.SIGKILL)

    def _read_line(self, deadline: float) -> bytes | None:
        """One line; empty when the process is gone, None when the deadline passed."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        while b"\n" not in self._buffer:
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0 or not poll.poll(left_ms):
                return None
            if not (chunk := os.read(self._answers, 1 << 16)):
                return b""
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
