"""Step Functions: what moto's interpreter does otherwise than AWS, as tried with moto 5.2.5.

- A machine from CloudFormation lands in a backend that does not execute.
- `$[0].a` selects a list of one where AWS selects the value, as it does for every path without wildcard or filter.
- Letters beyond ASCII in an intrinsic's text, which JSON may write as \\uXXXX, come out as `uXXXX`.
- Timestamps of the context object are no strings, so that an output that holds one breaks DescribeExecution.
- SendTaskFailure loses its cause. A token that is used twice, or too late, is taken, or called invalid.
- StopExecution waits for the running function or retry interval, for ever for a task token, and drops error and cause.
- Each task makes a boto3 client through the shared default session, which two branches must not do at the same time.
- The history is copied while branches write to it, which may fail.
- A timeout in a branch is no error that Catch of the Parallel state sees, but the end of the execution; a Fail state
  cannot hand on an error of Step Functions itself.
- A branch that is stopped while it enters a task notes its state's input as the task's timeout.
- Each path of the definition is parsed anew, by a parser made anew, whenever it is used, which takes some 2 ms; and the
  whole definition for each execution, which takes 0.3 s.
- Most errors of the API lack their code.
- No "Step Functions Execution Status Change" event is sent.
- A task's calls are nobody's: here they are signed by the machine, as whose role they are allowed or refused.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

import boto3
from moto.core.exceptions import AWSError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.stepfunctions import models
from moto.stepfunctions.parser import api
from moto.stepfunctions.parser.api import ExecutionStatus, TaskTimedOut
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker import BranchWorker
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.fail import state_fail
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import boto_client, json_path
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.parser.utils import TMP_THREADS
from moto.stepfunctions.responses import StepFunctionResponse

from local.aws.permissions.guard import Caller

from . import events
from .functions import Direct
from .knobs import Knobs
from .patching import Seams
from .permissions import caller_of


def install(seams: Seams, emulator: Knobs) -> None:
    """Mend the interpreter; when the emulator closes, a retry interval ends early."""
    seams.replace(models, "stepfunctions_backends", stepfunctions_parser_backends)
    seams.wrap(StepFunctionsParserBackend, "create_state_machine", _create_state_machine)
    seams.wrap(StepFunctionsParserBackend, "start_execution", _start_execution)
    seams.wrap(Execution, "get_start_execution_details", _start_details)
    seams.wrap(state, "StateData", _state_data)
    seams.replace(json_path, "_is_singleton_array_access", _selects_one)
    for module in (json_path, result_path):
        seams.replace(module, "parse", cache(vars(module)["parse"]))
    seams.replace(AmazonStateLanguageParser, "parse", _parse)
    for error in vars(api).values():
        if isinstance(error, type) and issubclass(error, AWSError) and isinstance(error.code, str):
            seams.replace(error, "TYPE", error.code)
    seams.replace(boto_client, "boto3", SimpleNamespace(client=_Clients(emulator).client))
    seams.wrap(StateTask, "_eval_state_credentials", _note_machine)
    seams.replace(StepFunctionResponse, "send_task_failure", _send_task_failure)
    seams.wrap(StepFunctionsParserBackend, "_get_executions", _begun_only)
    seams.wrap(StepFunctionsParserBackend, "send_task_failure", _once)
    seams.wrap(StepFunctionsParserBackend, "send_task_success", _once)
    seams.replace(StepFunctionResponse, "stop_execution", _stop_execution)
    seams.wrap(Environment, "set_error", _set_error)
    seams.wrap(BranchWorker, "_thread_routine", _branch)
    seams.wrap(EventManager, "get_event_history", _event_history)
    for module in (branches_decl, state_fail):
        seams.replace(module, "CustomErrorName", _error_name)

    def sleep(seconds: float) -> None:
        emulator.closing.wait(seconds * emulator.retry_scale)

    seams.replace(retrier_decl, "time", SimpleNamespace(sleep=sleep))

    def start(original: Any, execution: Execution) -> None:
        _announce(execution, "RUNNING")  # beforehand, since it may end at once
        original(execution)

    def reflect(original: Any, worker: Any) -> None:
        if worker.execution.exec_status == ExecutionStatus.RUNNING:  # else it was stopped
            original(worker)
            _announce(worker.execution, worker.execution.status)

    seams.wrap(Execution, "start", start)
    seams.wrap(BaseExecutionWorkerCommunication, "_reflect_execution_status", reflect)


def stop_all(timeout_s: float) -> None:
    """Stop what runs and give the interpreter's threads time to see it; a function's threads end with the function."""
    for execution in _executions():
        if execution.exec_status == ExecutionStatus.RUNNING:
            _stop(execution, None, None)
    deadline = time.monotonic() + timeout_s
    for thread in TMP_THREADS:
        if thread.is_alive():
            thread.join(max(0.0, deadline - time.monotonic()))
    TMP_THREADS.clear()


def _executions() -> list[Execution]:
    backends = stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID].values()
    return [execution for backend in list(backends) for execution in backend._get_executions()]


_parse_anew = AmazonStateLanguageParser.parse


@lru_cache(maxsize=16)
def _syntax_tree(definition: str) -> Any:
    return _parse_anew(definition)[1]


def _parse(definition: str) -> tuple[Any, Any]:
    """The program, made anew since executions may write to it, and the syntax tree, which they do not."""
    tree = _syntax_tree(definition)
    return Preprocessor().visit(tree), tree


def _create_state_machine(original: Any, backend: Any, name: str, definition: str, *args: Any, **kwargs: Any) -> Any:
    with suppress(ValueError):  # moto says what is wrong with it
        definition = json.dumps(json.loads(definition), ensure_ascii=False)
    return original(backend, name, definition, *args, **kwargs)


def _start_execution(
    original: Any, backend: Any, state_machine_arn: str, name: str | None = None, *args: Any, **kwargs: Any
) -> Any:
    return original(backend, state_machine_arn, name or str(uuid.uuid4()), *args, **kwargs)


def _event_history(original: Any, manager: EventManager) -> Any:
    for _ in range(100):
        # A branch may still be writing into the details that are copied: "dictionary changed size during iteration".
        with suppress(RuntimeError):
            return _with_timeouts(original(manager))
    return _with_timeouts(original(manager))


def _with_timeouts(history: Any) -> Any:
    for event in history:
        details = event.get("lambdaFunctionScheduledEventDetails", {})
        if not isinstance(details.get("timeoutInSeconds", 0), int):
            del details["timeoutInSeconds"]
    return history


def _error_name(error_name: str | None) -> ErrorName:
    """Of an error that is handed on, which may be one of Step Functions itself."""
    if error_name is not None and error_name.startswith("States."):
        return StatesErrorName.from_name(error_name)
    return CustomErrorName(error_name)


def _start_details(original: Any, execution: Execution) -> Any:
    details = original(execution)
    details.start_time = _timestamp(details.start_time)
    return details


def _state_data(original: Any, EnteredTime: str, **rest: Any) -> Any:  # noqa: N803 — moto's parameter
    return original(EnteredTime=_timestamp(datetime.fromisoformat(EnteredTime)), **rest)


def _timestamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _selects_one(path: str) -> bool:
    return re.search(r"\*|\.\.|\?\(|[:,]", path) is None


class _Clients:
    """Clients may be shared among threads, boto3's default session may not; so each is made once, under a lock."""

    def __init__(self, emulator: Knobs) -> None:
        self._lock = emulator.session_lock
        self._guard = emulator.guard
        self._clients: dict[tuple[str, str, str], Any] = {}

    def client(self, service_name: str, region_name: str, **kwargs: Any) -> Any:
        machine = _CALLING.machine
        with self._lock:
            key = (service_name, region_name, machine)
            if key not in self._clients:
                if service_name == "lambda":
                    self._clients[key] = Direct(region_name, self._guard, caller_of(machine) or Caller(machine, ()))
                else:
                    signed = {**kwargs, "aws_access_key_id": machine}
                    self._clients[key] = boto3.client(service_name, region_name, **signed)
            return self._clients[key]


class _Calling(threading.local):
    """The machine whose task this thread is about to run."""

    machine = ""


_CALLING = _Calling()


def _note_machine(original: Any, task: Any, env: Environment) -> Any:
    _CALLING.machine = env.states.context_object.context_object_data["StateMachine"]["Name"]
    return original(task, env)


def _send_task_failure(response: Any) -> ActionResult:
    token, error, cause = (response._get_param(name) for name in ("taskToken", "error", "cause"))
    response.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
    return ActionResult({})


def _branch(original: Any, worker: Any) -> None:
    """A branch may be stopped, since another one failed, before its thread has begun."""
    try:
        original(worker)
    except RuntimeError:
        if not isinstance(worker.env.program_state(), ProgramStopped):
            raise


_TOKENS = threading.Lock()


def _begun_only(original: Any, backend: Any, *status: Any) -> list[Execution]:
    """An execution is listed before it has a thread and an environment, in which moto looks for tokens."""
    listed: list[Execution] = original(backend, *status)
    return [each for each in listed if each.exec_worker is not None and each.exec_worker.env is not None]


def _once(original: Any, backend: Any, task_token: str, *args: Any, **kwargs: Any) -> Any:
    """A token answers once: "The task token has either expired or the task associated … has already been closed"."""
    with _TOKENS:
        for execution in backend._get_executions():
            endpoint = execution.exec_worker.env.callback_pool_manager.get(task_token)
            over = execution.exec_status != ExecutionStatus.RUNNING
            if endpoint is not None and (over or endpoint._notify_event.is_set()):
                raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return original(backend, task_token, *args, **kwargs)


def _stop_execution(response: Any) -> ActionResult:
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    if execution.exec_status == ExecutionStatus.RUNNING:
        _stop(execution, response._get_param("error"), response._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


def _stop(execution: Execution, error: str | None, cause: str | None) -> None:
    """ABORTED at once, and no further state runs. A function under way is not stopped, nor is it on AWS."""
    execution.stop_date = datetime.now(UTC)
    execution.error, execution.cause = error, cause
    execution.exec_status = ExecutionStatus.ABORTED
    environment = _begun(execution)
    execution.stop(stop_date=execution.stop_date, error=error, cause=cause)
    for endpoint in list(environment.callback_pool_manager._pool.values()):
        endpoint.interrupt_all()
    _announce(execution, "ABORTED")


def _set_error(original: Any, environment: Environment, *args: Any, **kwargs: Any) -> None:
    """What a stopped state still comes to, such as the end of its wait, does not turn ABORTED into FAILED."""
    if not isinstance(environment.program_state(), ProgramStopped):
        original(environment, *args, **kwargs)


def _begun(execution: Execution) -> Any:
    """The execution's environment, once its thread has made it: a stop before that would be overlooked."""
    deadline = time.monotonic() + 10
    worker: Any = execution.exec_worker
    while worker.env is None or worker.env.program_state() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{execution.execution_arn} has not begun")
        time.sleep(0.001)
    return worker.env


def _announce(execution: Execution, status: str) -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""

    def epoch_ms(instant: datetime | None) -> int | None:
        return None if instant is None else int(instant.timestamp() * 1000)

    detail = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": status,
        "startDate": epoch_ms(execution.start_date),
        "stopDate": epoch_ms(execution.stop_date),
        "input": execution.execution_input,
        "output": None if execution.output is None else json.dumps(execution.output, default=str),
        "error": execution.error,
        "cause": execution.cause,
    }
    events.put(execution.region_name, "aws.states", "Step Functions Execution Status Change", detail)
