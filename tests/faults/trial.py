"""A release to which something happens, and what must hold afterwards, whatever it was."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError

from local.aws.functions import Fault
from local.clients.journal import Outcome
from local.clients.reconcile import reconcile
from local.clients.sample import Sample
from local.clients.workload import Workload
from local.postgres.binaries import full_version
from local.postgres.link import Links
from local.postgres.servers import Server
from local.release import Release, ReleaseEnded
from local.world import World
from tests.e2e.conftest import MACHINE, ORDERS, break_function, orders_of, records_at, start, traces
from tests.faults.definition import STATES
from tests.faults.retiring import retire
from tests.waiting import eventually

RECORD_TTL_S = 2

DATABASES = ("app", "crm")
WRITER = "app_writer"
TRIED = "public.tried"
FREEZE_BUDGET_S = 60
"""More than a switchover takes on a machine that is busy with other tests."""

ABORT_ALLOWANCE_S = 45
"""What giving blue back may take on top of the freeze budget, retries and a crowded machine included."""

SHORT_BUDGET_S = 4
"""For releases that are to run into their freeze budget."""

UPGRADE = ("UpgradeGreen", "WaitForUpgrade", "UpdateExtensions")
NEWEST = 18

RATE = 5.0
"""Transactions a second of each writer: enough that some are under way at any instant."""


Action = Callable[[], object]


class Client:
    """Does something again and again without a pause, in a thread, until stopped."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._work()

    def stop(self) -> None:
        """Returns when it does nothing any more."""
        self._stopping.set()
        self._thread.join()


class Trial:
    """One release under write load, with faults, and the check of everything that must hold afterwards."""

    def __init__(self, running: World, sample: Sample, links: Links) -> None:
        self.running = running
        self.sample = sample
        self.links = links
        self.blue = running.production()
        self.release: Release | None = None
        self.acknowledged: list[str] = []
        """Rows that the trial itself wrote."""
        self.clients: list[Client] = []
        self.undo = ExitStack()
        self.crashed: list[Server] = []
        self._freeze_budget_s = FREEZE_BUDGET_S
        self._upgraded: set[str] = set()
        """The kinds of parameter groups that green gets of its own."""
        self.frozen_s = 0.0
        """How long writes were refused, at the longest."""
        self._before = traces(running, self.blue, DATABASES)
        self._workload = Workload(sample, running.record, running.resolver, running.aurora.port, rate=RATE)
        self._watch = lambda _: self._measure()
        for mail in running.mail_folder.glob("*.eml"):
            mail.unlink()

    # what happens

    def strike(self, state: str, fault: Fault, after_s: float = 0.05) -> None:
        """Lets the function of a state go wrong once, while the release runs."""
        if fault == "time_out" and not STATES[state].retries_timeout:
            after_s = 120.0
        break_function(self.running, state, fault, after_s=after_s)

    def at(self, state: str, before: Action | None = None, after: Action | None = None) -> None:
        """Does something right before the function of a state runs, or when it has run and has not answered."""
        self.running.emulator.functions.during(f"{MACHINE}-{state}", before=before, after=after, unless=b'"warm": true')

    def stop_execution(self) -> None:
        """What somebody does in the console."""
        assert self.release
        self.running.emulator.client("stepfunctions").stop_execution(executionArn=self.release.execution_arn)

    @property
    def green(self) -> Server | None:
        """The clone, while it is there."""
        return next((server for name, server in self._servers().items() if name not in self._before["clusters"]), None)

    def _servers(self) -> dict[str, Server]:
        with self.running.aurora.lock:
            return dict(self.running.aurora.servers)

    # the release

    def run(self, freeze_budget_s: int = FREEZE_BUDGET_S, **release_input: Any) -> dict[str, Any]:
        """A release under load, approved whenever it asks, to its end."""
        defaults: dict[str, Any] = {"max_attempts": 1, "changes": [{"database": "app", "script": self._script()}]}
        self._freeze_budget_s = freeze_budget_s
        self._workload.start()
        self.undo.callback(self.stop_clients)
        eventually(lambda: self._workload.acknowledged > 20, timeout_s=60)
        self.running.emulator.functions.after_invoke.append(self._watch)
        defaults |= {"freeze_budget_s": freeze_budget_s} | self._upgrade()
        defaults |= {"accept": ["global-endpoint"]} if self.running.away else {}
        self.release = start(self.running, defaults | release_input)
        with suppress(ReleaseEnded):
            self.release.wait_for_approval_request(timeout_s=180)
            self.release.answer("approve")
        return self.release.wait(timeout_s=240)

    def _script(self) -> str:
        """What changes green without anybody noticing, however often."""
        index = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS tried_again ON {TRIED} (id)"
        return self.running.put_script("tried.sql", f"COMMENT ON TABLE {TRIED} IS 'tried';\n{index}")

    def _upgrade(self) -> dict[str, Any]:
        """What leads a release through the states of an upgrade, if something is to happen there."""
        self._upgraded = {"cluster-pg"}  # the instances have RDS's own
        if not {f"{MACHINE}-{state}" for state in UPGRADE} & set(self.running.emulator.functions.pending()):
            self._upgraded = set()
            return {}
        version = {"engine_version": full_version(NEWEST)} if self.blue.version < NEWEST else {}
        return version | {"parameters": {"work_mem": "5MB"}}

    def _measure(self) -> None:
        """How long writes were refused, by the servers' own clocks: read while the records are there."""
        aborted = "SELECT extract(epoch FROM unfrozen_at - frozen_at)::float FROM bluegreen.freeze_record"
        opened = (
            "SELECT extract(epoch FROM decided_at - frozen_at)::float FROM bluegreen.freeze_record,"
            " bluegreen.opening WHERE outcome = 'open' AND unfrozen_at IS NULL"
        )
        for server, query in ((self.blue, aborted), (self.green, opened)):
            with suppress(DatabaseError, InterfaceError, OSError):
                for [frozen_s] in server.execute("app", query) if server else []:
                    self.frozen_s = max(self.frozen_s, frozen_s or 0.0)

    # what must hold

    def check(self, ends_on: str = "either side") -> None:
        """The invariants. ``ends_on`` is the side that must be production: ``blue``, ``green``, or ``either side``."""
        pending = self.running.emulator.functions.pending()
        assert not pending, f"nothing happened in {pending}: {self._story()}"
        self._wait_for(self._lock_is_free, "the lock is still held", timeout_s=90)
        writer = self.running.production()
        side = "blue" if writer is self.blue else "green"
        assert ends_on in (side, "either side"), f"{side} is production: {self._story()}"
        self._check_that_clients_write(writer)
        self._check_that_nothing_is_lost(writer)
        self._check_that_one_side_takes_writes(writer)
        self._check_that_nothing_is_left(writer)
        self._check_that_the_hook_knows(writer)
        assert self.frozen_s <= self._freeze_budget_s + ABORT_ALLOWANCE_S, f"somebody was stranded: {self._story()}"
        if writer is not self.blue:
            self._retire_blue()

    def _check_that_clients_write(self, writer: Server) -> None:
        """By the name: so the record is at the writer, too."""
        journal = self._workload.journal
        seen = len(journal.transactions)

        def written() -> bool:
            new = journal.transactions[seen:]
            return sum(t.outcome is Outcome.ACKNOWLEDGED and t.address == writer.address for t in new) > 20

        self._wait_for(written, f"clients do not write to {writer}", timeout_s=40)

    def _wait_for(self, condition: Callable[[], bool], otherwise: str, timeout_s: float) -> None:
        try:
            eventually(condition, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{otherwise} after {timeout_s:g} s: {self._story()}") from error

    def crash(self, server: Server) -> None:
        """Kills a server's processes, and starts it again."""
        self.crashed.append(server)
        server.restart("immediate")

    def _check_that_nothing_is_lost(self, writer: Server) -> None:
        self.stop_clients()
        result = reconcile(self.sample, self._workload.journal, self.blue, writer)
        ours = f"app: {TRIED}"  # the rows of the trial itself are no writer's
        # A crash forgets what was drawn by a transaction that did not commit, and so nobody has (manual, "nextval").
        again = [f"rolled_back by {server.address} " for server in self.crashed]
        findings = [
            finding
            for finding in result.findings
            if not finding.startswith(ours)
            and not ("was given to" in finding and any(each in finding for each in again))
        ]
        assert findings == [], f"{findings[:5]}: {self._story()}"
        held = {row for [row] in writer.execute("app", f"SELECT id FROM {TRIED}")}
        assert set(self.acknowledged) <= held, f"acknowledged and lost: {self._story()}"
        if writer is not self.blue:
            assert result.blue_refuses_writes, self._story()
            assert (result.client_write_gap_ms or 0) > 0, f"both took writes at once: {self._story()}"

    def _check_that_one_side_takes_writes(self, writer: Server) -> None:
        sides = [server for server in (self.blue, self.green) if server]
        takers = [server for server in sides if self.write(server, WRITER, self.sample.roles[WRITER])]
        assert takers == [writer], f"{takers} take writes: {self._story()}"

    def _check_that_nothing_is_left(self, writer: Server) -> None:
        allowed = self._allowed(writer)
        with suppress(AssertionError):  # the comparison below says what it is
            eventually(lambda: self._left_behind(writer) == allowed)
        left = self._left_behind(writer)
        differing = {key: (left[key], allowed[key]) for key in allowed if left[key] != allowed[key]}
        assert differing == {}, f"{differing}: {self._story()}"

    def _check_that_the_hook_knows(self, writer: Server) -> None:
        """What was done before a freeze is done with: the last that the hook heard is who is production."""
        assert self.release
        heard = [order["phase"] for order in orders_of(self.running.folder / ORDERS, self.release)]
        last = "called_off" if writer is self.blue else "after_opening"
        assert "before_freeze" not in heard or heard[-1] == last, f"{heard}: {self._story()}"

    def write(self, server: Server, role: str, password: str) -> bool:
        """Whether a role gets a row committed there, tried; the row must be there in the end."""
        row = str(uuid.uuid4())
        try:
            connection = server.connect("app", role, password)
            try:
                connection.run(f"INSERT INTO {TRIED} VALUES (:row)", row=row)
                self.acknowledged.append(row)
            finally:
                connection.close()
        except (DatabaseError, InterfaceError, OSError):
            return False
        return True

    def _lock_is_free(self) -> bool:
        table = self.running.stack.outputs["LockTableName"]
        items = self.running.emulator.client("dynamodb").scan(TableName=table)["Items"]
        return all("figures" in item for item in items)  # those of a rehearsal stay

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
            allowed["records"] = records_at(writer, RECORD_TTL_S, self._secondary(name))
            allowed["clusters"] = sorted([*allowed["clusters"], name])
            allowed["instances"] += 1
            if self.running.away:
                allowed["clusters away"] = sorted([*allowed["clusters away"], name])
                allowed["instances away"] += 1
                allowed["global clusters"] = allowed["global clusters"] | {f"{name}-global": 2}
            groups = {f"{kind}:{name}" for kind in self._upgraded}
            allowed["parameter_groups"] = sorted({*allowed["parameter_groups"], *groups})
        return allowed

    def _secondary(self, name: str) -> Server | None:
        """The secondary of a cluster that a release made: it has its name."""
        return self.running.away.servers[name] if self.running.away else None

    def _retire_blue(self) -> None:
        (name,) = (name for name, server in self._servers().items() if server is self.blue)
        retire(self.running, name)

    def _story(self) -> str:
        """What the release went through, for whoever has to find out."""
        assert self.release
        left = (step for step in self.release.new_steps() if step.duration_s is not None)
        states = [f"{step.name} ({step.last_error})" if step.last_error else step.name for step in left]
        return f"{self.release.describe()['status']} {self.release.failure()}; {', '.join(states)}"

    def stop_clients(self) -> None:
        """Nobody writes any more."""
        while self.clients:
            self.clients.pop().stop()
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
