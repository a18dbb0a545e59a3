"""The pictures of a record, each with its caption: what they say is in words and tables, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from . import words
from .drawing import Bar, Marks, axis, columns, curves, legend, row
from .markup import Markup, tag
from .scale import Scale

Span = Mapping[str, Any]
Record = Mapping[str, Any]

PHASE_BEGINS = {
    "PlanRelease": "Plan and check",
    "CreateReplicationUser": "Prepare blue",
    "CloneBlue": "Make green",
    "CheckDrift": "Follow blue",
    "CreateGlobalCluster": "Other Regions",
    "BeginVerification": "Prove",
    "RequestApproval": "Approval",
    "RecheckReadiness": "Switchover",
    "WaitForDns": "After the opening",
    "RehearseSwitchover": "Rehearsal",
    "AbortSwitchover": "Way back to blue",
    "RestoreDns": "Way back to blue",
    "CleanUpReplication": "Clean up",
    "WriteReport": "Tell",
    "InspectRelease": "Recovery",
}
"""A phase goes on until a state begins another one, so that a new state needs no place here."""

_DRAWN = frozenset({"Task", "Map", "Parallel", "Wait"})
IN_THE_FREEZE = frozenset(
    {"FreezeBlue", "Switchover", "WaitForDrain", "VerifyCutover", "SyncSequences", "FlipDns", "OpenGreen"}
)
MARGIN_S = 2.0
"""How much of what the clients did is shown before the freeze and after the first write on green."""


def seconds(instant: str) -> float:
    """An instant of the record since the epoch."""
    return datetime.fromisoformat(instant).timestamp()


def timeline(record: Record) -> Markup:
    """Every state that took time, in the order of their first visits; waits for people are broken."""
    spans = [span for span in record["timeline"] if span["kind"] in _DRAWN]
    if not spans:
        return tag("p", "No state was entered.", class_="note")
    end = record["ended_at"]
    waits = [(seconds(span["entered_at"]), seconds(span["left_at"] or end)) for span in spans if span["is_waiting"]]
    scale = Scale(seconds(record["started_at"]), seconds(end), waits)
    return tag(
        "figure",
        tag(
            "table",
            _head(axis(scale, _clock(scale))),
            *_phases(spans, scale, end),
            class_="bars",
        ),
        tag(
            "figcaption",
            f"All times in UTC; {words.duration(record['elapsed_s'])} in all. Red: a try that failed.",
            " Light: several side by side." if any(span["within"] for span in spans) else None,
            " Amber: writes are refused." if any(span["state"] == "FreezeBlue" for span in spans) else None,
            " Grey and cut: waiting, drawn shorter than it was." if scale.breaks else None,
        ),
    )


def _phases(spans: Sequence[Span], scale: Scale, end: str) -> list[Markup]:
    phases: dict[str, dict[str, list[Span]]] = {}
    phase = "Plan and check"
    of_state: dict[str, str] = {}
    for span in spans:
        if span["state"] not in of_state:
            phase = of_state[span["state"]] = PHASE_BEGINS.get(span["state"], phase)
        phase = of_state[span["state"]]
        name = phase if span["machine"] == "release" else "Recovery"
        phases.setdefault(name, {}).setdefault(span["state"], []).append(span)
    return [
        tag(
            "tbody",
            tag("tr", tag("th", name, colspan=3, scope="rowgroup"), class_="phase"),
            *(_state(state, visits, scale, end) for state, visits in states.items()),
        )
        for name, states in phases.items()
    ]


def _state(name: str, visits: Sequence[Span], scale: Scale, end: str, marks: Marks | None = None) -> Markup:
    kind = "wait" if visits[0]["is_waiting"] else "frozen" if name in IN_THE_FREEZE else "work"
    if visits[0]["kind"] in ("Map", "Parallel"):
        kind = "side"
    took = sum(seconds(visit["left_at"] or end) - seconds(visit["entered_at"]) for visit in visits)
    return tag(
        "tr",
        tag("th", name, scope="row", class_="inner" if visits[0]["within"] else None),
        tag("td", row(scale, _bars(name, visits, kind, end), marks), class_="b"),
        _n(words.duration(took)),
    )


def _bars(name: str, visits: Iterable[Span], kind: str, end: str) -> list[Bar]:
    bars = []
    for visit in visits:
        begin_s, end_s = seconds(visit["entered_at"]), seconds(visit["left_at"] or end)
        title = f"{name}: {words.clock(visit['entered_at'])}, {words.duration(end_s - begin_s)}"
        if visit["tries"] > 1:
            title += f", {visit['tries']} tries"
        bars.append(Bar(begin_s, end_s, kind, title))
        for failed in visit["failed_tries"]:
            stretch = seconds(failed["started_at"]), seconds(failed["ended_at"] or end)
            bars.append(Bar(*stretch, "fail", f"{name}: {failed['error']} at {words.clock(failed['ended_at'] or end)}"))
    return bars


def switchover(record: Record) -> Markup | None:
    """From the last freeze to the opening, or back, in milliseconds; None when nothing was frozen."""
    spans = [span for span in record["timeline"] if span["machine"] == "release"]
    began = [place for place, span in enumerate(spans) if span["state"] == "FreezeBlue"]
    if not began:
        return None
    shown: list[Span] = []
    for span in spans[began[-1] :]:
        if span["kind"] in _DRAWN:
            shown.append(span)
        if span["state"] in ("OpenGreen", "AbortSwitchover"):
            break
    end = shown[-1]["left_at"] or record["ended_at"]
    marks = _marks(record)
    zero_s = marks.frozen_s or seconds(shown[0]["entered_at"])
    scale = Scale(seconds(shown[0]["entered_at"]), max(seconds(end), marks.opened_s or 0), origin_s=zero_s)
    rows = [_state(span["state"], [span], scale, end, marks) for span in shown]
    head = _head(axis(scale, lambda at: f"{(at - zero_s) * 1000:.0f} ms"))
    caption = (
        "Between the two lines writes were refused: from the commit of the freeze, by blue's clock, to the opening, by"
        " green's; the bars are by the clock of Step Functions."
        if marks.opened_s
        else "The switchover was called off; blue takes writes again from the end of AbortSwitchover."
    )
    return tag(
        "figure",
        tag(
            "table",
            head,
            tag("tbody", *rows),
            class_="bars",
        ),
        tag("figcaption", caption),
    )


def lag(record: Record) -> Markup | None:
    """How far green was behind blue, by the samples of the monitor; None when there are none."""
    samples = record["lag_samples"]
    if not samples:
        return None
    names = sorted({name for sample in samples for name in sample["databases"]})

    def lines(figure: str) -> dict[str, list[tuple[float, float]]]:
        found = {
            name: [
                (seconds(sample["at"]), float(sample["databases"][name][figure]))
                for sample in samples
                if sample["databases"].get(name, {}).get(figure) is not None
            ]
            for name in names
        }
        return {name: line for name, line in found.items() if line}

    label = _clock(Scale(seconds(samples[0]["at"]), seconds(samples[-1]["at"])))
    plots = [
        part
        for title, figure, unit in (("Bytes", "lag_bytes", words.size), ("Seconds", "lag_s", words.duration))
        if lines(figure)
        for part in (tag("h3", f"{title} behind blue"), curves(lines(figure), unit, label))
    ]
    caption = f"{words.plural(len(samples), 'sample')} of the lag monitor, each database a curve."
    return tag("figure", *plots, legend(names), tag("figcaption", caption))


def write_gap(record: Record) -> Markup | None:
    """What clients got through around the freeze, if some measured it."""
    clients, marks = record["clients"], _marks(record)
    if not clients or marks.frozen_s is None:
        return None
    zero_s, each_s, begin_s = marks.frozen_s, clients["bin_ms"] / 1000, seconds(clients["began_at"])
    until_s = (marks.opened_s or zero_s) + (clients.get("write_gap_ms") or 0) / 1000 + MARGIN_S
    first = max(int((zero_s - MARGIN_S - begin_s) / each_s), 0)
    shown = clients["acknowledged"][first : max(int((until_s - begin_s) / each_s), 0)]
    if not shown:
        return None
    plot = columns(shown, begin_s + first * each_s, each_s, marks, lambda at: _from_freeze(at - zero_s))
    caption = (
        f"Writes that clients saw committed, in each {clients['bin_ms']} ms, from the freeze on. Tinted: from freeze to"
        " opening. What is longer than that is the way of the record to the clients."
    )
    return tag("figure", plot, tag("figcaption", caption))


def _marks(record: Record) -> Marks:
    """Freeze and opening by the clocks of the databases, as far as they are known."""
    told = record["switchover"] or {}
    return Marks(*(seconds(told[name]) if told.get(name) else None for name in ("frozen_at", "opened_at")))


def _from_freeze(after_s: float) -> str:
    """
    >>> _from_freeze(-2), _from_freeze(0.0), _from_freeze(1.5)
    ('-2 s', '0 s', '+1.5 s')
    """
    return f"{after_s:+.3g} s" if abs(after_s) > 1e-3 else "0 s"


def _clock(scale: Scale) -> Callable[[float], str]:
    """How instants of an axis are written: by the day when it is long."""
    ticks = scale.ticks()
    apart_s = min((b - a for a, b in pairwise(ticks)), default=60)
    day = "%b %d " if scale.end_s - scale.begin_s > 86_400 else ""
    pattern = f"{day}{'%H:%M:%S' if apart_s < 60 and not day else '%H:%M'}"
    return lambda at: f"{datetime.fromtimestamp(at, UTC):{pattern}}"


def _head(drawn: Markup) -> Markup:
    """The heads of a table of bars."""
    took = tag("th", "Took", scope="col", class_="n")
    return tag("thead", tag("tr", tag("th", "State", scope="col"), tag("td", drawn, class_="b"), took))


def _n(text: str) -> Markup:
    return tag("td", text, class_="n")
