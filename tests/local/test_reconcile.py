"""The check after a release: it is silent when nothing happened, and names every harm that is done on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.clients.journal import Change, Journal, Outcome, Transaction
from local.clients.reconcile import Reconciliation, reconcile
from local.clients.sample import Sample, create_sample
from local.clients.workload import PROFILES, Workload
from local.host import reserve_address
from local.postgres.servers import Server
from tests.local.conftest import NewServer
from tests.waiting import eventually


class MovableResolver:
    """Answers with an address that the test may change."""

    def __init__(self, address: str) -> None:
        self.address = address

    def resolve(self, name: str) -> str:
        return self.address


@dataclass
class Finished:
    """A server after a workload. `app` can be put back to how it was then."""

    server: Server
    sample: Sample
    journal: Journal

    def check(self) -> Reconciliation:
        return reconcile(self.sample, self.journal, self.server, self.server)

    def damage(self, *statements: str) -> None:
        """Run SQL that fires no trigger."""
        for statement in statements:
            self.server.execute("app", f"SET session_replication_role = replica; {statement}")

    def keep(self) -> None:
        self.server.execute("postgres", "CREATE DATABASE kept TEMPLATE app")

    def put_back(self) -> None:
        self.server.execute("postgres", "DROP DATABASE app")
        self.server.execute("postgres", "CREATE DATABASE app TEMPLATE kept")


@pytest.fixture(scope="module")
def finished(folder: Path) -> Iterator[Finished]:
    with reserve_address() as reservation:
        server = Server.create(folder / "finished", 16, *reservation.getsockname())
        sample = create_sample(server)
        workload = Workload(sample, "db", MovableResolver(server.address), server.port, rate=50, hold_s=0.1)
        workload.start()
        eventually(lambda: min(numbers(workload.journal).values()) >= 12)
        workload.stop()
        finished = Finished(server, sample, workload.journal)
        finished.keep()
        yield finished
        server.remove()


@pytest.fixture
def damaged(finished: Finished) -> Iterator[Finished]:
    yield finished
    finished.put_back()


def numbers(journal: Journal, address: str | None = None) -> dict[int, int]:
    """How many transactions each writer had acknowledged, by any server or by that at an address."""
    ended = [
        t for t in list(journal.transactions) if t.outcome is Outcome.ACKNOWLEDGED and address in (None, t.address)
    ]
    return {profile.number: sum(t.writer == profile.number for t in ended) for profile in PROFILES}


def final(journal: Journal, table: str, *, deleted: bool = False) -> tuple[Transaction, Change]:
    """A row of a table as the last acknowledged change left it, and the transaction that did so."""
    last: dict[str, tuple[Transaction, Change]] = {}
    for transaction in journal.transactions:
        for change in transaction.changes if transaction.outcome is Outcome.ACKNOWLEDGED else ():
            if change.table == table and (change.key not in last or last[change.key][1].revision < change.revision):
                last[change.key] = (transaction, change)
    return next(found for found in last.values() if (found[1].digest is None) == deleted)


def test_nothing_is_found_after_a_workload_that_nobody_disturbed(damaged: Finished) -> None:
    result = damaged.check()
    assert result.findings == []
    assert result.acknowledged == sum(numbers(damaged.journal).values())
    assert not result.blue_refuses_writes
    report = result.to_report()
    assert (report["missing"], report["duplicated"], report["sequence_conflicts"]) == (0, 0, 0)
    for database, counts in result.databases.items():
        tables = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND oid > 16383"
        assert [[counts.tables]] == damaged.server.execute(database, tables)
        assert counts.rows > 2000
        assert counts.sequences >= 7


def test_an_acknowledged_row_that_is_gone_is_missing(damaged: Finished) -> None:
    transaction, change = final(damaged.journal, "sales.orders")
    damaged.damage(f"DELETE FROM sales.orders WHERE ROW(id, placed_on)::text = '{change.key}'")
    [missing] = damaged.check().missing
    assert "sales.orders" in missing
    assert change.key in missing
    assert transaction.tx in missing


def test_a_row_that_came_back_lacks_its_deletion(damaged: Finished) -> None:
    transaction, change = final(damaged.journal, "public.transfers", deleted=True)
    row = f"'{change.key[1:-1]}', 'ACC/001', 'ACC/002', 1, 1"
    damaged.damage(f"INSERT INTO transfers (id, payer, payee, amount, voucher) VALUES ({row})")
    [missing] = damaged.check().missing
    assert f"the deletion of {transaction}" in missing


def test_a_change_that_is_lost_is_missing_and_named(damaged: Finished) -> None:
    transaction, change = final(damaged.journal, "public.accounts")
    damaged.damage(f"UPDATE accounts SET revision = revision - 1 WHERE code = '{change.key[1:-1]}'")
    [missing] = damaged.check().missing
    assert f"the change of {transaction}" in missing


def test_a_transaction_that_is_gone_as_a_whole_is_missing_in_every_table(damaged: Finished) -> None:
    transaction = next(
        t for t in damaged.journal.transactions if t.kind == "settle" and t.outcome is Outcome.ACKNOWLEDGED
    )
    damaged.damage(*(f"DELETE FROM {table} WHERE tx = '{transaction.tx}'" for table in ("ledger", "audit")))
    missing = damaged.check().missing
    assert {finding.split()[1] for finding in missing} == {"public.ledger", "public.audit"}
    assert all(transaction.tx in finding for finding in missing)


def test_a_change_that_was_applied_twice_is_duplicated(damaged: Finished) -> None:
    transaction, change = final(damaged.journal, "public.accounts")
    damaged.damage(
        f"UPDATE accounts SET balance = balance - 0.03, revision = revision + 1 WHERE code = '{change.key[1:-1]}'"
    )
    result = damaged.check()
    [duplicated] = result.duplicated
    assert "public.accounts" in duplicated
    assert change.key in duplicated
    assert "1 changes more" in duplicated
    assert transaction.tx in duplicated
    assert result.missing == []


def test_a_row_that_a_trigger_wrote_twice_is_duplicated(damaged: Finished) -> None:
    transaction, _ = final(damaged.journal, "sales.orders")
    damaged.damage(f"INSERT INTO audit (tx, relation, operation) VALUES ('{transaction.tx}', 'orders', 'INSERT')")
    [duplicated] = damaged.check().duplicated
    assert transaction.tx in duplicated


def test_a_value_that_changed_without_a_transaction_is_unexpected(damaged: Finished) -> None:
    _, change = final(damaged.journal, "sales.products")
    damaged.damage(f"UPDATE sales.products SET stock = stock + 1 WHERE sku = '{change.key[1:-1]}'")
    [unexpected] = damaged.check().unexpected
    assert change.key in unexpected


def test_what_a_transaction_left_that_was_rolled_back_is_unexpected(damaged: Finished) -> None:
    rolled_back = next(
        t for t in damaged.journal.transactions if t.outcome is Outcome.ROLLED_BACK and t.database == "app"
    )
    damaged.damage(f"INSERT INTO ledger (tx, writer, number, kind) VALUES ('{rolled_back.tx}', 1, 1, 'trade')")
    [unexpected] = damaged.check().unexpected
    assert f"left by {rolled_back}" in unexpected


def test_a_commit_without_an_answer_may_be_there_or_not_but_not_in_part(damaged: Finished) -> None:
    journal = copied(damaged.journal)
    there, _ = final(journal, "public.transfers")
    not_there = next(t for t in journal.transactions if t.outcome is Outcome.ROLLED_BACK)
    there.outcome = not_there.outcome = Outcome.UNKNOWN
    assert reconcile(damaged.sample, journal, damaged.server, damaged.server).findings == []
    damaged.damage(f"DELETE FROM ledger WHERE tx = '{there.tx}'")
    unexpected = reconcile(damaged.sample, journal, damaged.server, damaged.server).unexpected
    assert any("public.transfers" in finding and there.tx in finding for finding in unexpected)


def copied(journal: Journal) -> Journal:
    """A journal that a test may falsify."""
    copy = Journal()
    for transaction in journal.transactions:
        copy.add(deepcopy(transaction))
    return copy


def test_each_sequence_that_was_reset_is_a_conflict(damaged: Finished) -> None:
    drawn = {d.sequence for t in damaged.journal.transactions if t.database == "app" for d in t.draws}
    assert drawn > {"public.voucher", "public.countdown", "public.edge", "public.till", 'sales."Invoice Numbers"'}
    damaged.damage(*(f"ALTER SEQUENCE {sequence} RESTART" for sequence in drawn))
    conflicts = damaged.check().sequence_conflicts
    assert sorted(conflict.split(": ")[1] for conflict in conflicts) == sorted(drawn)


def test_a_value_that_two_transactions_were_given_is_a_conflict(damaged: Finished) -> None:
    journal = copied(damaged.journal)
    one, two = [t for t in journal.transactions if t.kind == "settle" and t.draws][:2]
    two.draws = one.draws
    conflicts = reconcile(damaged.sample, journal, damaged.server, damaged.server).sequence_conflicts
    assert any(one.tx in conflict and two.tx in conflict for conflict in conflicts)


def test_writers_go_over_to_a_copy_and_only_what_is_done_to_it_is_found(new_server: NewServer) -> None:
    """A release in short: blue is frozen, green is a clone of it, the name moves, green opens."""
    blue = new_server()
    sample = create_sample(blue)
    journal = Journal()
    resolver = MovableResolver(blue.address)
    workload = Workload(sample, "db", resolver, blue.port, rate=50, hold_s=0.2, journal=journal)
    workload.start()
    eventually(lambda: min(numbers(journal).values()) >= 2)
    for role in sample.roles:
        blue.execute("postgres", f'ALTER ROLE "{role}" NOLOGIN')
    end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = ANY(:roles)"
    eventually(lambda: not blue.execute("postgres", end, roles=list(sample.roles)))
    green = new_server(source=blue)
    resolver.address = green.address
    for role in sample.roles:
        green.execute("postgres", f'ALTER ROLE "{role}" LOGIN')
    eventually(lambda: min(numbers(journal, green.address).values()) >= 2)
    workload.stop()

    result = reconcile(sample, journal, blue, green)
    assert result.findings == []
    assert result.blue_refuses_writes
    assert result.client_write_gap_ms is not None
    assert result.client_write_gap_ms > 0

    harm: list[tuple[str, Callable[[Reconciliation], list[str]], str]] = [
        ("SELECT setval('spent', 1)", lambda r: r.sequence_conflicts, "public.spent"),
        ("SELECT setval('brink', 7)", lambda r: r.sequence_conflicts, "public.brink"),
        ("DELETE FROM documents WHERE title = 'Document 2'", lambda r: r.missing, "public.documents"),
        ('DELETE FROM "order" WHERE id = 5000', lambda r: r.missing, 'public."order"'),
        ("UPDATE documents SET ratio = 0 WHERE title = 'Document 3'", lambda r: r.unexpected, "public.documents"),
        ("INSERT INTO sales.returns VALUES (gen_random_uuid())", lambda r: r.unexpected, "sales.returns"),
        ("ALTER ROLE app_former LOGIN", lambda r: r.roles, "app_former"),
        ("ALTER ROLE app_reports NOLOGIN", lambda r: r.roles, "app_reports"),
    ]
    for statement, _, _ in harm:
        green.execute("app", statement)
    result = reconcile(sample, journal, blue, green)
    for statement, findings, name in harm:
        assert re.search(re.escape(name), "\n".join(findings(result))), statement
