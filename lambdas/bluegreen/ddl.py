"""Statements that make a difference between two fingerprints go away, as far as they can be derived from one."""

from __future__ import annotations

from .fingerprint import Fingerprint, Key

_TOP = frozenset(
    ("SCHEMA", "SEQUENCE", "VIEW", "MATERIALIZED VIEW", "DOMAIN", "TYPE", "POLICY", "EXTENSION", "ROLE", "SERVER")
)
"""Kinds whose whole statement is CREATE, kind, identity, and the rest."""

_WHOLE = frozenset(("INDEX", "STATISTICS", "TRIGGER", "RULE", "FUNCTION", "PROCEDURE"))
"""Kinds of which PostgreSQL gives the whole statement."""

_NOT_DDL = ("(disabled)", "(always)", "(replica)")
"""What stands behind the statement of a trigger or rule that does not fire as usual."""

_GRANTS = frozenset(("GRANT", "GRANT OPTION", "COLUMN GRANT", "CONNECT", "CONNECT OPTION"))
_OF_COLUMNS = frozenset(("DEFAULT", "NOT NULL", "IDENTITY", "STORAGE", "COMPRESSION", "STATISTICS TARGET"))
_AS_GRANTED = {"VIEW": "TABLE", "MATERIALIZED VIEW": "TABLE", "FOREIGN TABLE": "TABLE", "AGGREGATE": "FUNCTION"}
"""What GRANT calls what other statements call by its own name."""


def name(key: Key) -> str:
    """What a key means, for people.

    >>> name(Key("COLUMN", "public.orders.note", "TABLE public.orders"))
    'COLUMN public.orders.note'
    >>> name(Key("NOT NULL", "TABLE public.orders ALTER COLUMN note", "COLUMN public.orders.note"))
    'NOT NULL of COLUMN public.orders.note'
    >>> name(Key("GRANT", "clerk", "TABLE public.orders"))
    'GRANT on TABLE public.orders to clerk'
    """
    if key.kind in _GRANTS or key.kind == "REVOKED":
        return f"{key.kind} on {key.part_of} to {key.identity}"
    identity = "" if key.kind in _OF_COLUMNS else key.identity
    stands_alone = not key.part_of or " ON " in identity or key.kind in ("COLUMN", "INDEX", "SEQUENCE", "STATISTICS")
    return " ".join(filter(None, (key.kind, identity, "" if stands_alone else f"of {key.part_of}")))


def creation(key: Key, there: Fingerprint) -> list[tuple[Key, str | None]]:
    """What makes an object with all its parts as it is there; None for a part that cannot be derived."""
    made = [(key, create(key, there))]
    for part in there:
        if part.part_of == key.address:
            made += creation(part, there)[(key.kind, part.kind) in _COME_WITH :]
    return made


_COME_WITH = frozenset((("TABLE", "COLUMN"), ("COLUMN", "DEFAULT"), ("COLUMN", "NOT NULL"), ("COLUMN", "IDENTITY")))
"""Parts that are named in the statement of what they are part of, unlike their own parts."""


def columns(table: Key, there: Fingerprint) -> list[Key]:
    """The columns of a table, in their order."""
    return [key for key in there if key.kind == "COLUMN" and key.part_of == table.address]


def column_name(column: Key) -> str:
    """The column's own name, quoted.

    >>> column_name(Key("COLUMN", 'public."a.b"."c.d"', 'TABLE public."a.b"'))
    '"c.d"'
    """
    return column.identity[len(column.part_of.split(" ", column.part_of.startswith("FOREIGN") + 1)[-1]) + 1 :]


def column_clause(column: Key, there: Fingerprint, default: str | None = None) -> str:
    """A column as it stands in CREATE TABLE and ADD COLUMN, with this default or its own."""
    parts = {key.kind: definition for key, definition in there.items() if key.part_of == column.address}
    default = parts.get("DEFAULT") if default is None else default
    clauses = (
        f"DEFAULT {default}" if default is not None else "",
        parts.get("IDENTITY", ""),
        "NOT NULL" if "NOT NULL" in parts else "",
    )
    return " ".join(filter(None, (column_name(column), there[column], *clauses)))


def create(key: Key, there: Fingerprint) -> str | None:
    """The statement that makes one object, or part of one, as it is there."""
    kind, identity, part_of = key
    definition = there[key]
    if definition.endswith(("(disabled)", "(always)", "(replica)")) or (
        kind == "SETTING" and definition[:5] == "hash "
    ):
        return None
    if kind == "TABLE":
        if definition.startswith("OF "):
            return None
        named = ", ".join(column_clause(column, there) for column in columns(key, there))
        rest = definition if definition.startswith("PARTITION OF ") else f"({named}) {definition}"
        return f"CREATE TABLE {identity} {rest}".rstrip()
    if kind == "SEQUENCE" and part_of:
        return ""  # comes with its identity column
    if kind in _TOP:
        return f"CREATE {kind} {identity} {definition}".rstrip()
    if kind in _WHOLE:
        return definition
    if kind == "IDENTITY":
        return f"ALTER {identity} ADD {definition}"
    if kind in _OF_COLUMNS:
        return f"ALTER {identity} SET {kind} {definition}".rstrip() if kind != "STATISTICS TARGET" else None
    if kind in _GRANTS:
        option = " WITH GRANT OPTION" if kind.endswith("OPTION") else ""
        return None if "*" in definition else f"GRANT {definition} ON {_granted(part_of)} TO {identity}{option}"
    member = part_of.removeprefix("ROLE ")
    statements = {
        "COLUMN": f"ALTER {part_of} ADD COLUMN {column_clause(key, there)}" if kind == "COLUMN" else "",
        "OWNER": f"ALTER {part_of} OWNER TO {definition}",
        "OWNED BY": f"ALTER {part_of} OWNED BY {definition}",
        "PROPERTY": f"ALTER {part_of} {definition}",
        "CONSTRAINT": f"ALTER {part_of} ADD CONSTRAINT {identity} {definition}",
        "REVOKED": f"REVOKE {definition} ON {_granted(part_of)} FROM {identity}",
        "LOGIN": f"ALTER {part_of} LOGIN",
        "MEMBERSHIP": f"GRANT {identity} TO {member}" + (f" WITH {definition}" if definition else ""),
        "SETTING": f"ALTER {part_of} SET {identity} TO {definition}",
        "DEFAULT GRANT": _default_grant(part_of, f"GRANT {definition}", f"TO {identity}"),
    }
    return statements.get(kind)


def drop(key: Key, definition: str) -> str | None:
    """The statement that takes one object, or part of one, away."""
    kind, identity, part_of = key
    if kind in _OF_COLUMNS:
        return f"ALTER {identity} DROP {kind}" if kind in ("DEFAULT", "NOT NULL", "IDENTITY") else None
    if kind in _GRANTS:
        return None if "*" in definition else f"REVOKE {definition} ON {_granted(part_of)} FROM {identity}"
    statements = {
        "COLUMN": f"ALTER {part_of} DROP COLUMN {column_name(key)}" if kind == "COLUMN" else "",
        "CONSTRAINT": f"ALTER {part_of} DROP CONSTRAINT {identity}",
        "REVOKED": f"GRANT {definition} ON {_granted(part_of)} TO {identity}",
        "LOGIN": f"ALTER {part_of} NOLOGIN",
        "MEMBERSHIP": f"REVOKE {identity} FROM {part_of.removeprefix('ROLE ')}",
        "SETTING": f"ALTER {part_of} RESET {identity}",
        "OWNED BY": f"ALTER {part_of} OWNED BY NONE",
        "DEFAULT GRANT": _default_grant(part_of, f"REVOKE {definition}", f"FROM {identity}"),
    }
    known = kind in _TOP or kind in _WHOLE or kind in ("TABLE", "FOREIGN TABLE", "AGGREGATE", "CAST", "PUBLICATION")
    return f"DROP {kind} {identity}" if known else statements.get(kind)


def alter(key: Key, here: str, there: Fingerprint) -> str | None:
    """The statement that makes an object that is here as it is there."""
    kind, identity, part_of = key
    wanted = there[key]
    if kind == "COLUMN":
        is_plain = "GENERATED" not in here + wanted
        return f"ALTER {part_of} ALTER COLUMN {column_name(key)} TYPE {wanted}" if is_plain else None
    if kind in ("SEQUENCE", "ROLE"):
        return f"ALTER {kind} {identity} {wanted}"
    if kind == "VIEW":
        return f"CREATE OR REPLACE VIEW {identity} {wanted}"
    if kind == "TYPE" and here.startswith("AS ENUM") and wanted.startswith(here[:-1] + ", "):
        added = wanted[len(here) + 1 : -1]
        return f"ALTER TYPE {identity} ADD VALUE {added}" if added.count("'") == 2 else None
    if kind in _GRANTS and "*" not in here + wanted:
        old, new = set(here.split(", ")), set(wanted.split(", "))
        more = create(key, {key: ", ".join(sorted(new - old))}) if new - old else None
        less = drop(key, ", ".join(sorted(old - new))) if old - new else None
        return "; ".join(filter(None, (more, less)))
    if kind in ("INDEX", "STATISTICS", "CONSTRAINT", "TRIGGER", "RULE", "POLICY", "MATERIALIZED VIEW"):
        statements = (drop(key, here), create(key, there))
        return None if None in statements else "; ".join(map(str, statements))
    is_set = kind in _OF_COLUMNS - {"IDENTITY"} or kind in ("OWNER", "OWNED BY", "PROPERTY", "SETTING", "MEMBERSHIP")
    return create(key, there) if is_set or kind in ("FUNCTION", "PROCEDURE") else None


def _granted(address: str) -> str:
    for kind, granted in _AS_GRANTED.items():
        if address.startswith(f"{kind} "):
            return granted + address[len(kind) :]
    return address


def _default_grant(part_of: str, verb: str, grantee: str) -> str:
    of_whom, _, on_what = part_of.rpartition(" ON ")
    return f"ALTER DEFAULT PRIVILEGES {of_whom} {verb} ON {on_what} {grantee}"
