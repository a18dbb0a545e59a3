"""Checks what a release left behind against what its clients were told, row by row and value by value.

Three sources are laid side by side: the journal of the workload, blue as it was frozen, and green. Of a row that the
journal knows, the acknowledged changes say what green must hold now and how many changes led there; any other row must
be on green as it is on blue. A commit that was never answered counts as made if its row in `public.ledger` is on green:
then everything that the transaction did must be there, else nothing. The workload must have stopped.

A sequence conflict is a value that was given twice, or that green gives although it was given before. Of a cycling
sequence, whose values come again by design, each value must be the next one, in the order in which its writer got them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from pg8000.native import Connection, DatabaseError, InterfaceError, literal

from local.clients.compare import Row, Sequence, connected, read_rows, read_sequences, read_tables
from local.clients.journal import Change, Journal, Outcome, Transaction
from local.clients.sample import Sample
from local.postgres.servers import Server

_Step = tuple[Change, Transaction]

_LONGEST_STEP = 40  # a crash makes a sequence skip up to 32 values, an answer that did not come hides one
_EXHAUSTED = "2200H"  # sequence_generator_limit_exceeded
_REFUSED = ("28000", "42501")  # the role may not log in; it has no right to connect to the database


@dataclass(slots=True)
class Counts:
    """What a database on green holds; a partitioned table counts as one."""

    tables: int = 0
    rows: int = 0
    sequences: int = 0


@dataclass(slots=True)
class Reconciliation:
    """The result: each finding is a sentence that names what it is about.

    `missing`: changes that were acknowledged, or are on blue, and are not on green. `duplicated`: rows or changes that
    are on green more than once. `unexpected`: rows on green that no committed transaction made so.
    `roles`: roles that may log in on green and must not, or the other way round.
    """

    acknowledged: int
    blue_refuses_writes: bool
    client_write_gap_ms: float | None
    missing: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    sequence_conflicts: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    databases: dict[str, Counts] = field(default_factory=dict)

    @property
    def findings(self) -> list[str]:
        """Everything that is wrong on green."""
        return [*self.missing, *self.duplicated, *self.unexpected, *self.sequence_conflicts, *self.roles]

    def to_report(self) -> dict[str, Any]:
        """For a report in JSON: numbers of findings in place of the findings, and `findings` with all of them."""
        report = asdict(self)
        kinds = ("missing", "duplicated", "unexpected", "sequence_conflicts", "roles")
        return {**report, **{kind: len(report[kind]) for kind in kinds}, "findings": self.findings}


def reconcile(sample: Sample, journal: Journal, blue: Server, green: Server) -> Reconciliation:
    """Check green, which serves now, against the journal and blue; draws one value from each sequence of green."""
    result = Reconciliation(
        acknowledged=journal.counts[Outcome.ACKNOWLEDGED],
        blue_refuses_writes=refuses_writes(sample, blue),
        client_write_gap_ms=journal.write_gap_ms(blue.address, green.address),
        roles=_role_findings(sample, green),
    )
    for database in sample.databases:
        transactions = [t for t in journal.transactions if t.database == database]
        result.databases[database] = Counts()
        with connected(blue, database) as on_blue, connected(green, database) as on_green:
            _check_rows(transactions, on_blue, on_green, result, database)
            later = {t.tx for t in transactions if t.address == green.address != blue.address}
            for conflict in _sequence_conflicts(transactions, later, on_blue, on_green):
                result.sequence_conflicts.append(f"{database}: {conflict}")
            result.databases[database].sequences = len(read_sequences(on_green))
    return result


def refuses_writes(sample: Sample, server: Server) -> bool:
    """Whether no role of the application can connect, tried with its password, and none has a session left."""
    for role, password in {**sample.roles, **sample.locked_roles}.items():
        try:
            server.connect(sample.databases[0], role, password).close()
        except DatabaseError as error:
            if error.args[0].get("C") not in _REFUSED:
                raise  # too many connections, for example, proves nothing
        except InterfaceError:
            if server.running:
                raise
        else:
            return False
    if not server.running:
        return True
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = ANY(:roles)"
    return server.execute("postgres", sessions, roles=list(sample.roles)) == [[0]]


def _role_findings(sample: Sample, green: Server) -> list[str]:
    expected = {**dict.fromkeys(sample.roles, True), **dict.fromkeys(sample.locked_roles, False)}
    query = "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = ANY(:roles)"
    actual = dict(green.execute("postgres", query, roles=list(expected)))
    words = {True: "LOGIN", False: "NOLOGIN", None: "no such role"}
    return [
        f"role {role}: {words[actual.get(role)]} on green, expected {words[login]}"
        for role, login in expected.items()
        if actual.get(role) is not login
    ]


def _check_rows(
    transactions: list[Transaction], on_blue: Connection, on_green: Connection, result: Reconciliation, database: str
) -> None:
    """Compare each row of each table, and report each that is not as it must be."""
    tables = read_tables(on_blue)
    green_tables = read_tables(on_green)
    ledger = read_rows(on_green, green_tables["public.ledger"]).keys()
    committed = {
        t.tx: t
        for t in transactions
        if t.outcome is Outcome.ACKNOWLEDGED or (t.outcome is Outcome.UNKNOWN and f"({t.tx})" in ledger)
    }
    others = {t.tx: t for t in transactions if t.tx not in committed}
    steps: dict[str, dict[str, list[_Step]]] = defaultdict(lambda: defaultdict(list))
    for transaction in committed.values():
        for change in transaction.changes:
            steps[change.table][change.key].append((change, transaction))
    for name in sorted({*tables, *green_tables, *steps}):
        blue = read_rows(on_blue, tables[name]) if name in tables else {}
        green = read_rows(on_green, green_tables[name]) if name in green_tables else {}
        result.databases[database].tables += name in green_tables
        result.databases[database].rows += len(green)
        changed = steps[name]
        for key in sorted({*blue, *green, *changed}):
            row, where = green.get(key), f"{database}: {name} {key}"
            if key in changed:
                findings = _check_changed(changed[key], row)
            else:
                findings = _check_untouched(blue.get(key), row, committed, others)
            for kind, problem in findings:
                getattr(result, kind).append(f"{where}: {problem}")


def _check_changed(steps: list[_Step], row: Row | None) -> Iterator[tuple[str, str]]:
    """Findings about a row that committed transactions changed; keys are not used again after a deletion."""
    steps.sort(key=lambda step: (step[0].revision, step[1].ended))
    for (earlier, lost), (later, transaction) in pairwise(steps):
        if later.revision == earlier.revision:
            yield "missing", f"{transaction} did not see the change of {lost}"
        elif later.revision > earlier.revision + 1:
            yield (
                "duplicated",
                f"{later.revision - earlier.revision - 1} changes more than committed before {transaction}",
            )
    last, transaction = steps[-1]
    if row is None:
        if last.digest is not None:
            yield "missing", f"the row of {transaction}"
    elif last.digest is None:
        yield "missing", f"the deletion of {transaction}"
    elif row.revision is not None and row.revision < last.revision:
        for change, transaction in steps:
            if change.revision > row.revision:
                yield "missing", f"the change of {transaction}"
    elif row.revision is not None and row.revision > last.revision:
        yield "duplicated", f"{row.revision - last.revision} changes more than committed after {transaction}"
    elif row.digest != last.digest:
        yield "unexpected", f"not as {transaction} left it"


def _check_untouched(
    blue: Row | None, row: Row | None, committed: dict[str, Transaction], others: dict[str, Transaction]
) -> Iterator[tuple[str, str]]:
    """Findings about a row that no committed transaction is known to have changed: it must be as on blue."""
    if row is None:
        yield "missing", "the row, which is on blue"
    elif row.tx in committed:
        yield "duplicated", f"a row more than {committed[row.tx]} made"
    elif row.tx in others:
        yield "unexpected", f"left by {others[row.tx]}"
    elif blue is None:
        yield "unexpected", "a row that is not on blue and that no writer made"
    elif row.digest != blue.digest:
        yield "unexpected", "not as on blue, and no writer changed it"


def _sequence_conflicts(
    transactions: Iterable[Transaction], later: set[str], on_blue: Connection, on_green: Connection
) -> Iterator[str]:
    """Draw once more from each sequence of green; `later` are the transactions that had their values from green."""
    draws: dict[str, list[tuple[int, Transaction]]] = defaultdict(list)
    for transaction in transactions:
        for name, value in transaction.draws:
            draws[name].append((value, transaction))
    blue, green = read_sequences(on_blue), read_sequences(on_green)
    for name in sorted({*blue, *green, *draws}):
        if name not in blue or name not in green:
            yield f"{name}: not on {'green' if name in blue else 'blue'}"
        elif not draws[name]:
            yield from _check_undrawn(name, blue[name], green[name], _next(on_green, name))
        elif green[name].cycles:
            yield from _check_cycle(name, green[name], draws[name], _next(on_green, name))
        else:
            yield from _check_drawn(name, blue[name], draws[name], later, _next(on_green, name))


def _next(connection: Connection, name: str) -> int | None:
    try:
        [[value]] = connection.run(f"SELECT nextval({literal(name)})")
    except DatabaseError as error:
        if error.args[0].get("C") != _EXHAUSTED:
            raise
        return None
    return int(value)


def _check_undrawn(name: str, blue: Sequence, green: Sequence, value: int | None) -> Iterator[str]:
    if (blue.last_value, blue.is_called) != (green.last_value, green.is_called):
        yield f"{name}: blue is at {blue.last_value}, {blue.is_called}; green at {green.last_value}, {green.is_called}"
    elif value != blue.successor():
        yield f"{name}: gave {value} where {blue.successor()} comes next"


def _check_drawn(
    name: str, blue: Sequence, draws: list[tuple[int, Transaction]], later: set[str], value: int | None
) -> Iterator[str]:
    """Blue's last value counts as given, and with it all before it: to whom, the journal need not know."""
    given: dict[int, Transaction] = {}
    for drawn, transaction in draws:
        if drawn in given:
            yield f"{name}: {drawn} was given to {given[drawn]} and to {transaction}"
        elif transaction.tx in later and not _beyond(drawn, blue):
            yield f"{name}: green gave {drawn} to {transaction}, blue was at {blue.last_value} already"
        given[drawn] = transaction
    if value is None:
        if blue.successor() is not None:
            yield f"{name}: green gives no value any more, blue would"
        return
    furthest = max(given, key=lambda drawn: drawn * blue.direction)
    if (value - furthest) * blue.direction <= 0:
        yield f"{name}: green gives {value}, {furthest} was given to {given[furthest]} already"
    elif not _beyond(value, blue):
        yield f"{name}: green gives {value}, blue was at {blue.last_value} already"


def _beyond(value: int, blue: Sequence) -> bool:
    return (value - blue.last_value) * blue.direction >= (1 if blue.is_called else 0)


def _check_cycle(
    name: str, sequence: Sequence, draws: list[tuple[int, Transaction]], value: int | None
) -> Iterator[str]:
    length = (sequence.maximum - sequence.minimum) // abs(sequence.increment) + 1
    origin = sequence.minimum if sequence.increment > 0 else sequence.maximum
    given = [*((drawn, str(transaction)) for drawn, transaction in draws), (value, "this check")]
    for (earlier, by), (later, to) in pairwise(given):
        assert earlier is not None  # only the check's own draw can fail, and a cycling sequence is never exhausted
        assert later is not None
        places = [(v - origin) // sequence.increment for v in (earlier, later)]
        if not 1 <= (places[1] - places[0]) % length <= _LONGEST_STEP:
            yield f"{name}: {later}, given to {to}, does not follow {earlier}, given to {by}"
