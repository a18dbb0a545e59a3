"""What becomes of a release whose execution died, for everything that can be found."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from bluegreen.decisions import Found, Freeze, Verdict, after_death

EVERYTHING = [
    Found(is_running, holds_lock, freeze, verdict)
    for is_running, holds_lock, freeze, verdict in itertools.product(
        (True, False), (True, False), get_args(Freeze), get_args(Verdict)
    )
]


@pytest.mark.parametrize("found", EVERYTHING, ids=str)
def test_every_finding_has_a_decision_with_a_reason(found: Found) -> None:
    decision = after_death(found)
    assert decision.reason.endswith(".")
    if found.is_running or not found.holds_lock:
        assert decision.action == "nothing"
    else:
        is_open = found.freeze == "open" or found.verdict == "open"
        assert decision.action == ("finish" if is_open else "undo")


def test_reasons_tell_the_findings_apart() -> None:
    reasons = {
        after_death(Found(is_running=False, holds_lock=True, freeze=freeze)).reason for freeze in get_args(Freeze)
    }
    assert len(reasons) == len(get_args(Freeze))
