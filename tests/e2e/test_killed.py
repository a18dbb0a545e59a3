"""Functions that die, in every state at once: whenever it happens, the retried function comes to the same result."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from local.aws.functions import Fault
from local.clients.reconcile import reconcile
from local.clients.sample import Sample, create_sample
from local.clients.workload import Workload
from local.world import World
from tests.e2e.conftest import break_function, start, traces
from tests.waiting import eventually

DEFINITION = Path("statemachine/release.asl.json").read_text(encoding="utf-8")
STATES = sorted(set(re.findall(r"\$\{(\w+)FunctionArn\}", DEFINITION)))
WAY_OUT = {"AbortSwitchover", "RestoreDns", "CleanUpReplication", "DeleteGreen", "ReleaseLock"}
DATABASES = ("app", "crm")


@pytest.fixture(scope="module")
def sample(running: World) -> Sample:
    return create_sample(running.blue)


@pytest.mark.parametrize("fault", ["kill_before", "kill_during", "kill_after", "twice"])
def test_a_release_in_which_every_function_has_an_accident_loses_nothing(
    running: World, sample: Sample, fault: Fault
) -> None:
    blue = running.production()
    workload = Workload(sample, running.record, running.resolver, running.aurora.port)
    workload.start()
    try:
        eventually(lambda: workload.acknowledged > 50)
        for state in STATES:
            if state not in WAY_OUT:
                break_function(running, state, fault, after_s=random.uniform(0, 0.05))  # noqa: S311
        release = start(running)
        release.wait_for_approval_request()
        release.answer("approve")
        described = release.wait()
        assert described["status"] == "SUCCEEDED", release.failure()
        before = workload.acknowledged
        eventually(lambda: workload.acknowledged > before + 100)
    finally:
        workload.stop()
    green = running.server(json.loads(described["output"])["green"])
    result = reconcile(sample, workload.journal, blue, green)
    assert result.findings == []
    assert result.blue_refuses_writes
    assert result.client_write_gap_ms is not None
    assert result.client_write_gap_ms > 0
    assert traces(running, green, DATABASES)["locks"] == []


@pytest.mark.parametrize("fault", ["kill_before", "kill_during", "kill_after", "twice"])
def test_a_way_out_in_which_every_function_has_an_accident_leaves_nothing(
    running: World, sample: Sample, fault: Fault
) -> None:
    blue = running.production()
    before = traces(running, blue, DATABASES)
    break_function(running, "OpenGreen", "raise")
    for state in WAY_OUT:
        break_function(running, state, fault, after_s=random.uniform(0, 0.05))  # noqa: S311
    release = start(running, {"max_attempts": 1})
    release.wait_for_approval_request()
    release.answer("approve")
    assert release.wait()["error"] == "InjectedError"
    assert traces(running, blue, DATABASES) == before
