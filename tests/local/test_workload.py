"""The writers of the workload: what they change, what they are told, and what they live through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from local.clients.compare import connected, read_tables
from local.clients.journal import Journal, Outcome, Transaction
from local.clients.sample import Sample, create_sample
from local.clients.workload import PROFILES, Workload
from local.host import reserve_address
from local.postgres.servers import Server
from tests.waiting import eventually

RECORD = "db.shop.internal"

Run = Callable[..., AbstractContextManager[Workload]]


class FixedResolver:
    """Answers with the address it was made with."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.names: set[str] = set()

    def resolve(self, name: str) -> str:
        self.names.add(name)
        return self.address


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with reserve_address() as reservation:
        server = Server.create(folder / "workload", 16, *reservation.getsockname())
        yield server
        server.remove()


@pytest.fixture(scope="module")
def sample(server: Server) -> Sample:
    return create_sample(server)


@pytest.fixture
def running(server: Server, sample: Sample) -> Run:
    """A workload against the server for the length of a `with` block."""

    @contextmanager
    def run(journal: Journal | None = None, hold_s: float = 0.3) -> Iterator[Workload]:
        resolver = FixedResolver(server.address)
        workload = Workload(sample, RECORD, resolver, server.port, rate=50, hold_s=hold_s, journal=journal)
        workload.start()
        try:
            yield workload
        finally:
            workload.stop()
        assert resolver.names == {RECORD}

    return run


def acknowledged(workload: Workload) -> list[Transaction]:
    return [t for t in list(workload.journal.transactions) if t.outcome is Outcome.ACKNOWLEDGED]


def went_on(workload: Workload) -> Callable[[], bool]:
    """A condition: every writer has had another transaction acknowledged since now."""
    before = len(workload.journal.transactions)

    def condition() -> bool:
        since = list(workload.journal.transactions)[before:]
        return {t.writer for t in since if t.outcome is Outcome.ACKNOWLEDGED} == {p.number for p in PROFILES}

    return condition


def test_every_writer_makes_transactions_of_all_its_kinds_as_three_roles(running: Run, server: Server) -> None:
    wanted = {(profile.number, profile.role, kind) for profile in PROFILES for kind in profile.kinds}
    with running() as workload:
        eventually(lambda: {(t.writer, t.role, t.kind) for t in acknowledged(workload)} == wanted)
        assert workload.acknowledged > 0
        assert workload.last_write_age_s < float("inf")
    assert len(PROFILES) == 8
    assert len({profile.role for profile in PROFILES}) == 3
    assert {t.address for t in workload.journal.transactions} == {server.address}
    assert {t.database for t in workload.journal.transactions} == {"app", "crm"}


def test_between_them_the_writers_change_every_table_that_is_not_meant_to_stay_empty(
    running: Run, server: Server
) -> None:
    tables = set()
    for database in ("app", "crm"):
        with connected(server, database) as connection:
            tables |= {(database, name) for name in read_tables(connection)}

    def changes(workload: Workload) -> set[tuple[str, str, bool]]:
        return {(t.database, c.table, c.digest is None) for t in acknowledged(workload) for c in t.changes}

    deleted_from = {
        "sales.orders",
        "sales.order_lines",
        '"Trade Desk"."Price Ticks"',
        'public."order"',
        "public.transfers",
    }
    with running() as workload:
        eventually(lambda: {(db, table) for db, table, _ in changes(workload)} >= tables - {("app", "sales.returns")})
        eventually(lambda: {table for _, table, deleted in changes(workload) if deleted} > deleted_from)


def test_values_drawn_by_a_transaction_that_is_rolled_back_are_written_down(running: Run, server: Server) -> None:
    def rolled_back(workload: Workload) -> list[Transaction]:
        return [t for t in list(workload.journal.transactions) if t.outcome is Outcome.ROLLED_BACK and t.draws]

    with running() as workload:
        eventually(lambda: rolled_back(workload))
    transaction = rolled_back(workload)[0]
    [[count]] = server.execute(transaction.database, "SELECT count(*) FROM ledger WHERE tx = :tx", tx=transaction.tx)
    assert count == 0


def test_a_transaction_that_is_open_when_its_session_ends_fails_and_the_writer_goes_on(
    running: Run, server: Server, sample: Sample
) -> None:
    holder = next(profile.number for profile in PROFILES if profile.hold)
    idle = """
        SELECT FROM pg_stat_activity
        WHERE application_name = :name AND state = 'idle in transaction' AND query ~ 'audit'
    """

    def outcomes(workload: Workload) -> list[Outcome]:
        return [t.outcome for t in list(workload.journal.transactions) if t.writer == holder]

    with running(hold_s=60) as workload:
        eventually(lambda: server.execute("postgres", idle, name=f"workload-{holder}"))
        for role in sample.roles:
            server.execute("postgres", f'ALTER ROLE "{role}" NOLOGIN')
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY(:roles)"
        server.execute("postgres", terminate, roles=list(sample.roles))
        eventually(lambda: outcomes(workload) == [Outcome.FAILED])
        for role in sample.roles:
            server.execute("postgres", f'ALTER ROLE "{role}" LOGIN')
        eventually(lambda: server.execute("postgres", idle, name=f"workload-{holder}"))
    assert outcomes(workload) == [Outcome.FAILED, Outcome.ACKNOWLEDGED]
    cut = next(t for t in workload.journal.transactions if t.writer == holder)
    assert cut.changes, "it had written"
    assert server.execute("app", "SELECT FROM ledger WHERE tx = :tx", tx=cut.tx) == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_writers_survive_a_restart_of_the_server(running: Run, server: Server, mode: str) -> None:
    with running() as workload:
        eventually(went_on(workload))
        server.restart(mode)
        eventually(went_on(workload))


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10)", Outcome.UNKNOWN),
        ("RAISE EXCEPTION 'not today'", Outcome.FAILED),
    ],
)
def test_a_commit_without_an_answer_is_unknown_and_a_refused_one_has_failed(
    running: Run, server: Server, action: str, outcome: Outcome
) -> None:
    server.execute(
        "crm",
        f"""
        CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
            $$ BEGIN {action}; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.number = 5) EXECUTE FUNCTION at_commit();
        """,
    )
    try:
        with running() as workload:
            eventually(lambda: {t.writer for t in acknowledged(workload) if t.number > 5} >= {6, 7})
    finally:
        server.execute("crm", "DROP FUNCTION at_commit CASCADE")
    fifth = [t for t in workload.journal.transactions if t.database == "crm" and t.number == 5]
    assert [t.outcome for t in fifth] == [outcome, outcome]
    assert all(t.reason and t.changes for t in fifth)


def test_a_journal_can_be_read_back_from_its_file(running: Run, tmp_path: Path) -> None:
    with running(Journal(tmp_path / "journal")) as workload:
        eventually(went_on(workload))
    again = Journal.read(tmp_path / "journal")
    assert again.transactions == workload.journal.transactions
    assert again.counts == workload.journal.counts


def test_a_writer_that_breaks_is_not_overlooked(server: Server, sample: Sample) -> None:
    class Broken:
        def resolve(self, name: str) -> str:
            raise ZeroDivisionError(name)

    workload = Workload(sample, RECORD, Broken(), server.port)
    workload.start()
    with pytest.raises(ZeroDivisionError):
        workload.stop()


def test_a_resolver_without_an_answer_is_asked_again(server: Server, sample: Sample) -> None:
    class Hesitant(FixedResolver):
        refusals = 20

        def resolve(self, name: str) -> str:
            self.refusals -= 1
            if self.refusals > 0:
                raise OSError("no answer")
            return super().resolve(name)

    workload = Workload(sample, RECORD, Hesitant(server.address), server.port)
    workload.start()
    eventually(lambda: workload.acknowledged)
    workload.stop()


def test_no_password_reaches_the_servers_log(server: Server, sample: Sample) -> None:
    log = server.log.read_text()
    assert "ledger" in log, "it takes statements"
    assert not [role for role, password in {**sample.roles, **sample.locked_roles}.items() if password in log]


def test_the_gap_is_below_zero_when_both_sides_took_writes() -> None:
    journal = Journal()
    for address, ended in (("blue", 10.0), ("green", 10.5), ("blue", 11.0)):
        transaction = Transaction("tx", 1, 1, "trade", "app", "app_writer", address, ended, ended, Outcome.ACKNOWLEDGED)
        journal.add(transaction)
    assert journal.write_gap_ms("blue", "green") == -500
    assert journal.write_gap_ms("blue", "nobody") is None
