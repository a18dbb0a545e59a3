"""From when on the freeze budget counts."""

from __future__ import annotations

import dataclasses

import pytest

from bluegreen import freeze
from bluegreen.model import Plan

STOPPED_AT = "2026-11-23T04:05:06.789Z"


@pytest.mark.parametrize(
    ("in_budget", "stop", "expected"),
    [(True, {"asked_at": STOPPED_AT}, STOPPED_AT), (False, {"asked_at": STOPPED_AT}, None), (True, None, None)],
)
def test_the_budget_counts_from_the_call_of_the_customers_function_if_it_is_to(
    plan: Plan, in_budget: bool, stop: dict[str, str] | None, expected: str | None
) -> None:
    configured = dataclasses.replace(plan, freeze_hook_in_budget=in_budget)
    assert freeze.counted_from(configured, {"stop": stop} if stop else {}) == expected
