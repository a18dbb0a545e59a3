"""Log sequence numbers: a type inside, strings only at the edges."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


@dataclass(frozen=True, slots=True, order=True)
class Lsn:
    """A position in the write-ahead log, in bytes since its beginning.

    >>> Lsn.parse("16/B374D848")
    Lsn('16/B374D848')
    >>> Lsn.parse("0/FFFFFFFF") < Lsn.parse("1/0")
    True
    >>> Lsn.parse("1/0") - Lsn.parse("0/FFFFFFF0")
    16
    >>> Lsn.parse("zero")
    Traceback (most recent call last):
    ValueError: 'zero' is not a log sequence number
    """

    position_bytes: int

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Reads PostgreSQL's form: two hexadecimal halves of 32 bits each, with a slash between them."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a log sequence number")
        high, low = (int(half, 16) for half in match.groups())
        return cls(high << 32 | low)

    def __str__(self) -> str:
        return f"{self.position_bytes >> 32:X}/{self.position_bytes & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn('{self}')"

    def __sub__(self, other: Lsn) -> int:
        return self.position_bytes - other.position_bytes
