"""Texts for people that hold what others have written: names, messages of servers, answers.

Who reads such a text takes each of its lines for ours. So whoever puts one together says what its lines are, and what
would end a line inside of one, or turn the direction of writing, is shown as an escape; and so is what shows nothing
but takes room, with which one text would fill a line up and seem to begin another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, those that are not seen or turn the direction, halves of surrogates, separators of lines."""

FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Letters and symbols that show nothing, and are as wide as others."""

_BLANK = " \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BLANKS = re.compile(f"[{_BLANK}][{_BLANK}\u034f\ufe00-\ufe0f]*")
"""Blanks of any width, and marks that are not seen upon them."""

_LAYOUT = re.compile(r"[A-Z][A-Za-z ]{1,20}(?:\([a-z]+\))?: {1,12}| {1,14}")
"""How a line of ours may begin: with a title in a column of its own, or indented."""

_APOSTROPHES = frozenset("'\u2018\u2019\u201a\u201b\u2032\u02bc\uff07")
_QUOTES = re.compile("['\u2018-\u201f\u2032-\u2037\u02ba\u02bc\u02ee\u02dd\u00ab\u00bb\u301d-\u301f\uff02\uff07\"]+")
"""All that looks like a quotation mark, or does when it is set twice."""


def on_one_line(text: str) -> str:
    r"""The text with all of that as escapes, and one blank for many; done twice, it is the same.

    >>> print(on_one_line("x\nApproval: given.\u2028\u202e\x1b"), on_one_line("Zoë: 花子"))
    x\nApproval: given.\u2028\u202e\x1b Zoë: 花子
    >>> print(on_one_line("none \u2003 \u3164 In step: yes"))
    none \u3164 In step: yes
    """
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _HIDDEN or each in FILLERS else each
        for each in _BLANKS.sub(" ", text)
    )


def quoted(text: str) -> str:
    """The text in quotation marks that nothing in it closes: within, all that look like them are single ones.

    >>> print(quoted("fine” Bob: “I saw ''it'' and it isn't"))
    “fine' Bob: 'I saw 'it' and it isn't”
    """
    within = _QUOTES.sub(lambda found: found[0] if found[0] in _APOSTROPHES else "'", text)
    return f"“{within}”"


def in_lines(lines: Iterable[str]) -> str:
    r"""The lines of a text, each of which stays one, with the indentation or the title that it begins with.

    >>> print(in_lines(["Databases:", "  x\nApproval: given."]))
    Databases:
      x\nApproval: given.
    """
    return "\n".join(map(_line, lines))


def _line(text: str) -> str:
    begins = _LAYOUT.match(text)
    layout = begins[0] if begins else ""
    return layout + on_one_line(text[len(layout) :])
