"""A release to which something happens, and what must hold afterwards, whatever it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError

from local.aws.functions import Fault
from local.clients.reconcile import reconcile
from local.clients.sample import Sample, create_sample
from local.clients.workload import Workload
from local.postgres.link import Link
from local.postgres.roles import create_role
from local.postgres.servers import Server
from local.release import Release, ReleaseEnded
from local.world import World, world
from tests.e2e.conftest import MACHINE, break_function, start, traces
from tests.faults.definition import HAS_ATTEMPTS, STATES
from tests.waiting import eventually

DATABASES = ("app", "crm")
WRITER = "app_writer"
BOSS, BOSS_PASSWORD = "boss", "a superuser of the application"
RELEASES_IN_A_WORLD = 16
"""Then a new one is made: rows, servers and mails pile up, and slow the next releases down."""

FREEZE_BUDGET_S = 30
ABORT_ALLOWANCE_S = 60
"""What giving blue back may take on top of the freeze budget, retries and a crowded machine included."""

SHORT_BUDGET_S = 4
"""For releases that are to run into their freeze budget."""

RATE = 5.0
"""Transactions a second of each writer: enough that some are under way at any instant."""


class Stage:
    """Where trials happen: a world that many share, and a new one after any that failed."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._left = 0

    @contextmanager
    def trial(self) -> Iterator[Trial]:
        """A trial that has not begun; what it has left open is closed at the end."""
        if not self._left:
            self.close()
            self._running = self._undo.enter_context(world(latency_s=0.1, propagation_s=0.2, record_ttl_s=2))
            self._running.emulator.retry_scale = 0.1
            self._sample = create_sample(self._running.blue)
            prepare(self._running.blue)
            self._links = Links(self._running)
            self._undo.callback(self._links.close)
            self._left = RELEASES_IN_A_WORLD
        self._left -= 1
        trial = Trial(self._running, self._sample, self._links)
        try:
            yield trial
        except BaseException:
            self._left = 0
            raise
        finally:
            trial.close()

    def close(self) -> None:
        """Nothing remains."""
        self._undo.close()
        self._undo = ExitStack()


def prepare(blue: Server) -> None:
    """A table in which trials write by themselves, and a superuser who belongs to the application."""
    blue.execute("app", "CREATE TABLE tried (id text PRIMARY KEY)")
    blue.execute("app", f"GRANT INSERT, SELECT, DELETE ON tried TO {WRITER}")
    create_role(blue, BOSS, BOSS_PASSWORD, options="SUPERUSER")


class Links:
    """The networks of a world that trials cut, made where they are asked for."""

    def __init__(self, running: World) -> None:
        self._running = running
        self._made: dict[str, Link] = {}

    def to(self, server: Server) -> Link:
        """The way to a server; the first time, the server restarts behind it."""
        if server.address not in self._made:
            self._made[server.address] = Link(server, self._running.aurora.new_address())
        return self._made[server.address]

    def heal(self) -> None:
        """All networks are well."""
        for link in self._made.values():
            link.heal()

    def close(self) -> None:
        """No network any more."""
        for link in self._made.values():
            link.close()
        self._made.clear()


class Trial:
    """One release under write load, with faults, and the check of everything that must hold afterwards."""

    def __init__(self, running: World, sample: Sample, links: Links) -> None:
        self.running = running
        self.sample = sample
        self.links = links
        self.blue = running.production()
        self.release: Release | None = None
        self.extra: dict[str, str] = {}
        """Rows that the trial itself had acknowledged, and on which side, by their id."""
        self.undo = ExitStack()
        self._frozen_s = 0.0
        self._before = traces(running, self.blue, DATABASES)
        self._workload = Workload(sample, running.record, running.resolver, running.aurora.port, rate=RATE)
        self._watch = lambda _: self._measure()
        for mail in running.mail_folder.glob("*.eml"):
            mail.unlink()

    # what happens

    def strike(self, state: str, fault: Fault) -> None:
        """Lets the function of a state go wrong once, while the release runs."""
        after_s = 120.0 if fault == "time_out" and not STATES[state].retries_timeout else 0.05
        break_function(self.running, state, fault, after_s=after_s)

    def at(self, state: str, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None) -> None:
        """Does something right before the function of a state runs, or when it has run and has not answered."""
        self.running.emulator.functions.during(f"{MACHINE}-{state}", before=before, after=after, unless=b'"warm": true')

    def stop_execution(self) -> None:
        """What somebody does in the console."""
        assert self.release
        self.running.emulator.client("stepfunctions").stop_execution(executionArn=self.release.execution_arn)

    @property
    def green(self) -> Server:
        """The clone, once it is there."""
        return next(s for name, s in self._servers().items() if s is not self.blue and self._is_current(name))

    def _servers(self) -> dict[str, Server]:
        with self.running.aurora.lock:
            return dict(self.running.aurora.servers)

    def _is_current(self, name: str) -> bool:
        return name not in self._before["clusters"]

    # the release

    def run(self, **release_input: Any) -> dict[str, Any]:
        """A release under load, approved whenever it asks, to its end."""
        defaults = {"freeze_budget_s": FREEZE_BUDGET_S} | ({"max_attempts": 1} if HAS_ATTEMPTS else {})
        self._workload.start()
        self.undo.callback(self._stop_workload)
        eventually(lambda: self._workload.acknowledged > 20)
        self.running.emulator.functions.after_invoke.append(self._watch)
        self.release = start(self.running, defaults | release_input)
        with suppress(ReleaseEnded):
            self.release.wait_for_approval_request()
            self.release.answer("approve")
        return self.release.wait()

    def _measure(self) -> None:
        """How long writes were refused, by the servers' own clocks: read while the records are there."""
        query = "SELECT frozen_at, {} FROM bluegreen.{} WHERE frozen_at IS NOT NULL"
        with suppress(DatabaseError, InterfaceError, OSError):
            for frozen_at, ended_at in self.blue.execute("app", query.format("unfrozen_at", "freeze_record")):
                self._note(frozen_at, ended_at)
        with suppress(DatabaseError, InterfaceError, OSError, StopIteration):
            joined = "freeze_record JOIN bluegreen.opening ON outcome = 'open'"
            for frozen_at, ended_at in self.green.execute("app", query.format("decided_at", joined)):
                self._note(frozen_at, ended_at)

    def _note(self, frozen_at: datetime, ended_at: datetime | None) -> None:
        if ended_at is not None:
            self._frozen_s = max(self._frozen_s, (ended_at - frozen_at).total_seconds())

    # what must hold

    def check(self, writer: str, *, struck: bool = True) -> None:
        """The invariants. ``writer`` says on which side the release must have ended: ``blue`` or ``green``."""
        running = self.running
        pending = running.emulator.functions.pending()
        assert not (struck and pending), f"nothing happened in {pending}: {self._story()}"
        eventually(self._lock_is_free, timeout_s=60)
        servers = {name: s for name, s in self._servers().items() if s is self.blue or self._is_current(name)}
        expected = self.blue if writer == "blue" else self.green
        eventually(lambda: running.resolver.resolve(running.record) == expected.address)
        acknowledged = self._workload.acknowledged
        eventually(lambda: self._workload.acknowledged > acknowledged + 20)
        self._stop_workload()
        result = reconcile(self.sample, self._workload.journal, self.blue, expected)
        assert result.findings == [], self._story()
        assert result.blue_refuses_writes == (writer == "green"), self._story()
        assert writer == "blue" or (result.client_write_gap_ms or 0) > 0, "both took writes at once"
        takers = [name for name, server in servers.items() if self.takes_writes(server)]
        assert [servers[name] for name in takers] == [expected], f"{takers} take writes: {self._story()}"
        held = {row for [row] in expected.execute("app", "SELECT id FROM tried")}
        assert set(self.extra) <= held, "acknowledged and not there"
        eventually(lambda: self._left_behind(expected) == self._allowed(expected), timeout_s=30)
        assert self._frozen_s <= FREEZE_BUDGET_S + ABORT_ALLOWANCE_S, "somebody was stranded"
        if writer == "green":
            self._retire_blue()

    @property
    def frozen_s(self) -> float:
        """How long writes were refused."""
        return self._frozen_s

    def takes_writes(self, server: Server, role: str = WRITER, password: str = "") -> bool:
        """Whether an application gets a row committed there, tried."""
        try:
            connection = server.connect("app", role, password or self.sample.roles[role])
            try:
                name = f"probe-{threading.get_ident()}"
                connection.run("INSERT INTO tried VALUES (:id)", id=name)
                connection.run("DELETE FROM tried WHERE id = :id", id=name)
            finally:
                connection.close()
        except (DatabaseError, InterfaceError, OSError):
            return False
        return True

    def _lock_is_free(self) -> bool:
        table = self.running.stack.outputs["LockTableName"]
        return not self.running.emulator.client("dynamodb").scan(TableName=table)["Items"]

    def _left_behind(self, writer: Server) -> dict[str, Any]:
        found = traces(self.running, writer, DATABASES)
        on_blue = traces(self.running, self.blue, DATABASES)
        return found | {"slots on blue": on_blue["slots"], "publications on blue": on_blue["publications"]}

    def _allowed(self, writer: Server) -> dict[str, Any]:
        """What there was before; after a success, one cluster more, and the record at it."""
        allowed = self._before | {
            "slots on blue": self._before["slots"],
            "publications on blue": self._before["publications"],
        }
        if writer is not self.blue:
            (name,) = (name for name, server in self._servers().items() if server is writer)
            [(record, ttl_s, _)] = allowed["records"]
            allowed["records"] = [(record, ttl_s, [{"Value": writer.address}])]
            allowed["clusters"] = sorted([*allowed["clusters"], name])
            allowed["instances"] += 1
        return allowed

    def _retire_blue(self) -> None:
        """What an operator does days later: the old production cluster goes."""
        (name,) = (name for name, server in self._servers().items() if server is self.blue)
        rds = self.running.emulator.client("rds")
        rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)
        for instance in rds.describe_db_instances()["DBInstances"]:
            if instance["DBClusterIdentifier"] == name:
                rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
        eventually(
            lambda: name not in [cluster["DBClusterIdentifier"] for cluster in rds.describe_db_clusters()["DBClusters"]]
        )

    def _story(self) -> str:
        """What the release went through, for whoever has to find out."""
        assert self.release
        states = [f"{s.name}({s.last_error})" if s.last_error else s.name for s in self.release.new_steps()]
        return f"{self.release.describe()['status']} {self.release.failure()}; {' '.join(states)}"

    def _stop_workload(self) -> None:
        if not self._workload.stopping.is_set():
            self._workload.stop()

    def close(self) -> None:
        """Ends what the trial began."""
        self.running.emulator.functions.forget()
        with suppress(ValueError):
            self.running.emulator.functions.after_invoke.remove(self._watch)
        self.running.emulator.refuse_next_change = None
        self.links.heal()
        self.undo.close()
