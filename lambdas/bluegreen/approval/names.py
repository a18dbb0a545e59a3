"""Texts that people type, and whether two names are one person's, as far as characters can tell.

A name that nobody verified is no identity. What is refused here keeps one name from being written in two ways that look
the same; it cannot keep anybody from writing another's.
"""

from __future__ import annotations

import unicodedata
from itertools import chain

NAME_CHARACTERS, COMMENT_CHARACTERS = 100, 1000

_NOT_TYPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, invisible ones that turn the direction of writing, halves of surrogates, characters without a
meaning or with a private one, and separators of lines and paragraphs."""

_UNSEEN = frozenset(
    chain(
        (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
)
"""Those of other categories that show nothing: fillers, and Default_Ignorable_Code_Point (Unicode Standard, 5.21)."""

_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK"})
"""Scripts that share shapes of letters."""


def cleaned(text: str, characters: int, *, lines: bool = False) -> str | None:
    r"""What somebody typed, trimmed; None when it is too long, or holds characters that nobody types.

    >>> cleaned("  Ann ", 100), cleaned("a\nb", 100), cleaned("a\r\nb", 100, lines=True), cleaned("\u202etxt", 9)
    ('Ann', None, 'a\nb', None)
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > characters:
        return None
    if any(unicodedata.category(each) in _NOT_TYPED and not (lines and each == "\n") for each in text):
        return None
    return text


def cleaned_name(text: str) -> str | None:
    r"""The same for a name, which may not hold what shows nothing either, nor letters of two scripts that look alike.

    >>> cleaned_name(" Ann "), cleaned_name("Ann\u3164"), cleaned_name("\u0410nn"), cleaned_name("Zo\u00eb")
    ('Ann', None, None, 'Zoë')
    """
    name = cleaned(text, NAME_CHARACTERS)
    if name is None or any(ord(each) in _UNSEEN for each in name):
        return None
    letters = filter(str.isalpha, unicodedata.normalize("NFKC", name))
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in letters}
    return None if len(scripts & _ALIKE) > 1 else name


def same_person(one: str, other: str) -> bool:
    r"""Whether two names are meant to be one person's, as far as that can be told.

    >>> same_person(" Ann  Example ", "ann example"), same_person("Ann\u0301\u2800", "Ann"), same_person("Ann", "Anna")
    (True, True, False)
    """
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    """Without case, width, marks, and what shows nothing. Marks are apart in NFKD only: NFKC joins some to letters."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return " ".join("".join(each for each in apart if each.isspace() or _is_seen(each)).split())


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _NOT_TYPED | {"Mn"} and ord(character) not in _UNSEEN
