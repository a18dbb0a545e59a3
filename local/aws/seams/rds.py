"""RDS in moto, with states that take time, addresses that answer, clones that are clones, and RDS's refusals.

moto lets every cluster be available at once, invents addresses, overwrites a cluster that exists, and copies to a clone
what RDS resets. A backend of ours takes the place of moto's in one Region. What it overrides, and which attributes of
moto's records it relies on, is in `tests/local/test_rds_seam.py`, which fails when moto moves them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds.exceptions import (
    InvalidDBClusterStateFault,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBCluster, DBInstance, rds_backends
from pg8000.exceptions import Error as Pg8000Error

from local.aws.seams import rds_answers, rds_global
from local.aws.seams.knobs import Compute
from local.aws.seams.rds_ending import Endings, refuse
from local.aws.seams.rds_records import (
    CLONE_DEFAULTS,
    ENGINE,
    PRODUCTION_CLUSTER,
    PRODUCTION_INSTANCE,
    PRODUCTION_ROLES,
    Cluster,
    Instance,
    remember,
)
from local.aws.seams.rds_upgrade import UpgradingBackend
from local.postgres.roles import create_master
from local.postgres.servers import Server, ServerError

_log = logging.getLogger(__name__)

_CLONE_OF = "clone_of"


def install(aurora: Compute, account: str = DEFAULT_ACCOUNT_ID) -> Backend:
    """Put a backend for an embedded Aurora in the place of moto's own, in one account; others have the same servers."""
    rds_answers.install()
    rds_global.install()
    backend = Backend(aurora, account)
    rds_backends[account][aurora.region] = backend
    return backend


class Backend(Endings, UpgradingBackend):
    """moto's RDS of one Region, whose clusters have servers. Requests come in on many threads."""

    def __init__(self, aurora: Compute, account: str) -> None:
        super().__init__(aurora.region, account)
        self.aurora = aurora
        self.lock = aurora.lock

    def reset(self) -> None:
        """Nothing: moto forgets this backend as a whole when it resets, and the servers end with `close`."""

    def uninstall(self) -> None:
        """Let moto make a backend of its own again when it needs one."""
        backends = rds_backends[self.account_id]
        if backends.get(self.region_name) is self:
            del backends[self.region_name]

    def __deepcopy__(self, memo: object) -> Backend:
        """moto copies records with all they refer to."""
        return self

    def add_cluster(self, identifier: str, server: Server, parameters: Mapping[str, str]) -> None:
        """Record a cluster and one instance that are available already."""
        family = f"{ENGINE}{server.version}"
        groups = {f"default.{family}": {"rds.logical_replication": "0"}, f"{identifier}-cluster": parameters}
        for name, values in groups.items():
            if name not in self.db_cluster_parameter_groups:
                group = self.create_db_cluster_parameter_group(name, family, f"for {identifier}", [])
                group.update_cluster_parameters(
                    [{"ParameterName": key, "ParameterValue": value} for key, value in values.items()]
                )
        self.create_db_parameter_group(
            {
                "db_parameter_group_name": f"{identifier}-instance",
                "db_parameter_group_family": family,
                "description": f"for {identifier}",
            }
        )
        [[full_version]] = server.execute("postgres", "SELECT split_part(current_setting('server_version'), ' ', 1)")
        tags = [{"Key": "service", "Value": identifier}]
        cluster = self._record_cluster(
            {
                **PRODUCTION_CLUSTER,
                "db_cluster_identifier": identifier,
                "db_cluster_parameter_group_name": f"{identifier}-cluster",
                "engine_version": full_version,
                "master_user_password": self.aurora.master_password,
                "port": server.port,
                "tags": tags,
            },
            server.address,
        )
        instance = self._record_instance(
            {
                **PRODUCTION_INSTANCE,
                "db_instance_identifier": f"{identifier}-1",
                "db_cluster_identifier": identifier,
                "db_parameter_group_name": f"{identifier}-instance",
                "tags": tags,
            }
        )
        cluster.status = instance.status = "available"
        for feature, role in PRODUCTION_ROLES.items():
            self.add_role_to_db_cluster(identifier, role, feature)

    # clusters

    def describe_db_clusters(self, *arguments: Any, **keywords: Any) -> list[DBCluster]:
        with self.lock:
            return super().describe_db_clusters(*arguments, **keywords)

    def create_db_cluster(self, kwargs: dict[str, Any]) -> DBCluster:
        """A cluster that becomes available when its server has been made, or cloned; an instance starts it."""
        aurora = self.aurora
        if follows := kwargs.get("global_cluster_identifier"):
            rds_global.primary_of(follows)
        with self.lock:
            cluster = self._record_cluster(kwargs, aurora.new_address())
            parameters = self.parameters_of(cluster.parameter_group)
        folder = aurora.folder / cluster.db_cluster_identifier

        def make() -> Server:
            if cluster.global_cluster_identifier:
                return rds_global.standby(aurora, cluster, parameters)
            if source := kwargs.get(_CLONE_OF):
                blue = aurora.servers[source]
                return blue.clone(folder, cluster.address, port=cluster.port, parameters=parameters, start=False)
            version = int(cluster.engine_version.split(".")[0])
            server = Server.create(folder, version, cluster.address, cluster.port, parameters)
            create_master(server, kwargs["master_user_password"])
            server.stop()
            return server

        aurora.in_background(self._finish_cluster, cluster, make)
        return cluster

    def _record_cluster(self, kwargs: dict[str, Any], address: str) -> Cluster:
        with self.lock:
            if kwargs["db_cluster_identifier"] in self.clusters:
                raise RDSClientError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
            group = kwargs.get("db_cluster_parameter_group_name")
            if group and group not in self.db_cluster_parameter_groups:
                raise RDSClientError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {group}")
            failure = self.aurora.take_failure(kwargs["db_cluster_identifier"])
            refuse(failure)
            cluster = super().create_db_cluster(kwargs)
            cluster.__class__ = Cluster  # moto makes records itself; ours differ in behaviour only
            assert isinstance(cluster, Cluster)
            cluster.parameter_group = group or f"default.{ENGINE}{cluster.engine_version.split('.')[0]}"
            cluster.address = address
            cluster.failure = failure
            remember(cluster, kwargs)
            return cluster

    def _finish_cluster(self, cluster: Cluster, make: Callable[[], Server]) -> None:
        deadline = time.monotonic() + self.aurora.latency_s
        status = cluster.failure or "available"
        if not cluster.failure:
            try:
                server = make()
                with self.lock:
                    self.aurora.servers[cluster.db_cluster_identifier] = server
            except (ServerError, Pg8000Error, OSError, KeyError):
                _log.exception("no server for the cluster %s", cluster.db_cluster_identifier)
                status = "cloning-failed"
        if self.aurora.pause(deadline - time.monotonic()):
            cluster.status = status

    def restore_db_cluster_to_point_in_time(
        self,
        db_cluster_identifier: str,
        source_db_cluster_identifier: str,
        restore_type: str = "full-copy",
        restore_to_time: object = None,
        use_latest_restorable_time: bool = False,
        **overrides: Any,
    ) -> DBCluster:
        """A copy-on-write clone. The instant that it shows lies some time after this has answered."""
        with self.lock:
            [source] = self.describe_db_clusters(source_db_cluster_identifier)
            if restore_type != "copy-on-write" or not use_latest_restorable_time:
                raise InvalidParameterValue("Embedded Aurora clones: copy-on-write of the latest restorable time only.")
            if source.status != "available":
                raise InvalidDBClusterStateFault(f"DbCluster {source.resource_id} is in {source.status} state")
            own = {"master_user_password": self.aurora.master_password, _CLONE_OF: source.db_cluster_identifier}
            return super().restore_db_cluster_to_point_in_time(
                db_cluster_identifier, source_db_cluster_identifier, **{**CLONE_DEFAULTS, **overrides, **own}
            )

    # instances

    def describe_db_instances(self, *arguments: Any, **keywords: Any) -> list[DBInstance]:
        with self.lock:
            return super().describe_db_instances(*arguments, **keywords)

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> DBInstance:
        """An instance in a cluster that is available, as RDS wants it for clones (same reference)."""
        with self.lock:
            [cluster] = self.describe_db_clusters(db_kwargs["db_cluster_identifier"])
            if cluster.status != "available":
                raise InvalidDBClusterStateFault(f"DbCluster {cluster.resource_id} is in {cluster.status} state")
            instance = self._record_instance(db_kwargs)
        self.aurora.in_background(self._finish_instance, instance)
        return instance

    def _record_instance(self, db_kwargs: dict[str, Any]) -> Instance:
        with self.lock:
            failure = self.aurora.take_failure(db_kwargs["db_instance_identifier"])
            refuse(failure)
            instance = super().create_db_instance(db_kwargs)
            instance.__class__ = Instance  # type: ignore[type-abstract]
            assert isinstance(instance, Instance)
            instance.status = "creating"
            instance.failure = failure
            remember(instance, db_kwargs)
            return instance

    def _finish_instance(self, instance: Instance) -> None:
        if not self.aurora.pause(self.aurora.latency_s):
            return
        status = instance.failure or "available"
        if not instance.failure:
            try:
                self.aurora.servers[instance.cluster.db_cluster_identifier].start()
            except (ServerError, KeyError):
                _log.exception("the server of %s does not start", instance.db_instance_identifier)
                status = "incompatible-parameters"
        with self.lock:
            if instance.status == "creating":
                instance.status = status
