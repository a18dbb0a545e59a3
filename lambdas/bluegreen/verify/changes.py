"""Which rows changed in a database since a moment: their keys, read from its log through a slot of its own.

What was compared once and has changed on neither side since is still equal. So the freeze compares only what changed,
and what changed is no guess: logical decoding gives every change that was committed after the slot was made. A row that
blue changed and green did not is in blue's log, one that somebody changed on green alone is in green's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..lsn import Lsn
from ..model import SCHEMA, Relation
from ..quoting import identifier, literal
from ..session import Session
from .chunks import Key

MESSAGE_BYTES = 8192
"""Of each change so much is read: a key is in it, unless wide columns stand before it."""

TWO_ROWS_BYTES = 2**17
"""The same, of an update that names its row by the full row: the new key stands behind it."""

FETCHED_MESSAGES = 5_000
KEYS_LIMIT = 1_000_000
"""A table of which more rows changed is looked at as a whole: that is faster, and needs no memory."""


@dataclass(slots=True)
class Changed:
    """What changed in one table."""

    columns: tuple[str, ...] = ()
    """The key's: those of the replica identity."""
    keys: set[Key] = field(default_factory=set)
    is_whole: bool = False
    """Whether the keys are not all: it was truncated, has no key, or too much of it changed."""

    def add(self, key: Key | None) -> None:
        """Notes a row, or, when its key is not known, that anything may have changed."""
        self.is_whole |= key is None or len(self.keys) >= KEYS_LIMIT
        if self.is_whole or key is None:
            self.keys.clear()
        else:
            self.keys.add(key)


Changes = dict[Relation, Changed]


@dataclass(frozen=True, slots=True)
class _Described:
    relation: Relation
    columns: tuple[str, ...]
    places: tuple[int, ...]
    """Where the key columns stand among the columns; empty without a key."""


class Decoder:
    """Reads messages of pgoutput, protocol version 1 (PostgreSQL manual, "Logical Replication Message Formats").

    Those about rows may be cut short.

    A change names its row by the replica identity. Where that is the full row, ``keys`` has the columns that suffice.
    ``local`` has the tables that a transaction changed which replication did not bring: one without an origin.
    """

    def __init__(self, keys: Mapping[Relation, tuple[str, ...]]) -> None:
        self.changes: Changes = {}
        self.local: set[Relation] = set()
        self._is_local = True
        self._keys = keys
        self._described: dict[int, _Described] = {}

    def read(self, messages: Iterable[bytes]) -> None:
        """Takes in messages."""
        for message in messages:
            match message[:1]:
                case b"B":
                    self._is_local = True
                case b"O":
                    self._is_local = False
                case b"R":
                    self._describe(message)
                case b"I" | b"U" | b"D":
                    self._row(message)
                case b"T":
                    self._truncate(message)

    def _describe(self, message: bytes) -> None:
        (oid,) = struct.unpack_from("!I", message, 1)
        schema, name, rest = message[5:].split(b"\0", 2)
        relation = Relation(schema.decode() or "pg_catalog", name.decode())
        identity, (count,), rest = rest[:1], struct.unpack_from("!H", rest, 1), rest[3:]
        columns: list[str] = []
        identifying: list[str] = []
        for _ in range(count):
            flags, (name, rest) = rest[0], rest[1:].split(b"\0", 1)
            columns.append(name.decode())
            identifying += [columns[-1]] if flags & 1 else []
            rest = rest[8:]  # type and modifier
        key = tuple(self._keys.get(relation, ()) if identity == b"f" else identifying)
        self._described[oid] = _Described(relation, key, tuple(map(columns.index, key)))

    def _row(self, message: bytes) -> None:
        (oid,) = struct.unpack_from("!I", message, 1)
        described = self._described[oid]
        if described.relation.schema == SCHEMA:
            return
        changed = self._changed(described)
        if changed.is_whole:
            return
        if not described.places:
            changed.add(None)
            return
        at = 5
        if message[at : at + 1] in (b"K", b"O"):  # the old row, or its key
            values, at = _values(message, at + 1, described.places)
            changed.add(values)
        if message[:1] != b"D":  # the new row; when it is cut off, its key is not known
            changed.add(_values(message, at + 1, described.places)[0])

    def _truncate(self, message: bytes) -> None:
        (count,) = struct.unpack_from("!I", message, 1)
        for oid in struct.unpack_from(f"!{count}I", message, 6):
            self._changed(self._described[oid]).add(None)

    def _changed(self, described: _Described) -> Changed:
        if self._is_local:
            self.local.add(described.relation)
        return self.changes.setdefault(described.relation, Changed(described.columns))


def _values(message: bytes, at: int, places: tuple[int, ...]) -> tuple[Key | None, int]:
    """The values at these places of the tuple that begins there, if all are there, and where the tuple ends."""
    wanted, found = set(places), {}
    try:
        (count,) = struct.unpack_from("!H", message, at)
        at += 2
        for place in range(count):
            kind = message[at : at + 1]
            at += 1
            if kind == b"t":
                (length,) = struct.unpack_from("!I", message, at)
                at += 4 + length
                if place in wanted and at <= len(message):
                    found[place] = message[at - length : at].decode()
    except struct.error:  # cut short
        at = len(message)
    return (tuple(found[place] for place in places) if len(found) == len(wanted) else None), at


_LENGTH = rf"""
    CASE WHEN substr(data, 1, 1) IN ('\x{b"R".hex()}', '\x{b"T".hex()}') THEN length(data)
         WHEN substr(data, 1, 1) = '\x{b"U".hex()}' AND substr(data, 6, 1) = '\x{b"O".hex()}' THEN {TWO_ROWS_BYTES}
         ELSE {MESSAGE_BYTES} END"""
"""How much of a message is fetched: of a table's description, or of a list of truncated ones, all."""


def read(session: Session, slot: str, publication: str, upto: Lsn, keys: Mapping[Relation, tuple[str, ...]]) -> Decoder:
    """What was committed in a database from where its slot stands up to a position that is on its disk.

    The slot stays where it is. The messages are fetched in parts, since one transaction may be as large as it likes.
    """
    decoder = Decoder(keys)
    fetch = f"FETCH {FETCHED_MESSAGES} FROM changes"
    with session.transaction():
        rows = session.run(
            f"DECLARE changes NO SCROLL CURSOR FOR SELECT substring(data FOR {_LENGTH}) AS message"  # noqa: S608
            f" FROM pg_logical_slot_peek_binary_changes({literal(slot)}, {literal(str(upto))}, NULL,"
            f" 'proto_version', '1', 'publication_names', {literal(identifier(publication))}); {fetch}"
        )
        decoder.read(row["message"] for row in rows)
        while len(rows) == FETCHED_MESSAGES:
            rows = session.run(fetch)
            decoder.read(row["message"] for row in rows)
    return decoder
