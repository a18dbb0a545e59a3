"""Tables of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .markup import Markup, tag


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: frozenset[int] = frozenset()) -> Markup:
    """A table whose first column names its rows; ``numbers`` are the columns set flush right."""

    def cell(kind: str, place: int, value: Any, **more: Any) -> Markup:
        return tag(kind, "" if value is None else value, class_="n" if place in numbers else None, **more)

    head = tag("tr", *(cell("th", place, each, scope="col") for place, each in enumerate(heads)))
    body = (
        tag(
            "tr",
            cell("th", 0, row[0], scope="row"),
            *(cell("td", place, each) for place, each in enumerate(row[1:], 1)),
        )
        for row in rows
    )
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def facts(rows: Iterable[tuple[str, Any]]) -> Markup:
    """Names and what they are, without those that are not known."""
    known = (
        tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows if value not in (None, "", [])
    )
    return tag("table", tag("tbody", *known), class_="facts")
