"""The Lambda runtime: each deployed function runs in processes of its own, from the packaged asset.

A process gets the function's environment variables and those that Lambda sets, the asset and boto3 to import from, and
is killed at its timeout. That is what catches a variable that is not passed, an import that is not packaged and a step
that cannot be run twice, none of which shows when handlers are called in the process of the tests. Processes are forked
from one that has imported boto3 and the like from the same asset: starting one takes a tenth of the time. So they have
one thing in common that they have not on AWS, the seed of `hash()`.

As on Lambda an execution environment serves one invocation at a time, stays warm for the next, and a concurrent
invocation starts another. Lambda freezes an idle environment; here it just waits. Lambda gives 10 s to the init phase;
here it is 30 s, since all functions may start at once on two cores. Lambda tries a failed asynchronous invocation twice
more, after one minute and two; here it is tried once.

What a layer holds is compiled for Lambda: the same packages come from the virtual environment, as boto3 does.
"""

import importlib.util
import io
import os
import shutil
import threading
import time
import uuid
import zipfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.aws.environment import Answer as Answer
from local.aws.environment import Environment, Template
from local.aws.environment import Function as Function

Fault = Literal["raise", "kill_before", "kill_during", "kill_after", "twice", "hang", "time_out"]


@dataclass(frozen=True)
class _Injected:
    """A fault, or what else is to happen, that waits for its invocation."""

    fault: Fault | None
    error: str
    unless: bytes
    after_s: float
    before: Callable[[], object] | None = None
    after: Callable[[], object] | None = None


# What AWS has in its Python runtimes besides the standard library.
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


class RuntimeClosedError(RuntimeError):
    """An invocation came after `close()`."""


class FunctionRuntime:
    """Runs functions; thread safe. Assets and logs lie in `folder`."""

    def __init__(self, folder: Path, region: str, endpoint_url: str) -> None:
        self.after_invoke: list[Callable[[str], None]] = []
        self._folder = folder.absolute()
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._unpacking = threading.Lock()
        self._templates: dict[str, Template] = {}  # by the digest of the asset
        self._closed = False
        self._all: set[Environment] = set()
        self._idle: defaultdict[str, list[Environment]] = defaultdict(list)
        self._faults: defaultdict[str, deque[_Injected]] = defaultdict(deque)
        (self._folder / "logs").mkdir(parents=True, exist_ok=True)
        self._runtime = self._link(self._folder / "runtime", RUNTIME_PACKAGES)

    def invoke(self, function: Function, event: bytes) -> Answer:
        """Invoke once, in a warm process if there is one; `after_invoke` gets the function's name at the end."""
        with self._lock:
            queue = self._faults[function.name]
            is_due = bool(queue) and (not queue[0].unless or queue[0].unless not in event)
            injected = queue.popleft() if is_due else None
        try:
            if injected and injected.before:
                injected.before()
            if injected and injected.fault == "raise":
                return Answer.failed(injected.error, "injected")
            if injected and injected.fault == "twice":
                with ThreadPoolExecutor(2) as pool:
                    first, _ = [pool.submit(self._run, function, event, None) for _ in range(2)]
                return first.result()
            return self._run(function, event, injected)
        finally:
            for hook in self.after_invoke:
                hook(function.name)
            if injected and injected.after:
                injected.after()

    def inject(
        self,
        function_name: str,
        fault: Fault,
        times: int = 1,
        error: str = "InjectedError",
        unless: bytes = b"",
        after_s: float = 0.01,
    ) -> None:
        """Let the function's next `times` invocations go wrong; more than one call queues up.

        raise        it answers with an error of the type `error`, without having run
        kill_before  its process is killed before the handler ran
        kill_during  its process is killed `after_s` seconds after it got the event, if it still runs then
        kill_after   the handler runs to its end, then the process is killed before it answers
        twice        it runs twice at once (delivery is at least once); the first one's answer counts
        hang         it does nothing until its timeout
        time_out     the handler runs to its end and does not answer; `after_s` later (sooner than its timeout) it is
                     reported as timed out

        An event that holds `unless` passes unharmed and does not count.
        """
        with self._lock:
            self._faults[function_name].extend([_Injected(fault, error, unless, after_s)] * times)

    def during(
        self,
        function_name: str,
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object] | None = None,
        unless: bytes = b"",
    ) -> None:
        """Do something before the function's next invocation, or between its end and its answer; queues up with faults.

        That is how a test lets something happen at an instant of a release and not at about that time.
        """
        with self._lock:
            self._faults[function_name].append(_Injected(None, "", unless, 0, before, after))

    def pending(self) -> list[str]:
        """The functions for which something injected has not happened yet."""
        with self._lock:
            return [name for name, queue in self._faults.items() if queue]

    def forget(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._faults.clear()

    def prewarm(self, functions: Iterable[Function]) -> None:
        """Start a process of each, as many at a time as there are processors; import errors show at the invocation."""

        def warm(function: Function) -> None:
            environment = self._take(function)
            ready = environment.initialise() is None
            self._put_back(environment, reusable=ready)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(warm, functions))

    def close(self) -> None:
        """Kill every process. Invocations under way answer as if their process had died; later ones are refused."""
        with self._lock:
            self._closed = True
            idle = {environment for group in self._idle.values() for environment in group}
            self._idle.clear()
            busy = self._all - idle
            self._all -= idle
        for environment in idle:
            environment.close()
        for environment in busy:
            environment.kill()
        with self._unpacking:
            for template in self._templates.values():
                template.close()

    def _run(self, function: Function, event: bytes, injected: _Injected | None) -> Answer:
        fault = injected.fault if injected else None
        environment = self._take(function)
        reusable = False
        try:
            if (failed := environment.initialise()) is not None:
                return failed
            if fault == "kill_before":
                environment.kill()
            if fault in ("hang", "kill_before"):
                return environment.hang()
            if injected and fault == "kill_during":
                threading.Timer(injected.after_s, environment.kill).start()
            answer, reusable = environment.invoke(event)
            if fault == "kill_during":
                reusable = False  # the timer may come yet
            if fault == "kill_after":
                reusable = False
                return Answer.failed("Runtime.ExitError", "Error: Runtime exited with error: signal: killed")
            if injected and fault == "time_out":
                reusable = False
                return environment.never_answer(injected.after_s)
            return answer
        finally:
            self._put_back(environment, reusable)

    def _take(self, function: Function) -> Environment:
        template = self._template(function)
        outdated: list[Environment] = []
        try:
            with self._lock:
                self._refuse_if_closed(function)
                idle = self._idle[function.name]
                while idle:
                    environment = idle.pop()
                    if environment.function == function:
                        return environment
                    outdated.append(environment)
                log = self._folder / "logs" / f"{function.name}.log"
                environment = Environment(function, template, log, self._variables(function))
                self._all.add(environment)
                return environment
        finally:
            for environment in outdated:
                self._put_back(environment, reusable=False)

    def _refuse_if_closed(self, function: Function) -> None:
        if self._closed:
            raise RuntimeClosedError(f"{function.name} was invoked after the runtime was closed")

    def _put_back(self, environment: Environment, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed:
                self._idle[environment.function.name].append(environment)
                return
            self._all.discard(environment)
        environment.close()

    def _variables(self, function: Function) -> dict[str, str]:
        """What Lambda sets for one function, and the function's own."""
        return dict(function.environment) | {
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_ACCESS_KEY_ID": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}",
            "_HANDLER": function.handler,
            "_LAYERS": self._layers(function),
        }

    def _layers(self, function: Function) -> str:
        """The folder with the packages of a function's layers; empty when it has none."""
        if not function.packages:
            return ""
        return str(self._link(self._folder / "layers" / "-".join(function.packages), function.packages))

    def _shared_variables(self, asset: Path) -> dict[str, str]:
        """What Lambda sets for all functions of an asset, and the two that are local."""
        return {
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "LAMBDA_TASK_ROOT": str(asset),
            "AWS_SECRET_ACCESS_KEY": "local",
            # The access key is each function's own; the process that they are forked from has none, and asks nobody.
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": self._endpoint_url,
        }

    def _template(self, function: Function) -> Template:
        """The process to fork the function's from; started once per content of an asset, when it is unzipped."""
        digest = "".join(char for char in function.code_sha256 if char.isalnum())[:24]
        with self._unpacking:
            self._refuse_if_closed(function)
            if digest not in self._templates:
                asset = self._folder / "assets" / digest
                if not asset.exists():
                    _unzip(function.code, asset)
                log = self._folder / "logs" / "templates.log"
                self._templates[digest] = Template(asset, self._runtime, log, self._shared_variables(asset))
            return self._templates[digest]

    def _link(self, folder: Path, packages: Iterable[str]) -> Path:
        """A folder with these packages alone, so that nothing else of the virtual environment imports."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in packages:
            spec = importlib.util.find_spec(name)
            if spec is None:
                raise ImportError(f"the Lambda runtime needs {name}: install requirements.lock")
            is_module = spec.origin is not None and not spec.submodule_search_locations
            source = Path(str(spec.origin)) if is_module else Path(next(iter(spec.submodule_search_locations or ())))
            link = folder / source.name
            with suppress(FileExistsError):
                link.symlink_to(source)
        return folder


def _unzip(code: bytes, asset: Path) -> None:
    partial = asset.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(partial)
    partial.rename(asset)
