"""HTML and SVG that cannot be broken out of: what is not markup already is text, and is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, among them those that turn the direction of writing, and halves of surrogate pairs."""


class Markup(str):
    """Text that is markup. Only this module makes it."""

    __slots__ = ()


def escaped(value: Any) -> Markup:
    """Anything as markup.

    >>> escaped('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    >>> escaped(tag("b", "x"))
    '<b>x</b>'
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_UNSEEN.sub("\ufffd", str(value))))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element; attributes that are None are left out, and ``class_`` and ``aria_label`` lose what Python needs.

    >>> tag("p", "a < b", class_="note", hidden=None)
    '<p class="note">a &lt; b</p>'
    >>> tag("meta", charset="utf-8")
    '<meta charset="utf-8">'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name == "meta":
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{join(children)}</{name}>")


def join(parts: Iterable[Any]) -> Markup:
    """Parts one after the other; None and empty ones are left out."""
    return Markup("".join(escaped(part) for part in parts if part is not None))


def style(sheet: str) -> Markup:
    """A style sheet of ours: within one, nothing is escaped."""
    return Markup(f"<style>{sheet}</style>")
