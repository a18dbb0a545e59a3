"""The one place that quotes: utility statements take no parameters, so what stands in their text goes through here."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any


def identifier(name: str) -> str:
    r"""Quotes a name for use in a statement's text.

    >>> identifier('Order "Items" 1')
    '"Order ""Items"" 1"'
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} cannot be a name in PostgreSQL")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    r"""Quotes a text value for a utility statement, which takes no parameters.

    >>> literal("it's"), literal("C:\\x")
    ("'it''s'", " E'C:\\\\x'")
    """
    if "\0" in value:
        raise ValueError("a text value of PostgreSQL holds no NUL")
    quoted = "'" + value.replace("'", "''") + "'"
    # A backslash means itself or an escape, as standard_conforming_strings says; E'' leaves no choice.
    return " E" + quoted.replace("\\", "\\\\") if "\\" in value else quoted


def conninfo(**parameters: str | int) -> str:
    r"""A libpq connection string.

    >>> conninfo(host="h", password="it's \\")
    "host='h' password='it\\'s \\\\'"
    """
    escaped = {key: str(value).replace("\\", "\\\\").replace("'", "\\'") for key, value in parameters.items()}
    return " ".join(f"{key}='{value}'" for key, value in escaped.items())


class _Filler(string.Formatter):
    def convert_field(self, value: Any, conversion: str | None) -> Any:
        match conversion:
            case "i":
                return identifier(value)
            case "l":
                return literal(value).strip()
        return super().convert_field(value, conversion)


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Fills a template in; ``{x!i}`` quotes as an identifier, ``{x!l}`` as a literal, ``{x}`` not at all: for words.

    >>> print(fill("COMMENT ON {kind} {name!i} IS {text!l}", {"kind": "TABLE", "name": 'a"b', "text": "it's"}))
    COMMENT ON TABLE "a""b" IS 'it''s'
    """
    return _Filler().vformat(template, (), values)
