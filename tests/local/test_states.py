"""State machines in the emulator behave as on AWS, in what the release machine uses of them."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.aws.emulator import Emulator
from tests.local.aws import ROLE, deploy_function, deploy_machine, finished, mails, start
from tests.waiting import eventually

# Fails with the error that the input names as often as the input says, counting in a file, then returns the count.
FLAKY = """
import os
def handler(event, context):
    path = event["counter"]
    with open(path, "a") as file: file.write("x")
    done = os.path.getsize(path)
    if done <= event["failures"]:
        raise type(event.get("error", "NotYet"), (Exception,), {})("run %d" % done)
    return {"runs": done}
"""
FAIL = "class BlueNotReady(Exception): ...\ndef handler(event, context):\n    raise BlueNotReady('wal_level')\n"
# Says that it runs, then waits until the file `go` is there.
HELD = """
import os, time
def handler(event, context):
    open(event["running"], "w").close()
    while not os.path.exists(event["go"]): time.sleep(0.01)
    return event
"""
MARK = "def handler(event, context):\n    open(event['mark'], 'w').close()\n"

Machine = dict[str, Any]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("states"), "eu-west-2")
    emulator.retry_scale = 0.01
    yield emulator
    emulator.close()


@pytest.fixture(scope="module")
def function(emulator: Emulator) -> Callable[[str], str]:
    """ARNs of the functions above, by name."""
    sources = {"flaky": FLAKY, "fail": FAIL, "held": HELD, "mark": MARK}
    arns = {name: deploy_function(emulator, name, source) for name, source in sources.items()}
    return arns.__getitem__


@pytest.fixture
def run(emulator: Emulator, request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Deploys a machine named for the test, runs it once, and gives what it came to."""

    def run(definition: Machine, event: object = None) -> dict[str, Any]:
        name = re.sub(r"\W+", "-", request.node.name)[:80].strip("-")
        return finished(emulator, start(emulator, deploy_machine(emulator, name, definition), event))

    return run


def chain(*states: dict[str, Any]) -> Machine:
    """The states S0, S1 … one after the other."""
    named = {f"S{number}": state for number, state in enumerate(states)}
    for (_, state), following in zip(named.items(), [*list(named)[1:], None], strict=True):
        if state["Type"] not in ("Fail", "Succeed"):
            state |= {"Next": following} if following else {"End": True}
    return {"StartAt": "S0", "States": named}


def task(arn: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": arn, **more}


def catch(*errors: str, to: str = "S1") -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(errors), "ResultPath": "$.error", "Next": to}]


def test_text_and_times_of_the_context_are_as_on_aws(run: Callable[..., dict[str, Any]]) -> None:
    parameters = {
        "started.$": "$$.Execution.StartTime",
        "entered.$": "$$.State.EnteredTime",
        "text.$": "States.Format('Release {}\nfrom {} \u2013 é', $.name, $$.Execution.Id)",
    }
    end = run(chain({"Type": "Pass", "Parameters": parameters}), {"name": "r1"})
    assert all(re.fullmatch(r"[-\d]+T[:\d]+\.\d{3}Z", end["output"][key]) for key in ("started", "entered"))
    assert end["output"]["text"] == f"Release r1\nfrom {end['executionArn']} \u2013 é"


def test_a_machine_of_a_template_executes(emulator: Emulator) -> None:
    definition = json.dumps(chain({"Type": "Pass", "Result": {"é": 1}}))
    resource: Machine = {"Type": "AWS::StepFunctions::StateMachine"}
    resource |= {"Properties": {"StateMachineName": "of-template", "DefinitionString": definition, "RoleArn": ROLE}}
    template = {"Resources": {"Machine": resource}, "Outputs": {"Arn": {"Value": {"Ref": "Machine"}}}}
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(StackName="machines", TemplateBody=json.dumps(template))
    (stack,) = cloudformation.describe_stacks(StackName="machines")["Stacks"]
    assert finished(emulator, start(emulator, stack["Outputs"][0]["OutputValue"]))["output"] == {"é": 1}


def test_a_wrong_definition_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as error:
        deploy_machine(emulator, "wrong", {"StartAt": "Nowhere"})
    assert error.value.response["Error"]["Code"] == "InvalidDefinition"


def test_retry_counts_anew_at_each_visit_and_the_named_error_only(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], tmp_path: Path
) -> None:
    retry = [
        {"ErrorEquals": ["NotYet"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1, "MaxDelaySeconds": 2}
    ]
    once = task(function("flaky"), Retry=retry, ResultPath="$.first")
    again = task(function("flaky"), Retry=retry, Catch=catch("NotYet", to="S2"), ResultPath="$.second")
    machine = chain(once, again, {"Type": "Pass"})
    end = run(machine, {"counter": str(tmp_path / "runs"), "failures": 2})
    assert (end["output"]["first"], end["output"]["second"]) == ({"runs": 3}, {"runs": 4})
    (tmp_path / "runs").unlink()
    end = run_again(run, machine, {"counter": str(tmp_path / "runs"), "failures": 9, "error": "Other"})
    assert (end["status"], end["error"], (tmp_path / "runs").read_text()) == ("FAILED", "Other", "x")


def run_again(run: Callable[..., dict[str, Any]], machine: Machine, event: object) -> dict[str, Any]:
    """The same machine under another name."""
    return run(machine | {"Comment": "again"}, event)


@pytest.mark.parametrize("errors", ["BlueNotReady", "States.ALL", "States.TaskFailed"])
def test_an_error_is_caught_with_its_cause(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], errors: str
) -> None:
    parsed = {"Type": "Pass", "Parameters": {"of.$": "$.error.Error", "cause.$": "States.StringToJson($.error.Cause)"}}
    output = run(chain(task(function("fail"), Catch=catch(errors)), parsed))["output"]
    assert output["of"] == "BlueNotReady"
    assert output["cause"]["errorMessage"] == "wal_level"


@pytest.mark.parametrize(("fault", "name"), [("kill_before", "Runtime.ExitError"), ("kill_after", "Runtime.ExitError")])
def test_a_function_that_died_is_retried_under_lambdas_name(
    emulator: Emulator,
    run: Callable[..., dict[str, Any]],
    function: Callable[[str], str],
    tmp_path: Path,
    fault: Any,
    name: str,
) -> None:
    emulator.functions.inject("flaky", fault)
    retry = [{"ErrorEquals": [name], "IntervalSeconds": 1}]
    end = run(chain(task(function("flaky"), Retry=retry)), {"counter": str(tmp_path / "runs"), "failures": 0})
    assert end["output"] == {"runs": 1 if fault == "kill_before" else 2}


def test_a_functions_timeout_is_an_error_of_lambda(emulator: Emulator, run: Callable[..., dict[str, Any]]) -> None:
    arn = deploy_function(emulator, "sleeps", "import time\ndef handler(event, context):\n    time.sleep(60)\n", 1)
    assert run(chain(task(arn)))["error"] == "Sandbox.Timedout"


def test_a_tasks_timeout_is_an_error_of_states_without_cause(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], tmp_path: Path
) -> None:
    machine = chain(
        task(function("held"), TimeoutSecondsPath="$.limit", Catch=catch("States.Timeout")), {"Type": "Pass"}
    )
    event = {"limit": 1, "running": str(tmp_path / "running"), "go": str(tmp_path / "go")}
    assert run(machine, event)["output"]["error"] == {"Error": "States.Timeout", "Cause": ""}
    (tmp_path / "go").touch()  # the function runs on, as on AWS


def test_a_failed_branch_fails_the_whole_and_stops_the_others(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], tmp_path: Path
) -> None:
    event = {"running": str(tmp_path / "running"), "go": str(tmp_path / "go"), "mark": str(tmp_path / "mark")}
    slow = chain(task(function("held")), task(function("mark")))
    both = {"Type": "Parallel", "Branches": [chain(task(function("fail"))), slow], "Catch": catch("BlueNotReady")}
    end = run(chain(both, {"Type": "Pass"}), event)
    assert end["output"]["error"]["Error"] == "BlueNotReady"
    (tmp_path / "go").touch()
    assert not (tmp_path / "mark").exists()


def test_a_timeout_in_a_branch_is_caught_where_the_branches_come_together(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], tmp_path: Path
) -> None:
    event = {"limit": 1, "running": str(tmp_path / "running"), "go": str(tmp_path / "go")}
    slow = chain(task(function("held"), TimeoutSecondsPath="$.limit"))
    both = {"Type": "Parallel", "Branches": [slow, chain({"Type": "Pass"})], "Catch": catch("States.Timeout")}
    assert run(chain(both, {"Type": "Pass"}), event)["output"]["error"]["Error"] == "States.Timeout"
    (tmp_path / "go").touch()


def test_an_execution_can_fail_with_a_timeout_that_was_caught(
    run: Callable[..., dict[str, Any]], function: Callable[[str], str], tmp_path: Path
) -> None:
    event = {"limit": 1, "running": str(tmp_path / "running"), "go": str(tmp_path / "go")}
    slow = task(function("held"), TimeoutSecondsPath="$.limit", Catch=catch("States.Timeout"))
    end = run(chain(slow, {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}), event)
    assert (end["status"], end["error"]) == ("FAILED", "States.Timeout")
    (tmp_path / "go").touch()


def test_the_history_of_a_branch_that_was_stopped_as_it_entered_a_task_can_be_read(emulator: Emulator) -> None:
    manager = EventManager()
    for timeout_s in (30, {"the": "state's input"}):
        details: Any = {"lambdaFunctionScheduledEventDetails": {"resource": "mark", "timeoutInSeconds": timeout_s}}
        manager.add_event(EventHistoryContext.of_program_start(), HistoryEventType.LambdaFunctionScheduled, details)
    history: Any = manager.get_event_history()
    assert [event["lambdaFunctionScheduledEventDetails"] for event in history] == [
        {"resource": "mark", "timeoutInSeconds": 30},
        {"resource": "mark"},
    ]


def test_branches_come_together(run: Callable[..., dict[str, Any]]) -> None:
    branches = [chain({"Type": "Pass", "Result": {"n": n}}) for n in range(3)]
    selector = {"first.$": "$[0].n", "last.$": "$[2].n"}
    both = {"Type": "Parallel", "Branches": branches, "ResultSelector": selector, "ResultPath": "$.all"}
    assert run(chain(both), {"kept": True})["output"] == {"kept": True, "all": {"first": 0, "last": 2}}


def test_a_map_runs_over_a_list(run: Callable[..., dict[str, Any]]) -> None:
    mapped = {"Type": "Map", "ItemsPath": "$.databases", "ItemProcessor": chain({"Type": "Pass"})}
    mapped |= {"ItemSelector": {"database.$": "$$.Map.Item.Value", "of.$": "$.name"}, "ResultPath": "$.each"}
    output = run(chain(mapped), {"databases": ["app", "crm"], "name": "shop"})["output"]
    assert output["each"] == [{"database": "app", "of": "shop"}, {"database": "crm", "of": "shop"}]


def test_wait_until_a_time_and_choose_by_time(run: Callable[..., dict[str, Any]]) -> None:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    end = run(chain({"Type": "Wait", "TimestampPath": "$.until"}, {"Type": "Pass"}), {"until": until})
    assert end["stopDate"].timestamp() >= time.mktime(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - 1


def test_fail_takes_error_and_cause_from_the_state(run: Callable[..., dict[str, Any]]) -> None:
    failed = {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "States.Format('because: {}', $.error.Cause)"}
    end = run(chain(failed), {"error": {"Error": "ApprovalDenied", "Cause": "not today"}})
    assert (end["status"], end["error"], end["cause"]) == ("FAILED", "ApprovalDenied", "because: not today")


class Approval:
    """An execution that waits for the answer to a mail."""

    def __init__(self, emulator: Emulator, name: str, **more: Any) -> None:
        sns = emulator.client("sns")
        topic = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{name}@example.com")
        message = (
            "States.Format('Release {}\n\naws stepfunctions send-task-success --task-token {}', $.name, $$.Task.Token)"
        )
        parameters = {"TopicArn": topic, "Subject.$": "States.Format('Approve {}', $.name)", "Message.$": message}
        ask = task(
            "arn:aws:states:::sns:publish.waitForTaskToken", Parameters=parameters, ResultPath="$.approval", **more
        )
        machine = deploy_machine(emulator, name, chain(ask, {"Type": "Pass"}))
        self._emulator, self._address = emulator, f"{name}@example.com"
        self.execution = start(emulator, machine, {"name": "é"})
        eventually(self._received)
        self.mail = self._received()[0]
        self.token = self.mail.get_content().split()[-1]

    def _received(self) -> list[Any]:
        return [mail for mail in mails(self._emulator.folder) if mail["To"] == self._address]

    def succeed(self) -> None:
        client = self._emulator.client("stepfunctions")
        client.send_task_success(taskToken=self.token, output='{"approved_by": "lead"}')

    def deny(self) -> None:
        client = self._emulator.client("stepfunctions")
        client.send_task_failure(taskToken=self.token, error="ApprovalDenied", cause="not today")

    def refused(self, answer: Callable[[], None]) -> str:
        with pytest.raises(ClientError) as error:
            answer()
        return str(error.value.response["Error"]["Code"])


def test_a_mail_asks_and_the_answer_goes_on(emulator: Emulator) -> None:
    approval = Approval(emulator, "approved")
    assert approval.mail["Subject"] == "Approve é"
    assert approval.mail.get_content().startswith("Release é\n\naws stepfunctions")
    approval.succeed()
    assert finished(emulator, approval.execution)["output"]["approval"] == {"approved_by": "lead"}


def test_a_denial_is_caught_with_its_cause(emulator: Emulator) -> None:
    approval = Approval(emulator, "denied", Catch=catch("ApprovalDenied"))
    approval.deny()
    error = finished(emulator, approval.execution)["output"]["error"]
    assert error == {"Error": "ApprovalDenied", "Cause": "not today"}


def test_an_approval_can_time_out(emulator: Emulator) -> None:
    approval = Approval(emulator, "late", TimeoutSeconds=1, Catch=catch("States.Timeout"))
    assert finished(emulator, approval.execution)["output"]["error"]["Error"] == "States.Timeout"
    assert approval.refused(approval.succeed) == "TaskTimedOut"


def test_a_token_answers_once(emulator: Emulator) -> None:
    approval = Approval(emulator, "once")
    outcomes: list[str] = []
    together = threading.Barrier(4)

    def answer() -> None:
        together.wait()
        try:
            approval.succeed()
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["TaskTimedOut"] * 3
    approval.token = "nonsense"
    assert approval.refused(approval.succeed) == "InvalidToken"


def test_a_token_is_answered_while_another_execution_is_about_to_begin(emulator: Emulator) -> None:
    approval = Approval(emulator, "beside")
    (backend,) = stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID].values()
    running = ExecutionStatus.RUNNING
    executions: list[Any] = backend.state_machines[0].executions
    executions.insert(0, SimpleNamespace(exec_worker=None, status=running, exec_status=running))
    approval.succeed()
    assert finished(emulator, approval.execution)["status"] == "SUCCEEDED"


def test_stopping_ends_a_wait_for_an_answer(emulator: Emulator) -> None:
    approval = Approval(emulator, "stopped", Catch=catch("States.ALL"))
    client = emulator.client("stepfunctions")
    client.stop_execution(executionArn=approval.execution, error="Manual", cause="by hand")
    end = client.describe_execution(executionArn=approval.execution)
    assert (end["status"], end["error"], end["cause"]) == ("ABORTED", "Manual", "by hand")
    assert approval.refused(approval.succeed) == "TaskTimedOut"
    assert client.describe_execution(executionArn=approval.execution)["status"] == "ABORTED"

    def last_event() -> str:
        history = client.get_execution_history(executionArn=approval.execution)["events"]
        return str(history[-1]["type"])

    eventually(lambda: last_event() == "ExecutionAborted")


def test_stopping_lets_the_function_run_on_but_no_further_state(
    emulator: Emulator, function: Callable[[str], str], tmp_path: Path
) -> None:
    event = {key: str(tmp_path / key) for key in ("running", "go", "mark")}
    states = task(function("held"), Catch=catch("States.ALL"), ResultPath=None), task(function("mark"))
    execution = start(emulator, deploy_machine(emulator, "stopped-at-work", chain(*states)), event)
    eventually((tmp_path / "running").exists)
    ended: list[str] = []
    emulator.functions.after_invoke.append(ended.append)
    client = emulator.client("stepfunctions")
    client.stop_execution(executionArn=execution)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert not ended
    (tmp_path / "go").touch()
    eventually(lambda: ended)
    emulator.functions.after_invoke.remove(ended.append)
    history = client.get_execution_history(executionArn=execution)["events"]
    assert not (tmp_path / "mark").exists()
    assert not any(entry.get("stateEnteredEventDetails", {}).get("name") == "S1" for entry in history)


def test_an_execution_can_be_stopped_as_soon_as_it_is_started(emulator: Emulator) -> None:
    machine = deploy_machine(emulator, "stopped-early", chain({"Type": "Wait", "Seconds": 600}))
    client = emulator.client("stepfunctions")
    executions = [start(emulator, machine) for _ in range(5)]
    for execution in executions:
        client.stop_execution(executionArn=execution)
        assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_a_machine_can_time_out(run: Callable[..., dict[str, Any]]) -> None:
    assert run(chain({"Type": "Wait", "Seconds": 600}) | {"TimeoutSeconds": 1})["status"] == "TIMED_OUT"
