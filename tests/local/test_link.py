"""The network in front of a server: cut for some, for a time or for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

from bluegreen.model import Cluster
from bluegreen.postgres import Credentials, Databases
from local.postgres.link import Link
from local.postgres.roles import create_role
from local.postgres.servers import Server
from tests.local.conftest import NewServer
from tests.waiting import eventually

ROLES = {"inside": "one", "outside": "other"}


@pytest.fixture
def server(new_server: NewServer) -> Server:
    made = new_server()
    for role, password in ROLES.items():
        create_role(made, role, password)
    return made


@pytest.fixture
def link(server: Server, new_address: Callable[[], tuple[str, int]]) -> Iterator[Link]:
    made = Link(server, new_address()[0])
    yield made
    made.close()


def connect(server: Server, role: str) -> closing[Connection]:
    return closing(server.connect("postgres", role, ROLES[role]))


def test_a_cut_is_silent_for_open_connections_and_ends_new_ones_for_whom_it_is_meant(
    server: Server, link: Link
) -> None:
    with connect(server, "inside") as inside, connect(server, "outside") as outside, ThreadPoolExecutor(1) as pool:
        link.cut("in*")
        answer = pool.submit(inside.run, "SELECT 1")
        with pytest.raises((InterfaceError, OSError)):
            connect(server, "inside")
        assert outside.run("SELECT 2") == [[2]]
        server.connect("postgres", "outside", ROLES["outside"]).close()
        assert not answer.done()
        link.heal()
        assert answer.result() == [[1]]
        server.connect("postgres", "inside", ROLES["inside"]).close()


def test_a_connection_that_is_lost_is_noticed_and_made_anew(server: Server, link: Link) -> None:
    databases = Databases(lambda _: [Credentials("inside", ROLES["inside"])], tls="disable")
    cluster = Cluster("shop", server.address, server.port)
    with closing(databases):
        lost = databases.on(cluster, "postgres")
        link.lose("inside")
        eventually(lambda: databases.on(cluster, "postgres") is not lost)
        assert databases.on(cluster, "postgres").run("SELECT 1 AS one") == [{"one": 1}]


def test_a_server_that_restarts_ends_the_connections_through_the_link(server: Server, link: Link) -> None:
    connection = server.connect("postgres", "inside", ROLES["inside"])
    server.restart()
    with pytest.raises((InterfaceError, DatabaseError, OSError)):
        connection.run("SELECT 1")
    with suppress(InterfaceError):
        connection.close()
    with connect(server, "inside") as connection:
        assert connection.run("SELECT 1") == [[1]]
