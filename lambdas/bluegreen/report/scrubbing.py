"""What must not leave the account, taken out of texts that others have written: errors, reasons, comments.

Nothing of it is expected there: names and figures are all that state data carries. This is the second lock on it.
"""

from __future__ import annotations

import re
from typing import Any

TEXT_CHARACTERS = 20_000
"""How much of one text is kept."""

_PASSWORD_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@]+(?=@)", re.IGNORECASE)
_NAMED = re.compile(
    r"""((?:password|passwd|secret[ _-]?(?:access[ _-]?)?key|task[ _-]?token)["']?\s*[=:]\s*["']?)[^\s"',;)]+""",
    re.IGNORECASE,
)
_PASSWORD_IN_SQL = re.compile(r"(\bPASSWORD\s+)'(?:[^']|'')*'", re.IGNORECASE)
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{120,}")
"""Task tokens are hundreds of characters of base64; no name or checksum of ours is as long."""

REMOVED = "(removed)"


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
        return {_clean(str(key)): scrubbed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(each) for each in value]
    return value


def _clean(text: str) -> str:
    text = text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]} … (shortened)"
    text = _PASSWORD_IN_URL.sub(rf"\g<1>{REMOVED}", text)
    text = _NAMED.sub(rf"\g<1>{REMOVED}", text)
    text = _PASSWORD_IN_SQL.sub(rf"\g<1>{REMOVED}", text)
    return _LONG.sub(REMOVED, text)
