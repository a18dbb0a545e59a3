"""ModifyDBCluster and RebootDBInstance: engine upgrades that are pg_upgrade, and parameter groups that want a reboot.

RDS's refusals are those of the API reference of ModifyDBCluster and of "Performing a major version upgrade" in the
Aurora User Guide. An upgrade that fails leaves the cluster available, at its old version, as on RDS.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.models import DBCluster, DBInstance, RDSBackend

from local.aws.seams import rds_engines
from local.aws.seams.knobs import Compute
from local.aws.seams.rds_ending import refuse_while_busy, set_status
from local.aws.seams.rds_engines import major
from local.aws.seams.rds_records import ENGINE, Cluster, Instance, remember
from local.postgres.servers import DEFAULTS, Server, ServerError
from local.postgres.upgrading import upgrade

_log = logging.getLogger(__name__)

_SLOTS_SURVIVE_FROM = 17
"""From this version on pg_upgrade takes logical slots along; of an older one RDS refuses to upgrade while one is there
(Aurora User Guide, "Managing logical replication slots for Aurora PostgreSQL")."""

_LEAST_S = 1.0
"""An upgrade lasts for minutes on RDS, so that whoever asks every few seconds sees it at work; also one that fails."""


class UpgradingBackend(RDSBackend):
    """What `local.aws.seams.rds.Backend` does about versions and parameter groups of clusters that exist."""

    aurora: Compute
    lock: Any

    def parameters_of(self, group: str) -> dict[str, str]:
        """What a cluster parameter group sets; moto keeps the spelling in which the keys came in."""
        found = self.db_cluster_parameter_groups.get(group)
        settings = found.parameters.items() if found else []
        values = {name: setting.get("ParameterValue", setting.get("parameter_value")) for name, setting in settings}
        return {"rds.logical_replication": "0", **{name: value for name, value in values.items() if value is not None}}

    def modify_db_cluster(self, kwargs: dict[str, Any]) -> DBCluster:
        """Change settings; moto would call the cluster available afterwards, whatever it was before."""
        with self.lock:
            [cluster] = self.describe_db_clusters(kwargs["db_cluster_identifier"])
            assert isinstance(cluster, Cluster)
            refuse_while_busy(cluster)
            asked = {name: value for name, value in kwargs.items() if value is not None}
            version = asked.pop("engine_version", cluster.engine_version)
            is_major = asked.pop("allow_major_version_upgrade", False)
            of_instances = asked.pop("db_instance_parameter_group_name", None)
            group = asked.get("db_cluster_parameter_group_name", cluster.parameter_group)
            if version != cluster.engine_version:
                self._refuse_upgrade(cluster, version, allowed=is_major)
            if of_instances and major(version) == major(cluster.engine_version):
                raise InvalidParameterCombination(
                    "DBInstanceParameterGroupName goes with a major version upgrade only."
                )
            self._refuse_group(group, major(version))
            if version != cluster.engine_version:
                asked.pop("db_cluster_parameter_group_name", None)
            status, before = cluster.status, cluster.parameter_group
            super().modify_db_cluster(asked)
            remember(cluster, asked)
            cluster.status = status
            if cluster.parameter_group != before:
                cluster.awaiting_reboot = frozenset(member.db_instance_identifier for member in cluster.members)
            if version != cluster.engine_version and not cluster.pending_modified_values:
                cluster.pending_modified_values = {"EngineVersion": version}
                self.aurora.in_background(self._upgrade, cluster, version, group, of_instances)
            return cluster

    def _refuse_upgrade(self, cluster: Cluster, version: str, *, allowed: bool) -> None:
        if version not in rds_engines.targets(cluster.engine_version):
            raise InvalidParameterCombination(f"Cannot upgrade {ENGINE} from {cluster.engine_version} to {version}")
        if major(version) > major(cluster.engine_version) and not allowed:
            raise InvalidParameterCombination(
                "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
            )

    def _refuse_group(self, name: str, of: int) -> None:
        family = f"{ENGINE}{of}"
        found = self.db_cluster_parameter_groups.get(name)
        if found is None and name != f"default.{family}":
            raise RDSClientError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")
        if found is not None and found.db_parameter_group_family != family:
            raise InvalidParameterCombination(
                f"The Parameter Group {name} with DBParameterGroupFamily {found.db_parameter_group_family} cannot be"
                f" used for this cluster. Use a Parameter Group with DBParameterGroupFamily {family}"
            )

    def _upgrade(self, cluster: Cluster, version: str, group: str, of_instances: str | None) -> None:
        """For a moment the cluster is available still, as it may be on RDS."""
        if not self.aurora.pause(self.aurora.latency_s / 4):
            return
        identifier, deadline = cluster.db_cluster_identifier, time.monotonic() + max(_LEAST_S, self.aurora.latency_s)
        with self.lock:
            cluster.pending_modified_values = {}
            set_status(cluster, "upgrading")
            parameters = self.parameters_of(group)
        failure = ""
        try:
            _bring(self.aurora.servers[identifier], major(version), parameters)
        except ServerError as error:
            failure = str(error)
            _log.warning("the upgrade of %s to %s failed: %s", identifier, version, failure)
        if not self.aurora.pause(deadline - time.monotonic()):
            return
        with self.lock:
            if failure:
                rds_engines.LOGS[identifier] = failure
            else:
                cluster.engine_version, cluster.parameter_group = version, group
                for member in self._instances(cluster) if of_instances else ():
                    member.db_parameter_group_name, member.awaits_reboot = of_instances, True
            set_status(cluster, "available")

    @staticmethod
    def _instances(cluster: Cluster) -> list[Instance]:
        return [member for member in cluster.members if isinstance(member, Instance)]

    def reboot_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Restart the server, with what the parameter groups say by now."""
        with self.lock:
            [instance] = self.describe_db_instances(db_instance_identifier)
            if instance.status != "available":
                raise RDSClientError("InvalidDBInstanceState", f"Instance is in {instance.status} state")
            instance.status = "rebooting"
        self.aurora.in_background(self._reboot, instance)
        return instance

    def _reboot(self, instance: Instance) -> None:
        cluster = instance.cluster
        with self.lock:
            parameters = self.parameters_of(cluster.parameter_group)
        status = "available"
        try:
            server = self.aurora.servers[cluster.db_cluster_identifier]
            server.parameters = {**DEFAULTS, **parameters}
            server.restart()
        except (ServerError, KeyError):
            _log.exception("the server of %s does not start", instance.db_instance_identifier)
            status = "incompatible-parameters"
        if self.aurora.pause(self.aurora.latency_s / 4):
            with self.lock:
                cluster.awaiting_reboot -= {instance.db_instance_identifier}
                instance.awaits_reboot = False
                if instance.status == "rebooting":
                    instance.status = status


def _bring(server: Server, version: int, parameters: Mapping[str, str]) -> None:
    """To a newer version of PostgreSQL, or, within a major one, to what this machine has of it."""
    if version == server.version:
        server.parameters = {**DEFAULTS, **parameters}
        server.restart()
        return
    logical = server.execute("postgres", "SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical'")
    if logical and server.version < _SLOTS_SURVIVE_FROM:
        names = ", ".join(name for (name,) in logical)
        raise ServerError(
            f"Your installation contains logical replication slots, drop them before the upgrade: {names}"
        )
    upgrade(server, version, parameters)
