"""Which tables may hold something else without a row of theirs having changed.

ALTER TABLE … TYPE … USING, SET UNLOGGED and back, DROP and CREATE, a column that is dropped and added again, tables
that swap their names: decoding tells nothing of these, nor of what they do to rows. But each gives the table another
file, another identity, or other columns. Such a table is compared again as a whole.
"""

from __future__ import annotations

from ..model import Relation
from ..session import Session
from .comparing import at_once

Shapes = dict[Relation, tuple[int | None, int | None]]
"""Of blue's table and of green's; None where there is none."""


def read(blue: Session, green: Session) -> Shapes:
    """The shapes of all tables of a database."""

    def of(session: Session) -> dict[Relation, int]:
        return {Relation(schema, name): shape for schema, name, shape in session.one("shapes")["shapes"]}

    on_blue, on_green = at_once(blue, green, lambda session, _: of(session))
    return {relation: (on_blue.get(relation), on_green.get(relation)) for relation in on_blue | on_green}


def reshaped(before: Shapes, now: Shapes) -> list[Relation]:
    """The tables that both sides have, and of which one is another than it was."""
    return [relation for relation, shape in now.items() if None not in shape and before.get(relation) != shape]
