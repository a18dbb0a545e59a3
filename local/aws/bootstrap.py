"""What runs inside a function's process: a small stand-in for Lambda's runtime interface client.

Started by `local.aws.environment` with an isolated interpreter (`-I -S`): the import path is the asset, the folder with
boto3 and the standard library, nothing else, so an import that is not packaged fails here as it does on AWS. This file
therefore imports the standard library alone.

The process that is started is the template of an asset's environments. It imports what every handler imports (`warm`,
half a second) and waits; for each byte on its control socket it forks an environment, from four descriptors that
come with the byte: the pipe of requests, that of answers, the log, and a lifeline. The lifeline's end kills the
environment and whatever it started; the environment's end puts its exit status there. So whoever holds the other ends
may end in whatever way: every process goes with it.

An environment's protocol, over two pipes so that whatever the handler prints stays out of it: first one line in, the
function's variables, and one line out, `{}` or `{"error": …}`, when the handler is imported (Lambda's init phase), then
one JSON line in and one out per invocation.

The shapes of errors are those of awslambdaric, the client that AWS ships with its Python runtimes.
"""

import gc
import importlib
import json
import math
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any

Handler = Callable[[Any, "Context"], Any]

# What every handler imports, so that none can forget to, and which reads no variable that functions set differently.
# Our own modules are for each environment to import.
WARM = ("aws_lambda_powertools", "pg8000.native", "boto3")
# Clients leave the services' models, and the list of all endpoints, in boto3's default session.
WARM_CLIENTS = ("dynamodb", "rds", "route53", "secretsmanager")


@dataclass(frozen=True)
class Context:
    """The attributes and the one method of Lambda's context object.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    aws_request_id: str
    deadline_s: float
    function_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    function_version: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_VERSION"])
    memory_limit_in_mb: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    log_group_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_LOG_GROUP_NAME"])
    log_stream_name: str = field(default_factory=lambda: os.environ["AWS_LAMBDA_LOG_STREAM_NAME"])
    invoked_function_arn: str = ""
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the process is killed."""
        return max(0, int((self.deadline_s - time.time()) * 1000))


def load(handler: str) -> Handler | dict[str, Any]:
    """Import `module.function`; an error in Lambda's shape if that fails."""
    module_name, _, name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
        loaded: Handler = getattr(module, name)
    except ImportError as error:
        return failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except AttributeError:
        return failure("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    except SyntaxError as error:
        return failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:  # noqa: BLE001 — whatever the module raises is the answer
        return failure(type(error).__name__, str(error), trace=error.__traceback__)
    return loaded


def failure(error_type: str, message: str, request_id: str = "", trace: TracebackType | None = None) -> dict[str, Any]:
    """An error as a function's caller sees it; our own frame is left out of the trace."""
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if frame.filename != __file__]
    return {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": traceback.format_list(ours),
    }


def _plain(value: object) -> float:
    """Numbers of DynamoDB are the one thing beyond JSON that awslambdaric's encoder takes."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def answer(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """Run the handler once; `SystemExit` passes through and ends the process, as on AWS."""
    request_id = request["request_id"]
    context = Context(request_id, request["deadline_s"], invoked_function_arn=request["arn"])
    try:
        result = handler(request["event"], context)
    except Exception as error:  # noqa: BLE001 — the runtime reports every error of a handler
        return {"error": failure(type(error).__name__, str(error), request_id, error.__traceback__)}
    try:
        return {"payload": json.dumps(result, default=_plain, ensure_ascii=False)}
    except (TypeError, ValueError) as error:
        return {"error": failure("Runtime.MarshalError", f"Unable to marshal response: {error}", request_id)}


def warm() -> None:
    """Have ready what environments would otherwise spend most of their start on, each for itself."""
    for name in WARM:
        importlib.import_module(name)
    for service in WARM_CLIENTS:
        sys.modules["boto3"].client(service)


def fork_environments(control: socket.socket) -> tuple[int, int]:
    """Serve the control socket until its end. Returns in each environment, with its pipes: requests, answers."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    lifelines: dict[int, socket.socket] = {}  # by process id
    while True:
        readable, _, _ = select.select([control, woken, *lifelines.values()], [], [])
        if woken in readable:
            woken.recv(1 << 12)
        for process_id, lifeline in list(lifelines.items()):
            if lifeline in readable:
                kill(process_id)
            ended, status = os.waitpid(process_id, 0 if lifeline in readable else os.WNOHANG)
            if ended:
                with lifelines.pop(process_id), suppress(OSError):  # nobody may be left to tell
                    lifeline.send(str(os.waitstatus_to_exitcode(status)).encode())
        if control not in readable:
            continue
        _, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not descriptors:
            for process_id in lifelines:
                kill(process_id)
                os.waitpid(process_id, 0)
            sys.exit()
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        requests, answers, log, lifeline_fd = descriptors
        if process_id := os.fork():
            lifelines[process_id] = socket.socket(fileno=lifeline_fd)
            for descriptor in (requests, answers, log):
                os.close(descriptor)
            continue
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (control, woken, waker, *lifelines.values()):
            other.close()
        for output in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(log, output)
        for descriptor in (log, lifeline_fd):
            os.close(descriptor)
        return requests, answers


def kill(process_id: int) -> None:
    """End an environment that has not been waited for, with whatever it started; the handler has no say in it."""
    os.kill(process_id, signal.SIGKILL)
    with suppress(ProcessLookupError):  # it ended before it had a process group
        os.killpg(process_id, signal.SIGKILL)


def serve(request_fd: int, answer_fd: int) -> None:
    """Serve invocations until the request pipe ends."""
    with os.fdopen(request_fd, encoding="utf-8") as requests, os.fdopen(answer_fd, "w", encoding="utf-8") as answers:

        def send(message: dict[str, Any]) -> None:
            sys.stdout.flush()
            answers.write(json.dumps(message) + "\n")
            answers.flush()

        os.environ.update(json.loads(requests.readline()) | dict(os.environ))  # Lambda's own win
        if layers := os.environ.pop("_LAYERS", ""):
            sys.path.append(layers)
        handler = load(os.environ["_HANDLER"])
        if isinstance(handler, dict):
            send({"error": handler})
            return
        send({})
        for line in requests:
            request = json.loads(line)
            os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
            # Should the parent be gone by then, the alarm ends what the parent would have killed.
            signal.alarm(math.ceil(request["deadline_s"] - time.time()) + 1)
            response = answer(handler, request)
            signal.alarm(0)
            send(response)


def main() -> None:
    """Be the template, and then each of the environments."""
    control_fd, runtime = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(control_fd, False)
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], runtime]
    sys.argv[1:] = []
    with suppress(ImportError):  # another asset than the application's: what it needs it imports itself
        warm()
    gc.freeze()  # the garbage collector would copy what environments share
    serve(*fork_environments(socket.socket(fileno=control_fd)))


if __name__ == "__main__":
    main()
