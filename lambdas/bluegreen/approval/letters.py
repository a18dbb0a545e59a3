"""Which characters a name may be written in, and which of them are taken for each other.

Scripts are those of everyday use (UAX #31, table 5), by the blocks that their everyday letters are in; of Latin and
Cyrillic, where most that looks alike is, letter by letter. What is not here is in no name. It is a rule of our own and
not the table of UTS #39, which is a hundred times as long and knows no letters to leave out.
"""

# ruff: noqa: RUF001 - letters that are taken for others are what this is about

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Container
from itertools import chain

from ..lines import FILLERS

PUNCTUATION = frozenset(" '\u2018\u2019\u201b\u02bb\u02bc\u05f3-\u2010\u2011\u2013.\u00b7\u30fb@+_")
"""All that a name has beside letters and digits; it makes no difference between two names. Nothing of it ends a name
where several are told, or says something about one: no comma, semicolon, colon, slash, bracket."""

DIGITS = frozenset("0123456789")

UNSEEN = frozenset(
    chain(
        map(ord, FILLERS),
        (0x34F, 0x17B4, 0x17B5),
        range(0x180B, 0x1810),
        range(0xFE00, 0xFE10),
        range(0xE0100, 0xE01F0),
    )
)
"""Letters and marks that show nothing: fillers, and Default_Ignorable_Code_Point (Unicode Standard, 5.21)."""

_BASE = {
    "æ": "ae", "đ": "d", "ð": "d", "ɖ": "d", "ɗ": "d", "ɓ": "b", "ə": "e", "ɛ": "e", "ƒ": "f", "ɣ": "y", "ħ": "h",
    "ı": "i", "ƙ": "k", "ł": "l", "ŋ": "n", "ɲ": "n", "ø": "o", "ɔ": "o", "œ": "oe", "þ": "p", "ß": "ss", "ŧ": "t",
    "ʋ": "v", "ƴ": "y",
}  # fmt: skip
"""Latin letters beside a to z that people have in their names, and what they are taken for; those with accents come
apart into one of these and marks."""

_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz") | frozenset(_BASE)

_CYRILLIC = frozenset("абвгдежзиклмнопрстуфхцчшщъыьэюяґєіђјљњћџѕәғқңөұүһҳҷҗ")
"""Of Russian, Bulgarian and Belarusian; of Ukrainian, Serbian, Macedonian, Kazakh (with Kyrgyz and Mongolian), Tajik
and Tatar what those have not. Those with accents come apart into one of these and marks."""

APART = str.maketrans(
    {
        "װ": "וו", "ױ": "וי", "ײ": "יי", "แ": "เเ", "ແ": "ເເ", "\u0bd7": "ள",
        "आ": "अा", "ओ": "अाे", "औ": "अाै", "ो": "ाे", "ौ": "ाै", "ऐ": "एे", "ऑ": "अाॅ", "ॉ": "ाॅ", "ऍ": "एॅ", "ॲ": "अॅ",
        "આ": "અા", "ઓ": "અાે", "ઔ": "અાૈ", "ો": "ાે", "ૌ": "ાૈ", "એ": "અે", "ઐ": "અૈ", "ઑ": "અાૅ", "ૉ": "ાૅ", "ઍ": "અૅ",
        "ਆ": "ਅਾ", "ਐ": "ਅੈ", "ਔ": "ਅੌ", "ਇ": "ੲਿ", "ਈ": "ੲੀ", "ਏ": "ੲੇ", "ਉ": "ੳੁ", "ਊ": "ੳੂ",
        "আ": "অা", "ଆ": "ଅା", "ఔ": "ఒౌ", "ಔ": "ಒೌ", "ഈ": "ഇ\u0d57", "ഊ": "ഉ\u0d57", "ഔ": "ഒ\u0d57", "ഓ": "ഒാ", "ഐ": "എെ",
        "ආ": "අා", "ඇ": "අැ", "ඈ": "අෑ", "ඌ": "උ\u0ddf", "ඖ": "ඔ\u0ddf",
    }
)  # fmt: skip
"""Letters that are written as others one after the other are (Unicode Standard, 12.1 to 13.2, "vowel letters"), after
NFKD."""

PLAIN = str.maketrans(
    {
        **_BASE, "ɑ": "a", "ɡ": "g",
        "ی": "ي", "ى": "ي", "ک": "ك", "ڪ": "ك", "ہ": "ه", "ھ": "ه", "ە": "ه", "ة": "ه", "ۃ": "ه", "ٱ": "ا",
        **dict(zip("エカニロ囗タトハへー", "工力二口口夕卜八ヘ一", strict=True)),
        **dict(zip("ノムメヒオミチり髙﨑", "丿厶乂匕才三千リ高崎", strict=True)),
    }
)  # fmt: skip
"""Small letters of one script (Japanese is one) that look alike, or are one, to one of them."""

SHAPES = str.maketrans(
    {
        **dict.fromkeys("|ǀІӀӏΙ", "1"), **dict.fromkeys("0ОоοΟօՕӨө", "o"), "m": "rn", "w": "vv", "W": "VV",
        **dict(zip("АВЕКМНРСТУХЅЈаекрсухіѕј", "ABEKMHPCTYXSJaekpcyxisj", strict=True)),
        **dict(zip("ҒҚҢҮҰҲҺғқңүұҳһЗзбЬьгґђћєәӘ", "FKHYYXhfkнyyxh336bbrrhheee", strict=True)), "Ы": "b1", "ы": "b1",
        **dict(zip("ΑΒΕΖΗΚΜΝΡΤΥΧαβεηικμνρτυχγ", "ABEZHKMNPTYXaßenikuvptuxy", strict=True)), "ω": "vv",
        **dict(zip("ՍՏԼսհոռցգզյ", "USLuhnngqqj", strict=True)),
        **dict(zip("ΓΠΦπφ", "ГПФпф", strict=True)),
    }
)  # fmt: skip
"""Letters as they are written, capitals apart from small ones, to those of Latin, digits and Cyrillic that they look
like."""

_BLOCKS = (
    ("Greek", 0x386, 0x3CE),
    ("Armenian", 0x531, 0x587),
    ("Hebrew", 0x5B0, 0x5C7),
    ("Hebrew", 0x5D0, 0x5F2),
    ("Arabic", 0x620, 0x63F),
    ("Arabic", 0x641, 0x65F),
    ("Arabic", 0x670, 0x6D3),
    ("Thaana", 0x780, 0x7B1),
    ("Devanagari", 0x900, 0x97F),
    ("Bengali", 0x980, 0x9FF),
    ("Gurmukhi", 0xA00, 0xA7F),
    ("Gujarati", 0xA80, 0xAFF),
    ("Oriya", 0xB00, 0xB7F),
    ("Tamil", 0xB80, 0xBFF),
    ("Telugu", 0xC00, 0xC7F),
    ("Kannada", 0xC80, 0xCFF),
    ("Malayalam", 0xD00, 0xD7F),
    ("Sinhala", 0xD80, 0xDFF),
    ("Thai", 0xE00, 0xE7F),
    ("Lao", 0xE80, 0xEFF),
    ("Tibetan", 0xF00, 0xFFF),
    ("Myanmar", 0x1000, 0x109F),
    ("Georgian", 0x10D0, 0x10FF),
    ("Ethiopic", 0x1200, 0x137F),
    ("Khmer", 0x1780, 0x17D3),
    ("Georgian", 0x1C90, 0x1CBF),
    ("Han", 0x3005, 0x3005),
    ("Hiragana", 0x3041, 0x309A),
    ("Katakana", 0x30A1, 0x30FA),
    ("Katakana", 0x30FC, 0x30FC),
    ("Han", 0x3400, 0x4DBF),
    ("Han", 0x4E00, 0x9FFF),
    ("Hangul", 0xAC00, 0xD7A3),
    ("Han", 0xFA0E, 0xFA29),
    ("Han", 0x20000, 0x3134F),
)
"""By their first and last code points, in order."""

_FIRST = tuple(first for _, first, _ in _BLOCKS)

_TOGETHER = (
    frozenset({"Han", "Hiragana", "Katakana"}),
    frozenset({"Han", "Hangul"}),
)
"""What Japanese, Chinese and Korean are written in counts as one script (UTS #39, 5.1)."""

_ACCENTS = frozenset({"Latin", "Greek", "Cyrillic"})


def script(character: str) -> str | None:
    """The script of a letter or mark that may be in a name; "any" of an accent; None of everything else.

    >>> script("ż"), script("Ж"), script("\u0301"), script("\u0251"), script("\ua4ee"), script("🚀")
    ('Latin', 'Cyrillic', 'any', None, None, None)
    """
    code, kind = ord(character), unicodedata.category(character)[0]
    if kind not in "LM" or code in UNSEEN:
        return None
    if 0x300 <= code <= 0x36F:
        return "any"
    base = unicodedata.normalize("NFD", character)[0].lower()
    if base in _LATIN or base in _CYRILLIC:
        return "Latin" if base in _LATIN else "Cyrillic"
    name, _, last = _BLOCKS[bisect_right(_FIRST, code) - 1]
    return name if code <= last and code >= _FIRST[0] else None


def is_of_one_script(text: str, also: Container[str] = "") -> bool:
    """Whether there is nothing in a text but letters of one script, digits, punctuation of names, and signs besides.

    >>> is_of_one_script("Zoë O'Neill 2"), is_of_one_script("山田 エミ"), is_of_one_script("Анна Smith")
    (True, True, False)
    """
    written = {script(each) for each in text if not (each in PUNCTUATION or each in DIGITS or each in also)}
    if None in written:
        return False
    scripts = {each for each in written if each != "any"}
    if "any" in written and not scripts <= _ACCENTS:
        return False
    return len(scripts) <= 1 or any(scripts <= together for together in _TOGETHER)


def is_optional(mark: str) -> bool:
    """Whether a mark is left out as often as not: accents, and the points of Hebrew and Arabic."""
    return script(mark) in ("any", "Hebrew", "Arabic")
