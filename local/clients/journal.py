"""What the writers of the workload were told: every transaction, its changes, and the values that sequences gave.

This is the client's side of the truth. A transaction is `acknowledged` when the answer to its COMMIT came, `unknown`
when COMMIT was sent and no answer came, `failed` when it ended before COMMIT or COMMIT was answered with an error, and
`rolled_back` when the writer chose so. What a statement returned is kept in each case: a sequence does not take back
what a transaction that failed has drawn, and of an unknown one all changes must be there or none.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self


class Outcome(StrEnum):
    """What the client knows about a transaction."""

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class Change(NamedTuple):
    """A row as the server showed it right after the change: `digest` is the md5 of its text, None if it was deleted.

    `revision` counts the changes of the row from its insertion on; a deletion has the number of the change that it is.
    """

    table: str
    key: str
    revision: int
    digest: str | None


class Draw(NamedTuple):
    """A value that a sequence gave."""

    sequence: str
    value: int


@dataclass(slots=True)
class Transaction:
    """One transaction of one writer; times are seconds since 1970, `address` is the server's."""

    tx: str
    writer: int
    number: int
    kind: str
    database: str
    role: str
    address: str
    started: float
    ended: float = 0.0
    outcome: Outcome = Outcome.FAILED
    reason: str = ""
    changes: tuple[Change, ...] = ()
    draws: tuple[Draw, ...] = ()

    def __str__(self) -> str:
        at = time.strftime("%H:%M:%S", time.gmtime(self.ended)) + f"{self.ended % 1:.3f}"[1:]
        who = f"writer {self.writer} number {self.number}"
        return f"{self.kind} {self.tx} ({self.outcome} by {self.address} at {at}, {who})"

    def take(self, rows: Iterable[list[str]]) -> None:
        """Add what a statement of `local/clients/sample/transactions` returned."""
        changes, draws = list(self.changes), list(self.draws)
        for what, name, key, revision, digest in rows:
            if what == "draw":
                draws.append(Draw(name, int(key)))
            else:
                changes.append(Change(name, key, int(revision), digest))
        self.changes, self.draws = tuple(changes), tuple(draws)

    def to_json(self) -> str:
        """One line for the journal's file."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The inverse of `to_json`."""
        fields = json.loads(line)
        fields["outcome"] = Outcome(fields["outcome"])
        fields["changes"] = tuple(Change(*change) for change in fields["changes"])
        fields["draws"] = tuple(Draw(*draw) for draw in fields["draws"])
        return cls(**fields)


class Journal:
    """All transactions in the order in which they ended; threads may add. With a path, each is a line of that file."""

    def __init__(self, path: Path | None = None) -> None:
        self.transactions: list[Transaction] = []
        self.counts = dict.fromkeys(Outcome, 0)
        self.last_acknowledged_at: float | None = None
        self._lock = threading.Lock()
        self._file = path.open("a", buffering=1) if path else None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The journal of a workload that ended."""
        journal = cls()
        with path.open() as lines:
            for line in lines:
                journal.add(Transaction.from_json(line))
        return journal

    def add(self, transaction: Transaction) -> None:
        """Write down a transaction that ended."""
        with self._lock:
            self.transactions.append(transaction)
            self.counts[transaction.outcome] += 1
            if transaction.outcome is Outcome.ACKNOWLEDGED:
                self.last_acknowledged_at = transaction.ended
            if self._file:
                self._file.write(transaction.to_json() + "\n")

    def close(self) -> None:
        """Close the file; what is in memory stays."""
        if self._file:
            self._file.close()

    def write_gap_ms(self, blue: str, green: str) -> float | None:
        """Time from the last write that address `blue` acknowledged to the first that `green` did; None without both.

        Below zero, both took writes at once: that is what a release must never allow.
        """
        acknowledged = [t for t in self.transactions if t.outcome is Outcome.ACKNOWLEDGED]
        last = max((t.ended for t in acknowledged if t.address == blue), default=None)
        first = min((t.ended for t in acknowledged if t.address == green), default=None)
        return None if last is None or first is None else (first - last) * 1000
