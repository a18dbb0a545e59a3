"""The sections of the page, in their order. One that has nothing to say is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import figures, words
from .markup import Markup, join, tag
from .people import answered_by
from .tables import facts, table

Record = Mapping[str, Any]
Section = Callable[[Record], Markup | None]

MOST_VISITS = 400
"""The table of all visits shows so many; the document has the rest."""

MOST_SCRIPTS = 100


def _switchover(record: Record) -> Markup | None:
    picture = figures.switchover(record)
    told = record["switchover"]
    if picture is None:
        return None
    if not told:
        return picture
    ended = f"{told['sessions_ended']} sessions were ended" if told["sessions_ended"] is not None else None
    attempts = told["attempts"] or 1
    rows = [
        ("Blue frozen", _instant(told["frozen_at"], "the clock of blue")),
        ("Green opened", _instant(told["opened_at"], "the clock of green")),
        ("Writes refused", f"{told['freeze_to_open_ms']:.0f} ms" if told["freeze_to_open_ms"] is not None else None),
        ("Kept from connecting", f"{words.plural(told['roles'] or 0, 'role')}; {ended}" if ended else None),
        ("Hook after the opening", _hook_failure(told.get("hook_failure"))),
        ("Attempts", f"{attempts}; those before were called off" if attempts > 1 else None),
    ]
    gap = figures.write_gap(record)
    clients = record["clients"] or {}
    more = [tag("h3", "What clients saw"), gap] if gap else []
    if clients.get("write_gap_ms") is not None:
        more.append(
            tag("p", f"Between the last write on blue and the first on green: {clients['write_gap_ms']:.0f} ms.")
        )
    return join([picture, facts(rows), *more])


def _hook_failure(failure: Mapping[str, Any] | None) -> str | None:
    return f"failed: {failure['error']}: {failure['reason']}" if failure else None


def _instant(instant: str | None, whose: str) -> str | None:
    return f"{words.when(instant)[:10]} {words.clock(instant)} UTC, by {whose}" if instant else None


def _timeline(record: Record) -> Markup:
    return figures.timeline(record)


def _approval(record: Record) -> Markup | None:
    asked, evidence = record["requests"], record["evidence"]
    if not asked:
        return None
    rows = [
        (
            words.when(each["asked_at"]),
            {"RequestApproval": "approval", "AskForCorrection": "corrected script"}.get(each["state"], each["state"]),
            each["answer"].get("decision") or ("no answer in time" if not each["answered_at"] else "none of the known"),
            answered_by(each["answer"]),
            words.duration(each["waited_s"]),
        )
        for each in asked
    ]
    text = evidence.get("text")
    return join(
        [
            table(("Asked", "For", "Answer", "By", "After"), rows, numbers=frozenset({4})) if rows else None,
            tag("h3", "What the approver was told") if text else None,
            tag("pre", text, tabindex=0) if text else None,
        ]
    )


def _findings(record: Record) -> Markup | None:
    found = record["findings"]
    kinds = [("accepted by " + str(record["requested_by"]), found.get("accepted")), ("note", found.get("notes"))]
    rows = [(name, number, kind) for kind, counts in kinds for name, number in (counts or {}).items()]
    listed = [
        (each.get("id"), each.get("count"), each.get("severity"), each.get("why")) for each in found.get("findings", [])
    ]
    if listed:
        return join(
            [
                table(("Finding", "How many", "Kind", "Why it matters"), listed, numbers=frozenset({1})),
                tag("details", tag("summary", "In full, with remedies"), tag("pre", found.get("text", ""))),
            ]
        )
    if rows:
        return table(("Finding", "How many", "Kind"), rows, numbers=frozenset({1}))
    return tag("p", "Nothing was found that stands in the way of a release.") if found else None


_COMPARED: tuple[tuple[str, Callable[[Any], str], str], ...] = (
    ("Size", words.size, "size_bytes"),
    ("Tables", words.count, "tables"),
    ("Rows compared", words.count, "rows_compared"),
    ("Again in the freeze", words.count, "rows_compared_in_freeze"),
    ("Sequences set", words.count, "sequences_set"),
    ("Drained in", words.duration, "drain_s"),
)


def _verification(record: Record) -> Markup | None:
    if not (compared := record["verification"]):
        return None
    known = [(title, show, name) for title, show, name in _COMPARED if any(each[name] is not None for each in compared)]
    heads = ("Database", *(title for title, _, _ in known))
    rows = [(each["database"], *(show(each[name]) for _, show, name in known)) for each in compared]
    note = (
        "Every row of every table was compared on both sides while writes went on. What changed after that was compared"
        " again when both sides stood still."
        if record["switchover"]
        else "Every row of every table was compared on both sides while writes went on."
    )
    return join([tag("p", note), table(heads, rows, numbers=frozenset(range(1, len(heads))))])


def _lag(record: Record) -> Markup | None:
    if picture := figures.lag(record):
        return picture
    if not (measured := record["evidence"].get("lag")):
        return None
    rows = [(each["database"], words.size(each["lag_bytes"]), words.duration(each["lag_s"])) for each in measured]
    heads = ("Database", "Behind", "A row takes")
    note = tag("p", "No samples were kept over time; this is what was measured for the request for approval.")
    return join([note, table(heads, rows, numbers=frozenset({1, 2}))])


def _rehearsal(record: Record) -> Markup | None:
    text = record["rehearsal"].get("text")
    return tag("pre", text) if text else None


def _green(record: Record) -> Markup | None:
    made = record["green_prepared"]
    upgrade = made["upgrade"]
    repaired = sum(made["repaired_statements"].values())
    updated = [f"{name}: {text}" for name, told in made["extensions"].items() for text in told.get("updated", [])]
    engine = f"{upgrade['was']} to {upgrade['version']}" if upgrade.get("was") != upgrade.get("version") else None
    rows = [
        ("Engine", engine),
        ("Parameter group", upgrade.get("group")),
        ("Left behind", ", ".join(map(str, upgrade.get("left_behind") or []))),
        ("Extensions", "; ".join(updated)),
        ("Drift", f"{words.plural(repaired, 'statement')} repaired" if repaired else "none was left"),
        ("Cache", _warmth(made["warmth"])),
    ]
    ran = made["changes"]
    scripts = [
        (
            each.get("script"),
            each.get("database"),
            each.get("statements"),
            each.get("rows"),
            words.duration(each.get("seconds")),
            each.get("sha256"),
        )
        for each in ran[:MOST_SCRIPTS]
    ]
    heads = ("Script", "Database", "Statements", "Rows", "Took", "SHA-256 begins")
    if not (made["warmth"] or upgrade or scripts):
        return None
    return join([facts(rows), table(heads, scripts, numbers=frozenset({2, 3, 4})) if scripts else None])


def _warmth(warmth: Mapping[str, Any]) -> str | None:
    if not warmth:
        return None
    loaded = sum(each.get("bytes_loaded", 0) for each in warmth.values())
    analysed = sum(each.get("tables_analysed", 0) for each in warmth.values())
    return f"{words.size(loaded)} loaded, {words.plural(analysed, 'table')} analysed"


def _elsewhere(record: Record) -> Markup | None:
    away = record["elsewhere"]
    if not record["blue"]:
        return None
    end = away["blue_end"]
    rows = [
        ("Blue", record["blue"].get("identifier")),
        ("Green", record["green"].get("identifier")),
        ("Global cluster", away["global_cluster"]),
        ("Secondaries", ", ".join(str(each.get("region")) for each in away["secondaries"])),
        ("End of blue", f"{end}, from {words.when(away['blue_ends_at'])}" if away["blue_ends_at"] else end),
    ]
    records = [
        (
            each.get("name"),
            each.get("type"),
            f"{each.get('endpoint')}{' in ' + each['region'] if each.get('region') else ''}",
            each.get("ttl_s"),
        )
        for each in away["records"]
    ]
    heads = ("Record", "Type", "Leads to the", "TTL before, s")
    return join([facts(rows), table(heads, records, numbers=frozenset({3})) if records else None])


def _cleaned(record: Record) -> Markup | None:
    if not record["cleaned_up"]:
        return None
    rows = [(each["state"], each["what"], words.clock(each["at"])) for each in record["cleaned_up"]]
    return table(("State", "What", "At, UTC"), rows, numbers=frozenset({2}))


def _costs(record: Record) -> Markup:
    costs, clone = record["costs"], record["clone"]
    rows = [
        ("State transitions", words.count(costs["transitions"]), words.dollars(costs["transitions_usd"])),
        ("Function calls", words.count(costs["function_requests"]), words.dollars(costs["requests_usd"])),
        ("Function time", f"{costs['function_gb_s']:,.1f} GB-s", words.dollars(costs["function_time_usd"])),
        ("Together", "", words.dollars(costs["total_usd"])),
    ]
    stood = f"Green stood beside blue for {words.duration(clone['green_stood_h'] * 3600)}"
    after = (
        " and is gone."
        if clone["green_is_gone"]
        else " until the end of this execution; it is production now, or still there."
    )
    note = tag(
        "p",
        f"{stood}, a clone of {words.size(clone['cloned_bytes'])}{after} Its instances are billed by the second, and so"
        " are pages that changed on either side; what they cost is in the bill and not known here.",
    )
    return join(
        [
            table(("What", "How much", "Estimate"), rows, numbers=frozenset({1, 2})),
            tag("p", costs["assumption"], class_="note"),
            note if clone["green_stood_h"] else None,
        ]
    )


def _visits(record: Record) -> Markup:
    spans = record["timeline"]
    rows = [
        (
            each["state"],
            words.clock(each["entered_at"]),
            words.duration(each["duration_s"]),
            each["tries"] or "",
            ", ".join(f"{error} ({number})" for error, number in each["errors"].items()),
        )
        for each in spans[:MOST_VISITS]
    ]
    more = f"{words.plural(len(spans) - MOST_VISITS, 'more visit')}: see release.json."
    return tag(
        "details",
        tag("summary", f"All {words.plural(len(spans), 'visit')} of states, one by one"),
        table(("State", "Entered, UTC", "Took", "Tries", "Errors"), rows, numbers=frozenset({1, 2, 3})),
        tag("p", more) if len(spans) > MOST_VISITS else None,
    )


SECTIONS: tuple[tuple[str, Section], ...] = (
    ("The switchover", _switchover),
    ("What was proven", _verification),
    ("Who decided, and on what", _approval),
    ("What a real release will take", _rehearsal),
    ("Course of the release", _timeline),
    ("Replication lag", _lag),
    ("What was found on blue", _findings),
    ("What is different on green", _green),
    ("Clusters and records", _elsewhere),
    ("Taken away and given back", _cleaned),
    ("What it cost", _costs),
    ("Every state", _visits),
)
