"""What must not leave the account, taken out of texts that others have written: errors, reasons, comments.

Nothing of it is expected there: names and figures are all that state data carries. This is the second lock on it, and
rather takes too much than too little. Each step reads a text once, however it is made: its length and not its author
decides how long that takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

TEXT_CHARACTERS = 20_000
"""How much of one text is kept."""

REMOVED = "(removed)"

_SHORT = r"(?:(?<![a-z])(?!(?<=[a-z]\s)pass:\s)(?:db|user)?|(?-i:(?<=[a-z])(?=P)))pass\b"
"""DB_PASS, dbPass; not compass, nor what "did not pass: 3 of 4"."""
_NAMES = (
    rf"(?:pass(?:word|wd|phrase)|{_SHORT}|pwd"
    r"|secret[ _-]?(?:access[ _-]?)?key|secret[ _-]?(?:string|binary)|secret\b|api[ _-]?key|token|signature)"
)
_BEHIND_NAME = r"""\\*+(?:["']|%2[27]){0,2}+(?:\s|%20)*+"""
"""A name may be quoted, also in JSON within JSON."""
_IS = rf"{_BEHIND_NAME}(?:==?>?|->|:=?|%(?:25)*+3[ad])\s*+"
_QUOTED = r"""(?:(?:[benru]|u&)?(?=\\*+["']))"""
_LINE_BREAK = r"(?:\s|\\[nrt])"
_COMMENT = r"(?:--[^\n]{0,200}+\n|/\*(?:[^*]|\*(?!/)){0,200}+\*/)"
_BLANK_IN_SQL = rf"{_LINE_BREAK}*+(?:{_COMMENT}{_LINE_BREAK}*+){{0,4}}+"
# A quote right behind a name that stands in quotes ends them.
_PASSWORD_IN_SQL = rf"""(?:(?<!["'])\bpassword|\bpassword(?={_LINE_BREAK}|--|/\*)){_BLANK_IN_SQL}"""

_INTRODUCTION = re.compile(
    rf"(?P<prose>{_NAMES}\s*+:(?!=)\s*+(?!{_QUOTED}))"
    rf"|(?P<value>{_NAMES}(?:{_IS}{_QUOTED}?|\s*+\(\s*+{_QUOTED})|--pass(?:word|wd)?\s++|\bbearer\s++"
    rf"""|(?<!\s){_NAMES}\\*+["']{{1,2}}+\s*+,\s*+{_QUOTED})"""  # in a list of names and values
    rf"|(?P<line>(?:authorization|cookie){_IS})"
    rf"|(?P<literal>{_PASSWORD_IN_SQL}(?:e|n|u&)?(?=\\*+'|\$))"
    r"|(?P<key>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)",
    re.IGNORECASE,
)
_NAMED = re.compile(_NAMES, re.IGNORECASE)

_UNQUOTED = re.compile(r"(?:\\.|[^\s\\])*+", re.DOTALL)
_TO_NEXT_NAME = re.compile(r"""\n|(?<!\s)\s++\\*+["']?[\w.-]{1,60}+\\*+["']?\s*+[=:]""")
_OPENING_QUOTE = re.compile(r"""(?P<escapes>\\*+)(?P<quote>"{1,2}+|'{1,2}+)""")
_ENDS_EMPTY = re.compile(r"[\s,;)}\]]|\Z")
_LITERAL = re.compile(r"'(?:[^']|''|'\s++')*+'?")  # it goes on in the quotes of a further line
_ESCAPED_LITERAL = re.compile(r"'(?:[^'\\]|''|'\s++'|\\.)*+'?", re.DOTALL)
_DOLLARS = re.compile(r"\$(?:[^\W\d]\w{0,62}+)?\$")

_USER = re.compile(r"://[^\s:/@]*+:")

_STANDING_ALONE = re.compile(
    r"SCRAM-SHA-256\$[A-Za-z0-9+/=:$]++"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # an access key's name
    r"|(?<!\w)md5[0-9a-f]{32}(?!\w)"
    r"|(?<![\w-])eyJ[\w-]++\.[\w-]++(?:\.[\w-]*+)?"  # a JSON Web Token
    # Task tokens are hundreds of characters of base64; no name or checksum of ours is as long.
    r"|(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{120,}+"
)
_FORTY = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")
"""The length of a secret access key of AWS, and that of a checksum, which has no capital letter."""


def scrubbed(value: Any) -> Any:
    """The value with all its texts cleaned, however deep.

    >>> scrubbed({"why": ["postgresql://me:pa55@blue/app refused", "password=pa55 is wrong", "x" * 200]})
    {'why': ['postgresql://me:(removed)@blue/app refused', 'password=(removed) is wrong', '(removed)']}
    >>> scrubbed("Schema, roles, grants, settings and passwords are the same; passwords cannot be compared")
    'Schema, roles, grants, settings and passwords are the same; passwords cannot be compared'
    """
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(str(key)): _of_key(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(each) for each in value]
    return value


def _of_key(key: str, value: Any) -> Any:
    return REMOVED if isinstance(value, str) and _NAMED.search(key) else scrubbed(value)


def _clean(text: str) -> str:
    text = _without_passwords_in_urls(_without_values(text))
    text = _STANDING_ALONE.sub(REMOVED, text)
    text = _FORTY.sub(lambda found: REMOVED if _is_random(found[0]) else found[0], text)
    return text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]} … (shortened)"


def _is_random(text: str) -> bool:
    return all(re.search(kind, text) for kind in ("[A-Z]", "[a-z]", "[0-9]"))


def _without_values(text: str) -> str:
    """Without what is introduced by a name, each to its end: of its quotes, its line, its word."""
    kept, position = [], 0
    while introduction := _INTRODUCTION.search(text, position):
        begins, ends = _PLACES[str(introduction.lastgroup)](text, introduction.end())
        kept += [text[position:begins], REMOVED if begins < ends else ""]
        position = ends
    return "".join([*kept, text[position:]])


def _place_of_value(text: str, position: int) -> tuple[int, int]:
    return _place_in_quotes(text, position) or (position, _end(_UNQUOTED, text, position))


def _place_in_prose(text: str, position: int) -> tuple[int, int]:
    """Words that nothing encloses: to the end of the line, or before the next name that has a value."""
    found = _TO_NEXT_NAME.search(text, _end(_UNQUOTED, text, position))
    return position, found.start() if found else len(text)


def _place_of_line(text: str, position: int) -> tuple[int, int]:
    return _place_in_quotes(text, position) or (position, _found(text, "\n", position))


def _place_of_key(text: str, position: int) -> tuple[int, int]:
    return position, _found(text, "-----END", position)


def _place_of_literal(text: str, position: int) -> tuple[int, int]:
    """A string of SQL: in quotes, continued on further lines or not, or in dollars."""
    if text[position] == "\\":
        return _place_in_quotes(text, position) or (position, position)
    if text[position] == "'":
        pattern = _ESCAPED_LITERAL if text[position - 1] in "eE" else _LITERAL
        return position, _end(pattern, text, position)
    if dollars := _DOLLARS.match(text, position):
        return position, _found(text, dollars[0], dollars.end()) + len(dollars[0])
    return position, position  # the number of a parameter


_PLACES: dict[str, Callable[[str, int], tuple[int, int]]] = {
    "prose": _place_in_prose,
    "value": _place_of_value,
    "line": _place_of_line,
    "literal": _place_of_literal,
    "key": _place_of_key,
}


def _place_in_quotes(text: str, position: int) -> tuple[int, int] | None:
    """What stands in quotes here, to the end of the text if they are not closed; None without quotes.

    They may be escaped, as in JSON within JSON, or doubled, as in a DSN within SQL.
    """
    if not (opening := _OPENING_QUOTE.match(text, position)):
        return None
    escapes, quote = len(opening["escapes"]), opening["quote"]
    if len(quote) == 2 and _ENDS_EMPTY.match(text, opening.end()):
        return opening.end(), opening.end()
    for closing in re.compile(rf"(?<!\\)(\\*+)({quote[0]}++)").finditer(text, opening.end()):
        number = len(closing[2]) - (not _closes(len(closing[1]), escapes))
        if number >= 2 if len(quote) == 2 else number % 2:
            return opening.end(), closing.start()
    return opening.end(), len(text)


def _closes(escapes: int, of_opening: int) -> bool:
    """Whether a quote behind so many backslashes closes one behind so many, or belongs to the text.

    >>> [escapes for escapes in range(6) if _closes(escapes, 0)], [n for n in range(8) if _closes(n, 1)]
    ([0, 2, 4], [0, 1, 5])
    """
    if escapes < of_opening or not of_opening:
        return escapes < of_opening or escapes % 2 == 0
    return escapes % 2 == 1 and _closes(escapes // 2, of_opening // 2)


def _without_passwords_in_urls(text: str) -> str:
    """Without what lies between user and host: to the last @ of the line, or before the next URL."""
    kept, position = [], 0
    for user in _USER.finditer(text):
        line_ends = _found(text, "\n", user.end(), _found(text, "://", user.end()))
        at = text.rfind("@", user.end(), line_ends)
        if at > user.end():
            kept += [text[position : user.end()], REMOVED]
            position = at
    return "".join([*kept, text[position:]])


def _found(text: str, part: str, begin: int, end: int | None = None) -> int:
    """Where it is found first; the end when it is not."""
    place = text.find(part, begin, end)
    return place if place >= 0 else len(text) if end is None else end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
