"""Embedded Aurora: RDS of one Region, with a real PostgreSQL server behind each cluster.

The records are moto's; what RDS does with them is in `local.aws.seams.rds`. A cluster is storage: its server runs while
the cluster has an instance that is available, as compute does in Aurora.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pg8000.native import identifier as quoted

from local.aws.seams import rds
from local.host import reserve_address
from local.postgres.roles import ReplicationRule, create_master
from local.postgres.servers import Server, ServerError

_log = logging.getLogger(__name__)

_ROLES_EVERY_S = 0.05


class EmbeddedAurora:
    """The clusters of one Region and their servers, all on one port, each with an address of its own.

    folder     where the servers live, in a `local.host.WorkingFolder`; their logs are `<cluster>/server.log` below it
    port       0 takes a free one; the attribute tells which
    latency_s  how long a cluster, and then each instance, is `creating` at least; `deleting` takes a quarter

    `servers` holds the server of each cluster that has one, whether it runs or not. While somebody holds `lock`,
    neither it nor what RDS knows changes.
    """

    def __init__(self, folder: Path, port: int, region: str, latency_s: float = 2.0) -> None:
        self.folder = folder
        self.region = region
        self.latency_s = latency_s
        self.master_password = secrets.token_urlsafe(24)
        """Of the user `postgres` on every cluster that `create_cluster` made, and on their clones."""
        self.servers: dict[str, Server] = {}
        self.lock = threading.RLock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._failures: list[tuple[str, str]] = []
        self._rule = ReplicationRule()
        # the first reservation settles the port, and is the address of the first server
        self._reservations: list[socket.socket] = [reserve_address(port)]
        self._free = list(self._reservations)
        self.port: int = self._reservations[0].getsockname()[1]
        self._backend = rds.install(self)
        self.in_background(self._watch_roles)

    def create_cluster(
        self,
        identifier: str,
        version: int,
        databases: Iterable[str],
        engine_parameters: Mapping[str, str] | None = None,
    ) -> Server:
        """A cluster as production has one, with one instance `<identifier>-1`; both are available when this returns.

        Its settings differ from the defaults of RDS, so that a clone that loses one shows it. `engine_parameters` go
        into a cluster parameter group of its own, beside `rds.logical_replication`. `postgres` owns the databases.
        """
        parameters = {"rds.logical_replication": "1", **(engine_parameters or {})}
        server = Server.create(self.folder / identifier, version, self.new_address(), self.port, parameters)
        create_master(server, self.master_password)
        for database in databases:
            server.execute("postgres", f"CREATE DATABASE {quoted(database)} OWNER postgres")
        with self.lock:
            self.servers[identifier] = server
            self._backend.add_cluster(identifier, server, parameters)
        return server

    def fail_next(self, identifier_pattern: str, status: str) -> None:
        """The next new cluster, instance or snapshot whose identifier matches the pattern (with `*`) ends in a status.

        Clusters end in `cloning-failed` or `inaccessible-encryption-credentials`, for instance, instances in
        `incompatible-parameters`, `incompatible-network`, `storage-full` or `failed`, and snapshots in `failed`. Or
        it is refused, with an error of RDS in the place of a status: `DBClusterQuotaExceededFault`,
        `InstanceQuotaExceeded`, `InsufficientDBClusterCapacityFault`, `StorageQuotaExceeded`, `SnapshotQuotaExceeded`.
        """
        self._failures.append((identifier_pattern, status))

    def start_after_seven_days(self, identifier: str) -> None:
        """AWS starts a cluster by itself when it has been stopped for seven days, and sends an event."""
        self._backend.start_after_seven_days(identifier)

    def sync_roles(self) -> None:
        """Let members of `rds_replication`, and nobody else, replicate on the servers that run, before this returns.

        Whoever runs the release step by step calls this after each step: then no step meets a role that an earlier one
        made a member and that may not replicate yet. A thread does the same all the time for everybody else, with a
        delay. `local.postgres.roles` says why it takes somebody from outside.
        """
        with self.lock:
            servers = [server for server in self.servers.values() if not server.follows]
        self._rule.apply(servers)

    def close(self) -> None:
        """Give moto its own RDS back, and stop and remove all servers."""
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._backend.uninstall()
        self._rule.close()
        for server in self.servers.values():
            server.remove()
        self.servers.clear()
        for reservation in self._reservations:
            reservation.close()

    # for local.aws.seams.rds

    def new_address(self) -> str:
        """An address for the next server; it stays reserved until `close`."""
        if not self._free:
            self._free.append(reserve_address(self.port))
            self._reservations.append(self._free[0])
        address: str = self._free.pop().getsockname()[0]
        return address

    def take_failure(self, identifier: str) -> str | None:
        """The status that `fail_next` wants for a new cluster or instance."""
        for failure in self._failures:
            if fnmatch(identifier, failure[0]):
                self._failures.remove(failure)
                return failure[1]
        return None

    def in_background(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do what RDS does after it has answered."""
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def pause(self, seconds: float) -> bool:
        """Let time pass; False when everything is being closed, and work in the background is to be left."""
        return not self._closing.wait(max(0.0, seconds))

    def _watch_roles(self) -> None:
        while self.pause(_ROLES_EVERY_S):
            try:
                self.sync_roles()
            except ServerError:
                _log.exception("the roles were not looked after")
