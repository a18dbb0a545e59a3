"""Drift: what replication does not carry, and is not the same any more on both sides since green was cloned.

Blue now, green now and green as it was cloned are three fingerprints. What is the same on both sides is no drift,
however it came there; the third tells which side has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from . import ddl, fingerprint
from .errors import SchemaDrifted
from .fingerprint import Fingerprint, Key
from .model import Cluster, Plan
from .postgres import Databases
from .session import Session

SHOWN = 20
"""How many differences are told; of the rest only the number is."""

_SHORT = 240
"""How much of each is told: all of it together travels through the state machine as an error."""

_CARRIED_BY_OPENING = {
    "nologin": frozenset(("LOGIN",)),
    "hook": frozenset(("LOGIN",)),
    "revoke_connect": frozenset(("CONNECT", "CONNECT OPTION")),
}
"""What the fence takes from green, and the opening gives to whom the freeze took it from on blue."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not the same on blue and on green. None stands for an object that is not there."""

    key: Key
    on_blue: str | None
    on_green: str | None
    side: str
    """Which side has changed since the clone."""
    verb: str
    remedy: str | None
    """The statement, or statements, that would bring green in line with blue."""

    def __str__(self) -> str:
        changed = f" from {_short(self.on_green, 60)} to {_short(self.on_blue, 60)}" if self._is_shown else ""
        remedy = "do the same on green by hand" if self.side == "blue" else "make it on green as it is on blue"
        if self.key.kind == "PASSWORD":
            remedy = f"set it on green as well: ALTER {self.key.part_of} PASSWORD …"
        return f"{ddl.name(self.key)} was {self.verb} on {self.side}{changed}: {_short(self.remedy or remedy, _SHORT)}"

    @property
    def _is_shown(self) -> bool:
        is_hash = self.key.kind in ("PASSWORD", "USER MAPPING", "SETTING")
        return self.verb == "changed" and self.remedy is None and not is_hash


@dataclass(frozen=True, slots=True)
class Drift:
    """The differences of one database, and all that is on blue."""

    differences: list[Difference]
    on_blue: Fingerprint


def find(databases: Databases, plan: Plan, green: Cluster) -> dict[str, Drift]:
    """What differs in each database; in the home database also what differs between the clusters."""

    def compare(database: str) -> Drift:
        sides = databases.on(plan.blue, database), databases.on(green, database)
        as_cloned, on_blue, on_green, before, after = (
            without_versions(found) if plan.engine_version else found
            for found in (
                fingerprint.kept(sides[1]),
                *(fingerprint.look(side, plan, database) for side in sides),
                *(fingerprint.kept(sides[1], stage) for stage in ("before", "after")),
            )
        )
        is_exact = _major(sides[0]) == _major(sides[1])
        found = differences(as_cloned, on_blue, on_green, made_on_green(before, after), is_exact=is_exact)
        ignored = _CARRIED_BY_OPENING[plan.freeze_method]
        return Drift([difference for difference in found if difference.key.kind not in ignored], on_blue)

    return databases.each(plan.databases, compare)


Made = Mapping[Key, tuple[str | None, str | None]]
"""What the release itself has changed on green: what it was before, and after."""


def made_on_green(before: Fingerprint, after: Fingerprint) -> Made:
    """What the release's own changes have made of green.

    >>> orders, note = Key("TABLE", "orders", ""), Key("COLUMN", "orders.note", "TABLE orders")
    >>> list(made_on_green({orders: ""}, {orders: "", note: "text"}).values())
    [(None, 'text')]
    """
    return {key: (before.get(key), after.get(key)) for key in before | after if before.get(key) != after.get(key)}


def without_versions(found: Fingerprint) -> Fingerprint:
    """For a green that was upgraded: its extensions are those of its engine.

    >>> without_versions({Key("EXTENSION", "vector", ""): "SCHEMA public VERSION '0.8'"})
    {Key(kind='EXTENSION', identity='vector', part_of=''): 'SCHEMA public'}
    """
    return {key: text.split(" VERSION ")[0] if key.kind == "EXTENSION" else text for key, text in found.items()}


def differences(
    as_cloned: Fingerprint,
    on_blue: Fingerprint,
    on_green: Fingerprint,
    made: Made = MappingProxyType({}),
    *,
    is_exact: bool = True,
) -> list[Difference]:
    """What is not the same on both sides, and was not made so on green by the release itself.

    What is part of something that exists on one side only is not listed by itself.

    >>> orders, note = Key("TABLE", "orders", ""), Key("COLUMN", "orders.note", "TABLE orders")
    >>> [str(difference) for difference in differences({orders: ""}, {orders: "", note: "text"}, {orders: ""})]
    ['COLUMN orders.note was created on blue: ALTER TABLE orders ADD COLUMN note text']
    >>> [str(difference) for difference in differences({orders: ""}, {}, {orders: "", note: "text"})]
    ['TABLE orders was dropped on blue: DROP TABLE orders']
    """
    found = []

    def same(left: str | None, right: str | None) -> bool:
        return left == right or (not is_exact and None not in (left, right) and _loose(left) == _loose(right))

    for key in on_blue | as_cloned | on_green:
        blue, green, cloned = on_blue.get(key), on_green.get(key), as_cloned.get(key)
        before, after = made.get(key, (cloned, cloned))
        is_as_meant = same(blue, before) and same(green, after)
        if not same(blue, green) and not is_as_meant:
            found.append(_difference(key, blue, green, cloned, on_blue))
    lonely = {difference.key.address for difference in found if None in (difference.on_blue, difference.on_green)}
    return [difference for difference in found if difference.key.part_of not in lonely]


def _difference(key: Key, blue: str | None, green: str | None, cloned: str | None, on_blue: Fingerprint) -> Difference:
    side, now = ("blue", blue) if blue != cloned else ("green", green)
    verb = "created" if cloned is None else "dropped" if now is None else "changed"
    remedy: str | None
    if blue is None:
        remedy = ddl.drop(key, str(green))
    elif green is None:
        remedy = "; ".join(statement for _, statement in ddl.creation(key, on_blue) if statement) or None
    else:
        remedy = ddl.alter(key, green, on_blue)
    return Difference(key, blue, green, side, verb, remedy)


def findings(drifts: Mapping[str, Drift]) -> list[str]:
    """Each difference in a line, as many as one can read."""
    return shortened([f"{database}: {each}" for database, drift in drifts.items() for each in drift.differences])


def shortened(lines: list[str]) -> list[str]:
    """The first of them, and how many there are beside."""
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else [])


def require_none(drifts: Mapping[str, Drift]) -> None:
    """Raises ``SchemaDrifted`` with what differs."""
    if lines := findings(drifts):
        raise SchemaDrifted(told(lines))


def told(lines: Iterable[str], why: str = "") -> str:
    """The message of ``SchemaDrifted``."""
    return f"Green is not what blue is any more, in what replication does not carry{why}. {'; '.join(lines)}."


def _loose(text: str | None) -> str:
    """For servers of different versions, which write the same expression with more or fewer names and parentheses.

    >>> _loose("SELECT o.id FROM public.orders o WHERE (o.id > 5)") == _loose("SELECT id FROM orders o WHERE id > 5")
    True
    """
    return re.sub(r'(?:"(?:[^"]|"")+"|\w+)\.(?=["\w])|[\s()]', "", text or "")


def _short(text: str | None, length: int) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"


def _major(session: Session) -> int:
    return int(session.run("SHOW server_version_num")[0]["server_version_num"]) // 10000
