"""The only importer of PostgreSQL's parser: libpg_query, the server's own grammar, by way of ``postgast``.

It comes in a layer of its own, which only the functions that read scripts have (``stacks/packaging.py``), and is loaded
when there is a script to read, which takes 0.1 s. Its grammar is that of PostgreSQL 18: what an older server does not
know is refused by the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postgast import PgQueryError

MAX_STATEMENT_BYTES = 4 * 2**20
"""A parsed statement takes some 50 times its length in memory."""

Node = Any
"""A message of libpg_query's protobuf, whose fields are those of PostgreSQL's parse nodes."""

_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|$))+")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class Unparsable(Exception):
    """PostgreSQL cannot read a script; the message says why, ``line`` where."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script, without the semicolon."""

    text: str = field(repr=False)
    line: int
    """Of its first word, counted from 1."""
    node: Node = field(repr=False, compare=False)

    @property
    def kind(self) -> str:
        """What it is, in the parser's words: ``IndexStmt``."""
        return type(self.node).__name__

    def line_of(self, node: Node) -> int:
        """The line of a part of it, which knows where it begins, in bytes."""
        location = getattr(node, "location", -1)
        if location <= 0:
            return self.line
        return self.line + self.text.encode()[:location].count(b"\n") - _leading(self.text).count("\n")

    def nodes(self) -> Iterator[Node]:
        """The statement and all its parts."""
        import postgast

        return (node for _, node in postgast.walk(self.node))


def statements(text: str) -> list[Statement]:
    """Takes a script apart. Raises ``Unparsable`` at the first thing that is no SQL.

    Each statement is parsed by itself, since the tree of a long script as a whole would not fit into a function.
    """
    import postgast

    try:
        texts = postgast.split(text)
    except postgast.PgQueryError as error:
        raise _unparsable(text, error) from error
    found, position, line = [], 0, 1
    for each in texts:
        begins = text.index(each, position)
        leading = _leading(each)
        line += text.count("\n", position, begins)
        first_line = line + leading.count("\n")
        if len(each.encode()) > MAX_STATEMENT_BYTES:
            raise Unparsable(f"a statement longer than {MAX_STATEMENT_BYTES} bytes; divide it", first_line)
        try:
            parsed = postgast.parse(each)
        except postgast.PgQueryError as error:  # what the splitting had no need to understand
            raise Unparsable(error.message, line + _lines_before(each, error.cursorpos)) from error
        found += [Statement(each, first_line, postgast.unwrap_node(raw.stmt)) for raw in parsed.stmts]
        line += each.count("\n")
        position = begins + len(each)
    return found


def word(node: Node, name: str) -> str:
    """The word for a value of an enumeration."""
    value: str = node.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number[getattr(node, name)].name
    return value


def names(node: Node) -> list[str]:
    """A name in its parts, as lists of objects have it."""
    if node.HasField("string"):
        return [node.string.sval]
    if node.HasField("list"):
        return [each.string.sval for each in node.list.items]
    return [""]


def _leading(text: str) -> str:
    """The blanks and comments in front of a statement's first word; comments of SQL may be nested.

    >>> _leading("-- one /* /* two */ SELECT 2 */ SELECT 1"), _leading("/* one /* two */ */ SELECT 1")
    ('-- one /* /* two */ SELECT 2 */ SELECT 1', '/* one /* two */ */ ')
    """
    position = 0
    while True:
        if blank := _BLANK.match(text, position):
            position = blank.end()
        if not text.startswith("/*", position):
            return text[:position]
        depth = 0
        for edge in _COMMENT_EDGE.finditer(text, position):
            depth += 1 if edge.group() == "/*" else -1
            position = edge.end()
            if not depth:
                break


def _lines_before(text: str, cursor: int) -> int:
    """How many lines end before a position of libpg_query, which counts bytes from 1."""
    return text.encode()[: max(0, cursor - 1)].count(b"\n")


def _unparsable(text: str, error: PgQueryError) -> Unparsable:
    position = max(0, error.cursorpos - 1)
    before = text.encode()[:position].decode(errors="ignore")
    rest = text[len(before) :]
    reason = error.message
    if rest.startswith("\\"):
        reason = "a command of psql, which is not SQL"
    elif re.search(r"\bFROM\s+STDIN\b[^;]*;\s*\Z", before, re.IGNORECASE):
        reason = "data of COPY … FROM STDIN, which only psql can send; use INSERT"
    return Unparsable(reason, before.count("\n") + 1)
