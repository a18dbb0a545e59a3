"""What may happen around a release between freeze and completion, other than to its functions."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from local.postgres.roles import create_role
from local.postgres.servers import Server
from tests.faults.definition import COMMIT_POINT, FREEZE, FROZEN, SWITCHOVER
from tests.faults.stage import BOSS, BOSS_PASSWORD
from tests.faults.trial import (
    FREEZE_BUDGET_S,
    SHORT_BUDGET_S,
    TRIED,
    WRITER,
    Client,
    Trial,
)
from tests.waiting import eventually

BLIP_S = 1.0
OUTAGE_S = 2.0 * SHORT_BUDGET_S
LATECOMER, LATECOMER_PASSWORD = "latecomer", "made while blue was frozen"
RELEASE_ROLE, REPLICATION_ROLES = "bluegreen_release", "bluegreen_replication_*"
DRAIN, VERIFY = "WaitForDrain", "VerifyCutover"
UP_TO_DRAIN = (FREEZE, DRAIN)
BEFORE_OPENING = tuple(name for name in FROZEN if name != COMMIT_POINT)


@dataclass(frozen=True, slots=True)
class Situation:
    """Something that happens right before the function of a state runs.

    ``moments`` are the states before which it is tried, and ``ends_on`` the side that must be production then.
    ``prepare`` comes before the release starts, ``put_right`` when it has ended.
    """

    name: str
    happen: Callable[[Trial], object]
    moments: tuple[str, ...]
    ends_on: str = "either side"
    freeze_budget_s: int = FREEZE_BUDGET_S
    prepare: Callable[[Trial], object] = lambda _: None
    put_right: Callable[[Trial], object] = lambda _: None


def green_of(trial: Trial) -> Server:
    assert trial.green
    return trial.green


def session(trial: Trial, role: str = WRITER, password: str = "") -> Connection:
    """A client's session on blue."""
    connection = trial.blue.connect("app", role, password or trial.sample.roles[role])
    trial.undo.callback(connection._usock.close)
    return connection


def leave_transaction_open(trial: Trial, role: str = WRITER, password: str = "") -> None:
    connection = session(trial, role, password)
    connection.run("BEGIN")
    connection.run(f"INSERT INTO {TRIED} VALUES (:row)", row=str(uuid.uuid4()))


def lock_on_blue(trial: Trial) -> None:
    """On a table that every client writes to."""
    connection = session(trial, BOSS, BOSS_PASSWORD)
    connection.run("BEGIN")
    connection.run("LOCK TABLE public.ledger")


def lock_on_green(trial: Trial) -> None:
    """By AWS itself, since nobody else comes in; then a change that has to wait for it."""
    connection = green_of(trial).connect("app")
    trial.undo.callback(connection._usock.close)
    connection.run("BEGIN")
    connection.run(f"LOCK TABLE {TRIED}")
    trial.blue.execute("app", f"INSERT INTO {TRIED} VALUES (:row)", row=str(uuid.uuid4()))


def collide(trial: Trial) -> None:
    """A row that somebody inserted on green by hand comes from blue as well."""
    row = str(uuid.uuid4())
    for server in (green_of(trial), trial.blue):
        server.execute("app", f"INSERT INTO {TRIED} VALUES (:row)", row=row)


def prepare_transaction(trial: Trial) -> None:
    leave_open = session(trial)
    leave_open.run("BEGIN")
    leave_open.run(f"INSERT INTO {TRIED} VALUES (:row)", row=str(uuid.uuid4()))
    leave_open.run("PREPARE TRANSACTION 'left behind'")


def drop_slots(trial: Trial) -> None:
    """As a failover does."""
    sql = (
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active;"
        " SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active"
    )

    def gone() -> bool:
        try:
            trial.blue.execute("postgres", sql)
        except DatabaseError:  # green was back before it was dropped
            return False
        return not trial.blue.execute("postgres", "SELECT FROM pg_replication_slots")

    eventually(gone)


def hammer(trial: Trial) -> None:
    """A client that connects, writes one row and connects again, to whatever the name says, without any pause."""
    resolver, password = trial.running.resolver, trial.sample.roles[WRITER]
    servers = {server.address: server for server in (trial.blue, green_of(trial))}
    trial.clients.append(Client(lambda: trial.write(servers[resolver.resolve(trial.running.record)], WRITER, password)))


def create_latecomer(trial: Trial) -> None:
    create_role(trial.blue, LATECOMER, LATECOMER_PASSWORD, member_of=[WRITER])
    trial.write(trial.blue, LATECOMER, LATECOMER_PASSWORD)


def drop_latecomer(trial: Trial) -> None:
    trial.blue.execute("postgres", f"DROP ROLE {LATECOMER}")


def refuse_dns(error: str) -> Callable[[Trial], None]:
    def refuse(trial: Trial) -> None:
        trial.running.emulator.refuse_next_change = error

    return refuse


def cut(of: Callable[[Trial], Server], roles: str, for_s: float | None) -> Callable[[Trial], None]:
    """Cuts the network to a server for some roles, for a time or (None) for good."""

    def cut_now(trial: Trial) -> None:
        trial.links.to(of(trial)).cut(roles)
        if for_s is not None:
            timer = threading.Timer(for_s, trial.links.heal)
            timer.start()
            trial.undo.callback(timer.cancel)

    return cut_now


def lose(of: Callable[[Trial], Server], roles: str) -> Callable[[Trial], None]:
    """Open connections fall silent for good; new ones can be made."""
    return lambda trial: trial.links.to(of(trial)).lose(roles)


def link_blue(trial: Trial) -> None:
    trial.links.to(trial.blue)


def link_green(trial: Trial) -> None:
    trial.at("AdoptClone", before=lambda: trial.links.to(green_of(trial)))


def blue_of(trial: Trial) -> Server:
    return trial.blue


SITUATIONS = (
    Situation("green restarts", lambda trial: green_of(trial).restart(), tuple(SWITCHOVER)),
    Situation("green crashes", lambda trial: trial.crash(green_of(trial)), tuple(SWITCHOVER)),
    Situation("blue restarts", lambda trial: trial.blue.restart(), tuple(SWITCHOVER)),
    # Not later: a crash lets blue's sequences jump ahead, and what was read before would look like a step back.
    Situation("blue crashes", lambda trial: trial.crash(trial.blue), (FREEZE,)),
    Situation(
        "Lambda and blue cut, comes back", cut(blue_of, RELEASE_ROLE, BLIP_S), tuple(SWITCHOVER), prepare=link_blue
    ),
    Situation(
        "Lambda and blue cut past the budget",
        cut(blue_of, RELEASE_ROLE, OUTAGE_S),
        tuple(FROZEN),
        freeze_budget_s=SHORT_BUDGET_S,
        prepare=link_blue,
    ),
    Situation(
        "Lambda and green cut, comes back", cut(green_of, RELEASE_ROLE, BLIP_S), tuple(SWITCHOVER), prepare=link_green
    ),
    Situation(
        "Lambda and green cut for good",
        cut(green_of, RELEASE_ROLE, None),
        UP_TO_DRAIN,
        ends_on="blue",
        freeze_budget_s=SHORT_BUDGET_S,
        prepare=link_green,
    ),
    Situation(
        "green and blue cut, comes back",
        cut(blue_of, REPLICATION_ROLES, BLIP_S),
        tuple(SWITCHOVER),
        ends_on="green",
        prepare=link_blue,
    ),
    Situation(
        "green and blue cut for good",
        cut(blue_of, REPLICATION_ROLES, None),
        UP_TO_DRAIN,
        ends_on="blue",
        freeze_budget_s=SHORT_BUDGET_S,
        prepare=link_blue,
    ),
    Situation(
        "connections of Lambda to blue lost",
        lose(blue_of, RELEASE_ROLE),
        tuple(FROZEN),
        freeze_budget_s=SHORT_BUDGET_S,
        prepare=link_blue,
    ),
    Situation(
        "connections of Lambda to green lost",
        lose(green_of, RELEASE_ROLE),
        tuple(FROZEN),
        freeze_budget_s=SHORT_BUDGET_S,
        prepare=link_green,
    ),
    Situation("slot dropped", drop_slots, UP_TO_DRAIN, ends_on="blue", freeze_budget_s=SHORT_BUDGET_S),
    Situation("slot dropped", drop_slots, tuple(SWITCHOVER[SWITCHOVER.index(COMMIT_POINT) :])),
    Situation("subscriber conflict", collide, (FREEZE,), ends_on="blue", freeze_budget_s=SHORT_BUDGET_S),
    Situation("DNS change refused once", refuse_dns("InvalidChangeBatch"), ("FlipDns", "RestoreTtl"), ends_on="green"),
    Situation("DNS change refused", refuse_dns("InvalidInput"), ("FlipDns",), ends_on="blue"),
    Situation("client reconnects in a tight loop", hammer, UP_TO_DRAIN, ends_on="green"),
    Situation("superuser session", lambda trial: leave_transaction_open(trial, BOSS, BOSS_PASSWORD), (FREEZE,)),
    Situation(
        "prepared transaction",
        prepare_transaction,
        (FREEZE,),
        ends_on="blue",
        put_right=lambda trial: trial.blue.execute("app", "ROLLBACK PREPARED 'left behind'"),
    ),
    Situation("idle in transaction", leave_transaction_open, (FREEZE,), ends_on="green"),
    Situation("lock held on blue", lock_on_blue, (FREEZE,), ends_on="green"),
    Situation("lock held on green", lock_on_green, UP_TO_DRAIN, ends_on="blue", freeze_budget_s=SHORT_BUDGET_S),
    Situation(
        "role created during the freeze",
        create_latecomer,
        (*UP_TO_DRAIN, VERIFY),
        ends_on="blue",
        put_right=drop_latecomer,
    ),
)
