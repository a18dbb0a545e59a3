"""Eight writers that work like an application does: they know a name, not a server, and must live through a release.

Each writer is a thread with one connection to the address that the name has at that moment. When the session ends or
cannot be had, it asks the resolver again (which answers from its cache until the TTL is over) and tries again a moment
later. Each transaction changes several rows of several tables by one statement of `sample/transactions`, which
returns what it did; the journal keeps that with the outcome. Some transactions are rolled back on purpose. One writer
leaves each of its transactions open for a while, so that one is open at whatever moment a release freezes the server.
"""

from __future__ import annotations

import select
import socket
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from pg8000.native import Connection, DatabaseError, InterfaceError, PreparedStatement

from local.clients.journal import Journal, Outcome, Transaction
from local.clients.sample import Sample, transaction_sql

SETTINGS = {
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}
"""What the text of a row depends on: the same for every session that takes a digest of one."""

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 15.0
_BACKOFF_S = (0.02, 0.1)  # first and longest wait before the next try; a refused try costs the two sides 5 ms
_FAILURES = (OSError, InterfaceError, DatabaseError)  # pg8000 turns a lost connection into InterfaceError, mostly
_ROLL_BACK_EVERY = 11  # no writer has a number of kinds that divides it: transactions of each kind are rolled back


class NameResolver(Protocol):
    """Tells the address of a name, honouring its TTL. OSError or LookupError: no answer, try again."""

    def resolve(self, name: str) -> str:
        """The IP address."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a writer is and what it does, in turn; `hold` leaves its transactions open for a while."""

    number: int
    database: str
    role: str
    kinds: tuple[str, ...]
    hold: bool = False


# A kind that changes rows which writers share must not be held open: the others would wait for it all the time.
PROFILES = (
    Profile(1, "app", "app_writer", ("place_order", "ship_orders")),
    Profile(2, "app", "app_writer", ("place_order", "trade", "ship_orders")),
    Profile(3, "app", "app_writer", ("trade",)),
    Profile(4, "app", "app_owner", ("settle", "trade")),
    Profile(5, "app", "app_owner", ("file_document",)),
    Profile(6, "crm", "Crm Batch", ("meet_contacts", "follow_up", "meet_contacts", "forget_contact")),
    Profile(7, "crm", "Crm Batch", ("meet_contacts", "forget_contact", "follow_up")),
    Profile(8, "app", "app_writer", ("file_document",), hold=True),
)


class Session:
    """A connection of a writer, with the statements it has prepared."""

    def __init__(self, address: str, port: int, profile: Profile, password: str) -> None:
        self.address = address
        self.socket = socket.create_connection((address, port), _CONNECT_TIMEOUT_S)
        self.socket.settimeout(_ANSWER_TIMEOUT_S)
        try:
            # without ssl_context=False, pg8000 loads the machine's certificates each time: 25 ms of CPU
            self.connection = Connection(
                profile.role,
                database=profile.database,
                password=password,
                sock=self.socket,
                ssl_context=False,
                application_name=f"workload-{profile.number}",
                startup_params=SETTINGS,
            )
        except BaseException:
            self.socket.close()
            raise
        self._prepared: dict[str, PreparedStatement] = {}

    def run(self, kind: str, **parameters: object) -> list[list[str]]:
        """Run a statement of `local/clients/sample/transactions`."""
        if kind not in self._prepared:
            self._prepared[kind] = self.connection.prepare(transaction_sql(kind))
        return list(self._prepared[kind].run(**parameters))

    def idle(self, until: float, stopping: threading.Event) -> None:
        """Do nothing until a time (monotonic) or until stopping; ConnectionError if the server ends the session."""
        while (left := until - time.monotonic()) > 0 and not stopping.is_set():
            if select.select([self.socket], [], [], min(left, 0.1))[0]:
                raise ConnectionError("the server ended the session while the transaction was open")

    def close(self) -> None:
        with suppress(*_FAILURES):  # the server may have closed first
            self.connection.close()
        self.socket.close()


class Writer(threading.Thread):
    """One writer; `crash` is the exception that ended it, if one did, which is a defect of the workload."""

    def __init__(self, profile: Profile, workload: Workload) -> None:
        super().__init__(name=f"writer-{profile.number}", daemon=True)
        self.profile = profile
        self.workload = workload
        self.crash: Exception | None = None
        self._number = 0

    def run(self) -> None:
        try:
            self._work()
        except Exception as crash:  # noqa: BLE001 (whatever it is, Workload.stop raises it)
            self.crash = crash

    def _work(self) -> None:
        stopping = self.workload.stopping
        first, longest = _BACKOFF_S
        # a bit of its own for each writer: those that lost their sessions together do not come back in one burst
        own = 1 + self.profile.number / 8
        backoff = first
        while not stopping.is_set():
            session = self._connect()
            if session:
                backoff = first
                try:
                    self._write(session)
                except _FAILURES:
                    pass  # the journal has the reason
                finally:
                    session.close()
            stopping.wait(backoff * own)
            backoff = min(backoff * 2, longest)

    def _connect(self) -> Session | None:
        workload = self.workload
        with suppress(LookupError, *_FAILURES):
            address = workload.resolver.resolve(workload.record_name)
            return Session(address, workload.port, self.profile, workload.sample.roles[self.profile.role])
        return None

    def _write(self, session: Session) -> None:
        """Transaction after transaction at the rate that was asked for, until stopping or an error ends the session."""
        workload = self.workload
        due = time.monotonic()
        while not workload.stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / workload.rate, time.monotonic() - 1)  # after a delay, make up for a second at most
            try:
                self._transact(session)
            except DatabaseError as error:
                if severity(error) != "ERROR":
                    raise
                session.connection.run("ROLLBACK")  # a deadlock, for example: this session goes on

    def _transact(self, session: Session) -> None:
        profile, workload = self.profile, self.workload
        self._number += 1
        transaction = Transaction(
            tx=str(uuid.uuid4()),
            writer=profile.number,
            number=self._number,
            kind=profile.kinds[self._number % len(profile.kinds)],
            database=profile.database,
            role=profile.role,
            address=session.address,
            started=time.time(),
        )
        try:
            session.connection.run("BEGIN")
            written = session.run(transaction.kind, tx=transaction.tx, writer=profile.number, number=self._number)
            transaction.take(written)
            transaction.take(session.run("audited", tx=transaction.tx))
            if profile.hold:
                session.idle(time.monotonic() + workload.hold_s, workload.stopping)
            if self._number % _ROLL_BACK_EVERY == 0:
                session.connection.run("ROLLBACK")
                transaction.outcome = Outcome.ROLLED_BACK
            else:
                transaction.outcome = Outcome.UNKNOWN
                session.connection.run("COMMIT")
                transaction.outcome = Outcome.ACKNOWLEDGED
        except _FAILURES as error:
            transaction.reason = str(error)
            if isinstance(error, DatabaseError) and severity(error) == "ERROR":
                transaction.outcome = Outcome.FAILED  # also when COMMIT itself was refused
            raise
        finally:
            transaction.ended = time.time()
            workload.journal.add(transaction)


class Workload:
    """The eight writers. `record_name` is what they resolve; `rate` is transactions per second of each writer.

    A writer that holds its transactions open does so for `hold_s`; keep it well below what a release waits for open
    transactions when it makes its replication slots.
    """

    def __init__(
        self,
        sample: Sample,
        record_name: str,
        resolver: NameResolver,
        port: int,
        *,
        rate: float = 20.0,
        hold_s: float = 1.0,
        journal: Journal | None = None,
    ) -> None:
        self.sample = sample
        self.record_name = record_name
        self.resolver = resolver
        self.port = port
        self.rate = rate
        self.hold_s = hold_s
        self.journal = journal or Journal()
        self.stopping = threading.Event()
        self._writers = [Writer(profile, self) for profile in PROFILES]

    def start(self) -> None:
        """Let the writers go."""
        for writer in self._writers:
            writer.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """End every writer after its transaction; raises what ended one before, and TimeoutError if one hangs."""
        self.stopping.set()
        deadline = time.monotonic() + timeout_s
        for writer in self._writers:
            writer.join(max(0.0, deadline - time.monotonic()))
            if writer.is_alive():
                raise TimeoutError(f"writer {writer.profile.number} did not stop within {timeout_s:g} s")
            if writer.crash:
                raise writer.crash
        self.journal.close()

    @property
    def acknowledged(self) -> int:
        """Transactions whose commit was acknowledged so far."""
        return self.journal.counts[Outcome.ACKNOWLEDGED]

    @property
    def last_write_age_s(self) -> float:
        """Seconds since any writer's last acknowledged commit; infinite before the first."""
        last = self.journal.last_acknowledged_at
        return float("inf") if last is None else max(0.0, time.time() - last)


def severity(error: DatabaseError) -> str:
    """ERROR leaves the session alive; after FATAL it is gone, and so is the answer to what was under way."""
    return str(error.args[0].get("V", "")) if isinstance(error.args[0], dict) else ""
