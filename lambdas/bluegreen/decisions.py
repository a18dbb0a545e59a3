"""What becomes of a release whose execution died, decided on what is there and never on what the execution believed.

Safety invariant: ``finish`` is decided only when green is known to be open, and then always; it never unfreezes blue.
All else is ``undo``, which is no decision against green: its first step, ``AbortSwitchover``, reads the two rows again
in the transactions that change them (docs/adr/0001), goes on forward if green turns out to be open, and waits for
green's word if that is needed. So a look that is out of date, or two recoveries at once, cannot make two writers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

Action = Literal["nothing", "undo", "finish"]

Freeze = Literal["none", "frozen", "may be open", "open", "ended"]
"""What blue says: never frozen; frozen; frozen and green asked to open; green known to be open; given back."""

Verdict = Literal["none", "open", "abort", "unknown"]
"""What green says: nothing yet, or it was not asked; its verdict; or it does not answer, or is gone."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a recovery finds of an execution and its release."""

    is_running: bool
    holds_lock: bool
    freeze: Freeze = "none"
    verdict: Verdict = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why, in a sentence for the release leads."""

    action: Action
    reason: str


def after_death(found: Found) -> Decision:
    """What to do about an execution's release.

    >>> after_death(Found(is_running=False, holds_lock=True, freeze="may be open", verdict="open"))
    Decision(action='finish', reason='Green was open.')
    """
    if found.is_running:
        return Decision("nothing", "The execution is running and looks after its release itself.")
    if not found.holds_lock:
        return Decision("nothing", "The execution holds no lock: it had cleaned up, or never begun.")
    if found.verdict == "open" or found.freeze == "open":
        return Decision("finish", "Green was open.")
    match found.freeze:
        case "none":
            reason = "Blue had not been frozen."
        case "frozen":
            reason = "Blue was frozen, and green had not been asked to open."
        case "ended":
            reason = "Blue had been given back."
        case "may be open":
            reason = f"Blue was frozen and green asked to open; {_words(found.verdict)}."
        case _:
            assert_never(found.freeze)
    return Decision("undo", reason)


def _words(verdict: Literal["none", "abort", "unknown"]) -> str:
    match verdict:
        case "none":
            return "it had not opened"
        case "abort":
            return "it had been aborted first"
        case "unknown":
            return "whether it did could not be seen"
        case _:
            assert_never(verdict)
