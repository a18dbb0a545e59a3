"""The pure parts of the benchmark: what it counts and how it sums up. Their smaller examples are doctests."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import application, chunks, empty, path, scaling, switchover, timeline
from benchmarks.path import critical_path


def task(following: str | None = None) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "${AnyFunctionArn}", **({"Next": following} if following else {"End": True})}


def parallel(*branches: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    made = [{"StartAt": next(iter(branch)), "States": branch} for branch in branches]
    return {"Type": "Parallel", "Branches": made, **({"Next": following} if following else {"End": True})}


def test_the_longest_branch_counts_and_what_goes_on_beside_does_not() -> None:
    machine = {
        "StartAt": "Before",
        "States": {
            "Before": task("Freeze"),
            "Freeze": task("Side"),
            "Side": parallel({"Short": task()}, {"One": task("Two"), "Two": task()}, following="Open"),
            "Open": task("After"),
            "After": task(),
        },
    }
    assert critical_path(machine, "Freeze", "Open") == ["Freeze", "One", "Two", "Open"]


def test_the_way_may_begin_inside_a_branch() -> None:
    inner = {"Freeze": task("Settle"), "Settle": parallel({"A": task()}, {"B": task("C"), "C": task()})}
    outer = parallel({"Flip": task("FlipMore"), "FlipMore": task()}, inner, following="Open")
    machine = {"StartAt": "Side", "States": {"Side": outer, "Open": task()}}
    assert critical_path(machine, "Freeze", "Open") == ["Freeze", "B", "C", "Open"]


def test_choices_ways_back_and_tasks_that_are_no_functions_are_understood() -> None:
    machine = {
        "StartAt": "Freeze",
        "States": {
            "Freeze": task("Decide"),
            "Decide": {"Type": "Choice", "Choices": [{"Next": "Freeze"}, {"Next": "Mail"}], "Default": "Open"},
            "Mail": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Next": "Hook"},
            "Hook": task("Open"),
            "Open": task(),
        },
    }
    assert critical_path(machine, "Freeze", "Open") == ["Freeze", "Hook", "Open"]
    with pytest.raises(ValueError, match="no way leads from Open to Freeze"):
        critical_path(machine, "Open", "Freeze")


def test_at_most_five_function_tasks_stand_one_after_another_from_freeze_to_open() -> None:
    tasks = critical_path(path.load(), "FreezeBlue", "OpenGreen")
    assert tasks[0] == "FreezeBlue"
    assert tasks[-1] == "OpenGreen"
    assert "FlipDns" not in tasks, "opening does not wait for DNS"
    assert len(tasks) <= 5


def test_examples_in_the_benchmark_hold() -> None:
    import doctest

    for module in (application, chunks, empty, scaling, switchover, timeline):
        assert doctest.testmod(module).failed == 0
