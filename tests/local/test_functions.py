"""The Lambda runtime: isolation, errors in AWS's shape, injected faults, and nothing left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.aws.functions import Function, FunctionRuntime, RuntimeClosedError
from tests.local.assets import function
from tests.waiting import eventually

ECHO = "def handler(event, context):\n    return event\n"
PROCESS_ID = "import os\ndef handler(event, context):\n    return os.getpid()\n"
# Writes one letter to a file per run; `event` says which file.
MARK = """
def handler(event, context):
    with open(event, "a") as file:
        file.write("x")
    return "marked"
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[FunctionRuntime]:
    runtime = FunctionRuntime(tmp_path, "eu-west-2", "http://127.0.0.1:1")
    yield runtime
    runtime.close()


def call(runtime: FunctionRuntime, probe: Function, event: object = None) -> Any:
    answer = runtime.invoke(probe, json.dumps(event).encode())
    assert not answer.is_error, answer
    return json.loads(answer.payload)


def fail(runtime: FunctionRuntime, probe: Function, event: object = None) -> dict[str, Any]:
    answer = runtime.invoke(probe, json.dumps(event).encode())
    assert answer.is_error, answer
    error: dict[str, Any] = json.loads(answer.payload)
    return error


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_a_handler_gets_the_event_and_its_result_comes_back(runtime: FunctionRuntime) -> None:
    event = {"name": "Zoë", "figures": [1, 2.5, None, True]}
    assert call(runtime, function(ECHO), event) == event


def test_a_large_event_and_answer_pass(runtime: FunctionRuntime) -> None:
    event = "x" * 250_000
    assert call(runtime, function(ECHO), event) == event


def test_a_process_sees_its_own_variables_and_none_of_ours(
    runtime: FunctionRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_PARENT", "1")
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    seen = call(runtime, function(source, DATABASES='["app"]'))
    assert seen["DATABASES"] == '["app"]'
    assert seen["AWS_REGION"] == "eu-west-2"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "probe"
    assert seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert not {"OF_THE_PARENT", "HOME", "VIRTUAL_ENV", "PYTHONPATH"} & set(seen)


def test_processes_of_one_asset_share_neither_variables_nor_random_numbers(runtime: FunctionRuntime) -> None:
    source = """
import os, random
MODE, NUMBER = os.environ.get("MODE"), random.random()
def handler(event, context):
    return [context.function_name, MODE, os.environ.get("MODE"), NUMBER]
"""
    probes = [function(source, "one", MODE="a;'"), function(source, "two", MODE='b"ü'), function(source, "three")]
    runtime.prewarm(probes)
    answers = [call(runtime, probe) for probe in probes]
    assert [answer[:3] for answer in answers] == [["one", "a;'", "a;'"], ["two", 'b"ü', 'b"ü'], ["three", None, None]]
    assert len({answer[3] for answer in answers}) == 3


def test_a_functions_variable_does_not_replace_one_of_the_service(runtime: FunctionRuntime) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ['AWS_REGION']\n"
    assert call(runtime, function(source, AWS_REGION="mars-1")) == "eu-west-2"


def test_a_process_holds_nothing_of_its_neighbours(runtime: FunctionRuntime) -> None:
    # Standard input, output and error, the two pipes, and the one that lists the folder.
    source = "import os\ndef handler(event, context):\n    return len(os.listdir('/dev/fd'))\n"
    probes = [function(source, name) for name in ("one", "two", "three")]
    runtime.prewarm(probes)
    assert [call(runtime, probe) for probe in probes] == [6, 6, 6]


def test_the_runtime_offers_boto3_but_nothing_else_of_the_virtual_environment(runtime: FunctionRuntime) -> None:
    call(runtime, function(f"import boto3, botocore, dateutil, urllib3\n{ECHO}", "with-boto3"))
    error = fail(runtime, function(f"import moto\n{ECHO}", "with-moto"))
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'moto'" in error["errorMessage"]


def test_the_asset_comes_before_the_runtime(runtime: FunctionRuntime) -> None:
    source = "import six\ndef handler(event, context):\n    return six.WHOSE\n"
    assert call(runtime, function(source, files={"six.py": "WHOSE = 'ours'"})) == "ours"


def test_the_context_tells_function_and_time_left(runtime: FunctionRuntime) -> None:
    source = """
def handler(event, context):
    return [context.function_name, context.invoked_function_arn, context.memory_limit_in_mb,
            context.get_remaining_time_in_millis(), context.aws_request_id]
"""
    name, arn, memory, left_ms, request_id = call(runtime, function(source))
    assert (name, memory) == ("probe", "256")
    assert arn.endswith(":function:probe")
    assert 0 < left_ms <= 20_000
    assert len(request_id) == 36


def test_an_exception_is_reported_by_class_name(runtime: FunctionRuntime) -> None:
    source = """
class BlueNotReady(Exception): ...
def handler(event, context):
    raise BlueNotReady("wal_level is replica")
"""
    error = fail(runtime, function(source))
    assert (error["errorType"], error["errorMessage"]) == ("BlueNotReady", "wal_level is replica")
    assert any('raise BlueNotReady("wal_level is replica")' in line for line in error["stackTrace"])
    assert not any("bootstrap.py" in line for line in error["stackTrace"])


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        ("import not_packaged", "Runtime.ImportModuleError"),
        ("nothing = 1", "Runtime.HandlerNotFound"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def handler(event, context): return {1, 2}", "Runtime.MarshalError"),
        ("import sys\ndef handler(event, context): sys.exit(3)", "Runtime.ExitError"),
        ("import os\nos.abort()", "Runtime.ExitError"),
    ],
)
def test_errors_of_the_runtime_have_lambdas_names(runtime: FunctionRuntime, source: str, error_type: str) -> None:
    assert fail(runtime, function(source))["errorType"] == error_type


def test_the_exit_status_is_told_and_nothing_remains_of_the_process(runtime: FunctionRuntime, tmp_path: Path) -> None:
    source = """
import os, sys
def handler(event, context):
    with open(event, "w") as file: file.write(str(os.getpid()))
    sys.exit(3)
"""
    error = fail(runtime, function(source), str(tmp_path / "pid"))
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_function_is_killed_at_its_timeout(runtime: FunctionRuntime, tmp_path: Path) -> None:
    source = """
import os, time
def handler(event, context):
    with open(event, "w") as file: file.write(str(os.getpid()))
    time.sleep(600)
"""
    error = fail(runtime, function(source, timeout_s=1), str(tmp_path / "pid"))
    assert error["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in error["errorMessage"]
    process_id = int((tmp_path / "pid").read_text())
    eventually(lambda: not alive(process_id))


def test_a_warm_process_serves_again_and_a_concurrent_call_gets_another(
    runtime: FunctionRuntime, tmp_path: Path
) -> None:
    probe = function(PROCESS_ID)
    assert call(runtime, probe) == call(runtime, probe)
    # Two invocations that both wait until two are running must be in two processes.
    both = function(
        """
import os, time
def handler(event, context):
    open(f"{event}/{os.getpid()}", "w").close()
    while len(os.listdir(event)) < 2: time.sleep(0.01)
    return os.getpid()
""",
        "both",
    )
    (tmp_path / "running").mkdir()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: call(runtime, both, str(tmp_path / "running")), range(2))
    assert first != second


def test_a_changed_configuration_takes_a_new_process(runtime: FunctionRuntime) -> None:
    source = "import os\ndef handler(event, context):\n    return [os.getpid(), os.environ['MODE']]\n"
    before, _ = call(runtime, function(source, MODE="a"))
    after, mode = call(runtime, function(source, MODE="b"))
    assert mode == "b"
    assert before != after
    assert not alive(before)


def test_output_goes_to_the_functions_log(runtime: FunctionRuntime, tmp_path: Path) -> None:
    source = "def handler(event, context):\n    print('freezing', event)\n    return 1\n"
    call(runtime, function(source), "shop")
    assert "freezing shop" in (tmp_path / "logs" / "probe.log").read_text()


def test_an_asset_is_unpacked_once_for_all_its_functions(runtime: FunctionRuntime, tmp_path: Path) -> None:
    for name in ("one", "two"):
        call(runtime, function(ECHO, name))
    assert len(list((tmp_path / "assets").iterdir())) == 1


def test_injected_error_comes_without_running(runtime: FunctionRuntime, tmp_path: Path) -> None:
    runtime.inject("probe", "raise", error="Lambda.ServiceException")
    assert fail(runtime, function(MARK), str(tmp_path / "ran"))["errorType"] == "Lambda.ServiceException"
    assert not (tmp_path / "ran").exists()
    assert call(runtime, function(MARK), str(tmp_path / "ran")) == "marked"


@pytest.mark.parametrize(
    ("fault", "error_type", "runs"),
    [("kill_before", "Runtime.ExitError", 0), ("kill_after", "Runtime.ExitError", 1), ("hang", "Sandbox.Timedout", 0)],
)
def test_injected_deaths(runtime: FunctionRuntime, tmp_path: Path, fault: Any, error_type: str, runs: int) -> None:
    marks = tmp_path / "marks"
    marks.touch()
    runtime.inject("probe", fault)
    assert fail(runtime, function(MARK, timeout_s=1), str(marks))["errorType"] == error_type
    assert len(marks.read_text()) == runs
    assert call(runtime, function(MARK, timeout_s=20), str(marks)) == "marked"


def test_an_injected_timeout_comes_after_the_effect_and_does_not_take_its_time(
    runtime: FunctionRuntime, tmp_path: Path
) -> None:
    runtime.inject("probe", "time_out")
    error = fail(runtime, function(MARK, timeout_s=900), str(tmp_path / "marks"))
    assert error["errorType"] == "Sandbox.Timedout"
    assert (tmp_path / "marks").read_text() == "x"


def test_something_happens_right_before_a_function_runs_or_before_its_answer(
    runtime: FunctionRuntime, tmp_path: Path
) -> None:
    marks, seen = tmp_path / "marks", []
    marks.touch()
    runtime.during("probe", before=lambda: seen.append(marks.read_text()), unless=b"warm")
    runtime.during("probe", after=lambda: seen.append(marks.read_text()))
    assert runtime.pending() == ["probe"]
    call(runtime, function(MARK), str(tmp_path / "warm"))
    assert runtime.pending() == ["probe"]
    call(runtime, function(MARK), str(marks))
    call(runtime, function(MARK), str(marks))
    assert seen == ["", "xx"]
    assert runtime.pending() == []


def test_what_was_injected_can_be_forgotten(runtime: FunctionRuntime) -> None:
    runtime.inject("probe", "raise")
    runtime.forget()
    assert call(runtime, function(ECHO), 1) == 1


def test_injected_double_delivery_runs_twice_and_answers_once(runtime: FunctionRuntime, tmp_path: Path) -> None:
    runtime.inject("probe", "twice")
    assert call(runtime, function(MARK), str(tmp_path / "marks")) == "marked"
    assert (tmp_path / "marks").read_text() == "xx"


def test_faults_last_as_often_as_said(runtime: FunctionRuntime) -> None:
    runtime.inject("probe", "raise", times=2)
    probe = function(ECHO)
    assert [runtime.invoke(probe, b"1").is_error for _ in range(3)] == [True, True, False]


def test_hooks_hear_of_every_invocation(runtime: FunctionRuntime) -> None:
    heard: list[str] = []
    runtime.after_invoke.append(heard.append)
    call(runtime, function(ECHO))
    fail(runtime, function("1 / 0", "broken"))
    assert heard == ["probe", "broken"]


def test_prewarmed_functions_are_used(runtime: FunctionRuntime, tmp_path: Path) -> None:
    source = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')\n{ECHO}"
    runtime.prewarm([function(source), function("1 / 0", "broken")])
    assert call(runtime, function(source), 1) == 1
    assert (tmp_path / "starts").read_text() == "x"


def test_close_kills_idle_and_busy_processes(tmp_path: Path) -> None:
    runtime = FunctionRuntime(tmp_path, "eu-west-2", "http://127.0.0.1:1")
    idle = call(runtime, function(PROCESS_ID))
    busy = function(
        """
import os, subprocess, time
def handler(event, context):
    child = subprocess.Popen(["sleep", "600"])
    with open(event + ".partial", "w") as file: file.write(f"{os.getpid()} {child.pid}")
    os.rename(event + ".partial", event)
    time.sleep(600)
""",
        "busy",
        timeout_s=600,
    )
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(runtime.invoke, busy, json.dumps(str(tmp_path / "pids")).encode())
        eventually((tmp_path / "pids").exists)
        runtime.close()
        assert json.loads(answer.result().payload)["errorType"] == "Runtime.ExitError"
    process_ids = [idle, *map(int, (tmp_path / "pids").read_text().split())]
    eventually(lambda: not any(map(alive, process_ids)))
    with pytest.raises(RuntimeClosedError):
        runtime.invoke(function(ECHO), b"1")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_descriptors()
    runtime = FunctionRuntime(tmp_path, "eu-west-2", "http://127.0.0.1:1")
    for probe in (function(ECHO), function("1 / 0", "broken"), function("import os\nos.abort()", "dead")):
        runtime.invoke(probe, b"1")
    runtime.close()
    assert open_descriptors() == before


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    busy = """
import json, os, subprocess, time
def handler(event, context):
    child = subprocess.Popen(["sleep", "600"])
    with open(event, "w") as file: json.dump([os.getpid(), os.getppid(), child.pid], file)
    time.sleep(600)
"""
    process_ids = tmp_path / "busy"
    parent = f"""
import json, os, signal, threading
from pathlib import Path
from local.aws.functions import FunctionRuntime
from tests.local.assets import function
from tests.waiting import eventually
runtime = FunctionRuntime(Path({str(tmp_path)!r}), "eu-west-2", "http://127.0.0.1:1")
print(runtime.invoke(function({PROCESS_ID!r}), b"null").payload.decode(), flush=True)
busy = function({busy!r}, "busy", timeout_s=600)
threading.Thread(target=runtime.invoke, args=(busy, json.dumps({str(process_ids)!r}).encode())).start()
eventually(lambda: os.path.exists({str(process_ids)!r}) and os.path.getsize({str(process_ids)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = subprocess.run([sys.executable, "-c", parent], check=False, capture_output=True, text=True, timeout=60)
    ended = [int(child.stdout), *json.loads(process_ids.read_text())]
    eventually(lambda: not any(map(alive, ended)))
