"""Real servers for the library: a blue that is prepared by hand, and its clone taken without the emulator."""

from __future__ import annotations

import itertools
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pg8000.native
import pytest

from bluegreen import adoption, freeze, replication, switchover, verification
from bluegreen.lsn import Lsn
from bluegreen.model import Cluster, Plan, Record
from bluegreen.postgres import Credentials, Databases
from bluegreen.quoting import identifier
from bluegreen.verify import live
from local.host import reserve_address, working_folder
from local.postgres.roles import create_role
from local.postgres.servers import Server

APP = 'app "1"'
CRM = "crm'ü %s :x"
DATABASES = (APP, CRM)
"""Names that break whoever forgets to quote."""

WRITER = 'Writer "of" orders; --'

SCHEMA = """
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
CREATE SCHEMA "Sales Data";
CREATE TABLE "Sales Data"."select ""all"" of" (region text, day date, amount numeric, PRIMARY KEY (region, day));
CREATE TABLE measured (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE measured_2026 PARTITION OF measured (PRIMARY KEY (id)) FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE SEQUENCE "Sales Data"."never called" START 7;
CREATE SEQUENCE down INCREMENT -3 MINVALUE -1000 MAXVALUE -1 START -1;
CREATE SEQUENCE exhausted MAXVALUE 2;
CREATE SEQUENCE at_the_edge START 9223372036854775806;
CREATE SEQUENCE cached CACHE 50;
INSERT INTO orders (note) SELECT 'seed ' || i FROM generate_series(1, 1000) i;
INSERT INTO measured SELECT i, '2026-01-01'::date + i FROM generate_series(1, 100) i;
SELECT nextval('down'), nextval('down'), nextval('exhausted'), nextval('exhausted');
SELECT nextval('at_the_edge'), nextval('cached');
"""


@dataclass
class Lab:
    """A blue server with two databases, the way into it, and one release's plan."""

    folder: Path
    blue_server: Server
    databases: Databases
    plan: Plan
    passwords: dict[str, str]
    login: Credentials
    green_server: Server | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def green(self) -> Cluster:
        assert self.green_server
        return Cluster(self.plan.green_identifier, self.green_server.address, self.green_server.port)

    def as_writer(self, server: Server, database: str = APP) -> pg8000.native.Connection:
        """A connection as the application."""
        return server.connect(database, WRITER, self.passwords[WRITER])

    def prepare(self) -> None:
        """Blue with replication role, publications and slots."""
        replication.create_replication_role(self.databases, self.plan, self.login)
        self.blue_server.execute("postgres", f'ALTER ROLE "{self.plan.replication_role}" REPLICATION')
        replication.create_publications(self.databases, self.plan)
        replication.create_slots(self.databases, self.plan)

    def clone(self) -> None:
        """Green as a clone of blue, as it comes from Aurora."""
        folder = self.folder / f"green{next(self._numbers)}"
        self.green_server = self.blue_server.clone(folder, self.blue_server.address, port=_free_port())

    def follow(self) -> Lsn:
        """Green in step with blue."""
        self.prepare()
        self.clone()
        start = adoption.adopt_clone(self.databases, self.plan, self.green)
        replication.create_subscriptions(self.databases, self.plan, self.green, self.login, start)
        return start


_RESERVED: list[socket.socket] = []


def _free_port() -> int:
    """A port that stays ours: one that is given up before the server listens may be another's by then."""
    _RESERVED.append(reserve_address())
    port: int = _RESERVED[-1].getsockname()[1]
    return port


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    with working_folder() as folder:
        yield folder
    while _RESERVED:
        _RESERVED.pop().close()


@pytest.fixture
def version() -> int:
    """The major version of blue; a test that wants another one parametrizes it."""
    return 16


@pytest.fixture
def lab(server_folder: Path, version: int, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A fresh blue; ``@pytest.mark.parametrize("lab", [...], indirect=True)`` gives it server settings."""
    with make_lab(server_folder, version, getattr(request, "param", {})) as made:
        yield made


@contextmanager
def make_lab(server_folder: Path, version: int = 16, parameters: dict[str, str] | None = None) -> Iterator[Lab]:
    """A fresh blue, for one test or for many."""
    name = secrets.token_hex(4)
    folder = server_folder / name
    folder.mkdir()
    folder.chmod(0o711)
    server = Server.create(folder / "blue", version, "127.0.1.1", _free_port(), parameters or {})
    passwords = {role: secrets.token_urlsafe(24) for role in ("bluegreen_release", WRITER)}
    create_role(server, "bluegreen_release", passwords["bluegreen_release"], options="SUPERUSER")
    create_role(server, WRITER, passwords[WRITER])
    server.execute("postgres", "CREATE ROLE was_nologin NOLOGIN")
    for database in DATABASES:
        server.execute("postgres", f"CREATE DATABASE {identifier(database)}")
        server.execute(database, SCHEMA)
        server.execute(database, f"GRANT pg_write_all_data, pg_read_all_data TO {identifier(WRITER)}")
    databases = Databases(lambda _: [Credentials("bluegreen_release", passwords["bluegreen_release"])], "disable")
    plan = Plan(
        release_id=f"20261123-0405-{name[:6]}",
        cluster_name="shop",
        execution_arn="arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop:test",
        requested_by="a test",
        reason="to see it work",
        blue=Cluster("shop-blue", server.address, server.port),
        green_identifier="shop-green",
        databases=DATABASES,
        records=(Record("Z1", "db.shop.internal", "CNAME", "writer", 60, (server.address,)),),
        switchover_ttl_s=5,
        approval_timeout_s=60,
        freeze_budget_s=30,
        max_attempts=3,
        max_lag_bytes=1 << 24,
        max_lag_s=5.0,
    )
    login = Credentials(plan.replication_role, secrets.token_urlsafe(32))
    made = Lab(folder, server, databases, plan, passwords, login)
    yield made
    databases.close()
    for running in (made.green_server, made.blue_server):
        if running is not None:
            running.remove()


@pytest.fixture
def following(lab: Lab) -> Lab:
    """Green in step with blue, ready for the freeze."""
    lab.follow()
    live.start(lab.databases, lab.plan, lab.green)
    replication.commit_synchronously(lab.databases, lab.plan, lab.green)
    return lab


def with_plan(lab: Lab, **changes: object) -> Plan:
    """The lab's plan with other values."""
    lab.plan = replace(lab.plan, **changes)  # type: ignore[arg-type]
    return lab.plan


REFUSALS = ("28000", "42501")  # not permitted to log in; no right to connect to the database


def lets_in(lab: Lab, server: Server | None, role: str = WRITER) -> bool:
    """Whether a role of the application can connect, which is what makes a writer."""
    assert server
    try:
        server.connect(APP, role, lab.passwords[role]).close()
    except pg8000.native.DatabaseError as error:
        if error.args[0]["C"] not in REFUSALS:
            raise
        return False
    return True


def freeze_and_move(lab: Lab) -> None:
    """All of a switchover up to the opening."""
    freeze.freeze_blue(lab.databases, lab.plan)
    switchover.drain(lab.databases, lab.plan, lab.green)
    switchover.sync_sequences(lab.databases, lab.plan, lab.green)
    verification.verify_cutover(lab.databases, lab.plan, lab.green)
