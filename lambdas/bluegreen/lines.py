"""Texts for people that hold what others have written: names, messages of servers, answers.

Who reads such a text takes each of its lines for ours. So whoever puts one together says what its lines are, and what
would end a line inside of one, or turn the direction of writing, is shown as an escape.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, those that are not seen or turn the direction, halves of surrogates, separators of lines."""


def on_one_line(text: str) -> str:
    r"""The text with all of that as escapes; done twice, it is the same.

    >>> print(on_one_line("x\nApproval: given.\u2028\u202e\x1b"), on_one_line("Zoë: 花子"))
    x\nApproval: given.\u2028\u202e\x1b Zoë: 花子
    """
    if text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _HIDDEN else each for each in text
    )


def in_lines(lines: Iterable[str]) -> str:
    r"""The lines of a text, each of which stays one.

    >>> print(in_lines(["Databases:", "  x\nApproval: given."]))
    Databases:
      x\nApproval: given.
    """
    return "\n".join(map(on_one_line, lines))
