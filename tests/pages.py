"""Pages of HTML as a careful reader sees them."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Reads a page: elements that are open, and what a browser would run or fetch."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()
        self.suspicious: list[str] = []
        self.rows: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] += 1
        if tag not in self.VOID:
            self.open.append(tag)
        names = {name for name, _ in attrs}
        if (
            tag in ("script", "img", "link", "iframe", "object", "a")
            or names & {"src", "href"}
            or any(name.startswith("on") for name in names)
        ):
            self.suspicious.append(tag)
        if tag == "th":
            self.rows.append(str(dict(attrs).get("scope")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader
