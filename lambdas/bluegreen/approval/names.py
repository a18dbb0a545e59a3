"""Texts that people type, and whether two names are one person's, as far as characters can tell.

A name that nobody verified is no identity. What is refused here keeps one name from being written in two ways that look
the same; it cannot keep anybody from writing another's. A name that a token says is an identity, and taken as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from .letters import APART, PLAIN, PUNCTUATION, SHAPES, UNSEEN, is_of_one_script, is_optional, script

NAME_CHARACTERS, COMMENT_CHARACTERS = 100, 1000

IDENTITY_CHARACTERS = 255
"""As many as a ``sub`` may have (OpenID Connect Core 1.0, 2)."""

NAME_RULE = (
    f"at most {NAME_CHARACTERS} characters: letters of one script in everyday use, digits, and blanks, hyphens,"
    " apostrophes and the like between them; no comma, bracket, colon or slash, and none that is invisible"
)

_NOT_TYPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, invisible ones that turn the direction of writing, halves of surrogates, characters without a
meaning or with a private one, and separators of lines and paragraphs."""

_NO_PICTURES = frozenset({"So", "Sk", "Sm", "Sc", "No", "Nl", "Me"})
"""What NFKC would make a letter or a blank of, and no keyboard writes a name with."""

_JOINERS = re.compile("(?<=[\u0620-\u06ff])\u200c(?=[\u0620-\u06ff])|(?<=\u0dca)\u200d(?=[\u0d9a-\u0dc6])")
"""What Persian and Sinhala names are spelled with, and say nothing without: they join letters, or keep them apart."""


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
    r"""The same for a name, in the form NFKC: letters of one script in everyday use, digits, and what names have
    between them, one blank at a time.

    >>> cleaned_name(" Ann "), cleaned_name("Ann\u3164"), cleaned_name("\u0410nn"), cleaned_name("Zo\u00eb")
    ('Ann', None, None, 'Zoë')
    """
    typed = cleaned(_JOINERS.sub("", text), NAME_CHARACTERS)
    if typed is None or any(unicodedata.category(each) in _NO_PICTURES for each in {*typed} - PUNCTUATION):
        return None
    name = " ".join(unicodedata.normalize("NFKC", typed).split())
    if len(name) > NAME_CHARACTERS or not is_of_one_script(name):
        return None
    return name if not name or any(map(str.isalnum, name)) else None


def as_identity(claim: str) -> str | None:
    """A claim of a token, as it is; None when it is empty, too long, or holds what nobody would see.

    >>> as_identity("auth0|5f7c8ec7c33c6c004bbafe82"), as_identity(" a"), as_identity("a\\u200b")
    ('auth0|5f7c8ec7c33c6c004bbafe82', None, None)
    """
    return claim if claim and cleaned(claim, IDENTITY_CHARACTERS) == claim else None


def same_identity(one: str, other: str) -> bool:
    """Whether two claims are one person's: the same to the letter. Of addresses capitals are no difference, as
    ``requested_by`` may be said by hand and no provider of mail tells them apart.

    >>> same_identity("sub-aB1", "sub-ab1"), same_identity("Ann@shop.example", "ann@Shop.example")
    (False, True)
    """
    return one == other or ("@" in one and one.lower() == other.lower())


def same_person(one: str, other: str) -> bool:
    r"""Whether two names that were typed are meant to be one person's, as far as that can be told.

    >>> same_person(" Ann  O\u2019Neil ", "ann oneil"), same_person("Ann\u0301", "Ann"), same_person("Ann", "Anna")
    (True, True, False)
    >>> same_person("Ilse", "llse"), same_person("Barney", "Bamey"), same_person("Kai", "Kal")
    (True, True, False)
    >>> same_person("Ian", "lan"), same_person("Ian", "Lan")
    (True, False)
    """
    return any(_alike(reading, another) for reading in _readings(one) for another in _readings(other))


_STROKES = str.maketrans({"I": "\ue000", "l": "\ue001"})
_TAKEN_FOR = {"\ue000": {"i", "1"}, "\ue001": {"l", "1"}}
"""What is a stroke to the eye, which "L" and "i" are not, and case makes them the same as."""


def _alike(one: str, other: str) -> bool:
    return len(one) == len(other) and not any(
        _TAKEN_FOR.get(each, {each}).isdisjoint(_TAKEN_FOR.get(another, {another}))
        for each, another in zip(one, other, strict=True)
    )


def _readings(name: str) -> frozenset[str]:
    """A name by its letters, and by what they look like as they are written; case goes afterwards."""
    apart = unicodedata.normalize("NFKD", name).translate(APART)
    return frozenset(
        "".join(_kept(each)).translate(_STROKES).casefold().translate(PLAIN)
        for each in (apart, apart.translate(SHAPES))
    )


def _kept(apart: str) -> Iterator[str]:
    """Letters, digits, and marks that tell words from each other, each once where it is set twice. Modifier letters are
    apostrophes, or look like accents."""
    before = ""
    for each in apart:
        is_mark = unicodedata.category(each)[0] == "M"
        is_sign = ord(each) in UNSEEN or 0x2B0 <= ord(each) <= 0x2FF
        tells = script(each) is not None and not is_optional(each) if is_mark else each.isalnum()
        if tells and not is_sign and not (is_mark and each == before):
            yield each
            before = each
