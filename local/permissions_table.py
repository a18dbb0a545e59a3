"""The matrix of permissions, printed for whoever has to agree to it."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from local.aws.permissions.excused import EXCUSES
from local.aws.permissions.guard import Unit
from local.permissions import Matrix

WIDTH = 120
OF_ALL = tuple(excuse for excuse in EXCUSES if excuse.caller == "*")
"""What is excused for everybody is said once, at the end."""
_COLUMNS = ("called", "allowed", "excused", "unused", "missing")


def table(matrix: Matrix) -> str:
    """How many actions each caller has called and may call, which they are, and what differs, with the reasons."""
    return "\n".join([*_summary(matrix), "", *_details(matrix), "", *_excuses(matrix), "", _largest(matrix)])


def _summary(matrix: Matrix) -> Iterator[str]:
    unused = set(matrix.unused())
    by_column = {
        "called": _by_caller((each.caller, each.asked.action) for each in matrix.called()),
        "allowed": _by_caller((each.caller, each.statement.actions[0]) for each in matrix.units),
        "excused": _by_caller((each.caller, each.in_words()) for each in matrix.idle() if each not in unused),
        "unused": _by_caller((each.caller, each.in_words()) for each in unused),
        "missing": _by_caller((each.caller, each.asked.action) for each in matrix.missing()),
    }
    yield "Actions that were called and that are allowed; permissions that nobody needed, and calls that were refused:"
    yield f"{'':46}" + "".join(f"{name:>9}" for name in _COLUMNS)
    for caller in _callers(matrix):
        yield f"{caller:46}" + "".join(f"{len(by_column[name][caller]):>9}" for name in _COLUMNS)


def _details(matrix: Matrix) -> Iterator[str]:
    called = _by_caller((each.caller, each.asked.action) for each in matrix.called())
    allowed, unused = _units_by_caller(matrix.units), _units_by_caller(matrix.unused())
    idle = set(matrix.idle()) - {unit for unit in matrix.units if any(each.fits(unit) for each in OF_ALL)}
    idle -= set(matrix.unused())
    missing = _by_caller((each.caller, f"{each.asked.action} on {each.asked.resource}") for each in matrix.missing())
    for caller in _callers(matrix):
        yield caller
        for service, actions in _by_service(called[caller]):
            yield from _wrapped(f"    {service:16}", ", ".join(actions))
        excused = sorted(unit.in_words() for unit in allowed[caller] if unit in idle)
        yield from (line for each in excused for line in _wrapped("    only allowed    ", each))
        yield from (line for each in unused[caller] for line in _wrapped("    UNUSED          ", each.in_words()))
        yield from (line for each in sorted(missing[caller]) for line in _wrapped("    MISSING         ", each))


def _excuses(matrix: Matrix) -> Iterator[str]:
    idle = matrix.idle()
    yield "Allowed although no run needs it, for a reason:"
    for excuse in EXCUSES:
        count = sum(map(excuse.fits, idle))
        yield from _wrapped("    ", f"{excuse.caller}: {excuse.action} on {excuse.resource} ({count})")
        yield from _wrapped("        ", excuse.reason)


def _largest(matrix: Matrix) -> str:
    name, size = max(matrix.payload_bytes.items(), key=lambda pair: pair[1], default=("none", 0))
    return f"Largest payload of a state: {size} bytes, {name}"


def _callers(matrix: Matrix) -> list[str]:
    return sorted({unit.caller for unit in matrix.units} | {call.caller for call in matrix.called()})


def _by_caller(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for caller, what in pairs:
        found[caller].add(what)
    return found


def _units_by_caller(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    found: dict[str, list[Unit]] = defaultdict(list)
    by_words: Callable[[Unit], str] = Unit.in_words
    for unit in sorted(units, key=by_words):
        found[unit.caller].append(unit)
    return found


def _by_service(actions: Iterable[str]) -> list[tuple[str, list[str]]]:
    found = defaultdict(list)
    for action in sorted(actions):
        service, _, name = action.partition(":")
        found[service].append(name)
    return sorted(found.items())


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
