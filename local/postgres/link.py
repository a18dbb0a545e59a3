"""The way to a server, which can be cut for some of its clients and not for others.

A link stands at the server's address and the server moves behind it. It tells clients apart by the role in their first
message, so that the functions of a release, the subscriptions of green and the applications each have a network of
their own, as they have on AWS. A cut is silent for connections that are open, as a lost network is: what was sent
waits, and arrives when the network is back. New connections end at once, as when there is no route. Connections that
are lost stay silent for ever while new ones work, as after a failover to another machine.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase

from local.postgres.servers import Server

_CHUNK = 1 << 16
_ENCRYPTION_REQUESTS = (struct.pack("!I", 80877103), struct.pack("!I", 80877104))  # SSLRequest, GSSENCRequest


class Link:
    """In front of one server, which restarts behind it; `close` cuts it for everybody for good.

    server   its `address` stays what everybody connects to
    behind   an address on which it can listen instead
    """

    def __init__(self, server: Server, behind: str) -> None:
        self._behind = (behind, server.port)
        self._changed = threading.Condition()
        self._cut: set[str] = set()
        self._open: dict[socket.socket, str] = {}
        self._lost: set[socket.socket] = set()
        self._closed = False
        self._sockets: set[socket.socket] = set()
        server.stop()
        server.behind = behind
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((server.address, server.port))
        self._listener.listen(128)
        server.start()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, role_pattern: str) -> None:
        """Cut the network for clients that log in as such a role (`*` is a wildcard)."""
        with self._changed:
            self._cut.add(role_pattern)

    def heal(self) -> None:
        """The network is back for everybody."""
        with self._changed:
            self._cut.clear()
            self._changed.notify_all()

    def lose(self, role_pattern: str) -> None:
        """Let open connections of such roles fall silent for ever."""
        with self._changed:
            self._lost |= {client for client, role in self._open.items() if fnmatchcase(role, role_pattern)}

    def close(self) -> None:
        """End every connection and take no new one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            ending = [*self._sockets, self._listener]
        for one in ending:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _is_cut(self, role: str) -> bool:
        return any(fnmatchcase(role, pattern) for pattern in self._cut)

    def _is_silent(self, client: socket.socket) -> bool:
        return client in self._lost or self._is_cut(self._open[client])

    def _accept(self) -> None:
        while not self._closed:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Both directions of one connection, until either side ends it."""
        with client, socket.socket() as server, suppress(OSError):
            with self._changed:
                self._sockets |= {client, server}
            try:
                first = _first_message(client)
                role = _role(first)
                with self._changed:
                    self._open[client] = role
                if not self._is_cut(role):
                    for one in (client, server):
                        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    server.connect(self._behind)
                    server.sendall(first)
                    back = threading.Thread(target=self._pump, args=(server, client, client), daemon=True)
                    back.start()
                    self._pump(client, server, client)
                    back.join()
            finally:
                with self._changed:
                    self._sockets -= {client, server}
                    self._lost.discard(client)
                    self._open.pop(client, None)

    def _pump(self, source: socket.socket, target: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or not self._is_silent(client))
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Links:
    """Links to several servers, each made when it is first asked for; `new_address` gives addresses to move to."""

    def __init__(self, new_address: Callable[[], str]) -> None:
        self._new_address = new_address
        self._made: dict[str, Link] = {}

    def to(self, server: Server) -> Link:
        """The way to a server; the first time, the server restarts behind it."""
        if server.address not in self._made:
            self._made[server.address] = Link(server, self._new_address())
        return self._made[server.address]

    def heal(self) -> None:
        """All networks are well."""
        for link in self._made.values():
            link.heal()

    def close(self) -> None:
        """No network any more."""
        while self._made:
            self._made.popitem()[1].close()


def _first_message(client: socket.socket) -> bytes:
    """The startup message: its length, itself included, in four bytes, then the rest.

    A request for encryption may come before it, and is answered as these servers, built without, would.
    """
    while True:
        length = _exactly(client, 4)
        rest = _exactly(client, struct.unpack("!I", length)[0] - 4)
        if rest not in _ENCRYPTION_REQUESTS:
            return length + rest
        client.sendall(b"N")


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = client.recv(count - len(data))
        if not chunk:
            raise ConnectionError("the client went away")
        data += chunk
    return data


def _role(startup: bytes) -> str:
    r"""The role that a startup message names; none in other first messages, such as a cancel request.

    >>> _role(struct.pack("!II", 0, 196608) + b"user\0shop\0database\0app\0\0")
    'shop'
    """
    fields = startup[8:].split(b"\0")
    settings = dict(zip(fields[::2], fields[1::2], strict=False))
    return settings.get(b"user", b"").decode()
