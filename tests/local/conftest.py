"""Fixtures for tests against real PostgreSQL servers and the embedded Aurora."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from moto import mock_aws

from local.aws.aurora import EmbeddedAurora
from local.host import reserve_address, working_folder
from local.postgres.servers import Server, ServerError, find_binaries

NewServer = Callable[..., Server]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `each_version` runs on 16, 18 and, if this machine has it, 15."""
    if "each_version" in metafunc.fixturenames:
        metafunc.parametrize("each_version", [15, 16, 18] if _installed(15) else [16, 18])


def _installed(version: int) -> bool:
    try:
        find_binaries(version)
    except ServerError:
        return False
    return True


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder in which servers can work; everything in it is gone at the end."""
    with working_folder() as path:
        yield path


@contextmanager
def embedded_aurora(
    folder: Path, tmp_path: Path, databases: Iterable[str] = ("app",), latency_s: float = 0.1, **settings: str
) -> Iterator[EmbeddedAurora]:
    """Embedded Aurora with one cluster `shop-blue` at PostgreSQL 16; states take a moment."""
    place = folder / tmp_path.name
    place.mkdir(mode=0o711)
    with mock_aws():
        embedded = EmbeddedAurora(place, 0, "eu-west-2", latency_s)
        try:
            embedded.create_cluster("shop-blue", 16, databases, settings)
            yield embedded
        finally:
            embedded.close()


@pytest.fixture
def new_address() -> Iterator[Callable[[], tuple[str, int]]]:
    """Loopback addresses of the test's own, all with the same port."""
    with ExitStack() as stack:
        reserved: list[socket.socket] = []

        def new() -> tuple[str, int]:
            port = reserved[0].getsockname()[1] if reserved else 0
            reserved.append(stack.enter_context(reserve_address(port)))
            address, port = reserved[-1].getsockname()
            return address, port

        yield new


@pytest.fixture
def new_server(
    folder: Path, new_address: Callable[[], tuple[str, int]], request: pytest.FixtureRequest
) -> Iterator[NewServer]:
    """`new_server(version=16, parameters={…})` makes a server, `new_server(source=server, …)` a clone of one."""
    servers: list[Server] = []

    def new(
        version: int = 16,
        parameters: Mapping[str, str] | None = None,
        source: Server | None = None,
        start: bool = True,
    ) -> Server:
        place = folder / f"{abs(hash(request.node.nodeid)) % 10**8}-{len(servers)}"
        address, port = new_address()
        if source:
            server = source.clone(place, address, parameters=parameters, start=start)
        else:
            server = Server.create(place, version, address, port, parameters)
        servers.append(server)
        return server

    yield new
    for server in servers:
        server.remove()
