"""The one place that quotes: utility statements take no parameters, so what stands in their text goes through here."""

from __future__ import annotations


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
