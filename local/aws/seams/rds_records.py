"""The records that moto keeps of clusters and instances, made to show real servers; and how they are set up."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from moto.rds.models import DBCluster, DBInstanceClustered

from local.postgres.servers import reader_address

ENGINE = "aurora-postgresql"

PRODUCTION_CLUSTER: dict[str, Any] = {
    "engine": ENGINE,
    "master_username": "postgres",
    "db_subnet_group_name": "database-subnets",
    "vpc_security_group_ids": ["sg-0123456789abcdef0"],
    "backup_retention_period": 7,
    "copy_tags_to_snapshot": True,
    "deletion_protection": True,
    "enable_cloudwatch_logs_exports": ["postgresql"],
    "enable_iam_database_authentication": True,
    "storage_encrypted": True,
}
"""How `EmbeddedAurora.create_cluster` sets a cluster up: nothing is as RDS has it by default."""

PRODUCTION_INSTANCE: dict[str, Any] = {"engine": ENGINE, "db_instance_class": "db.r6g.large", "promotion_tier": 0}

# What a clone does not take over from its source (API reference of RestoreDBClusterToPointInTime); moto copies most.
CLONE_DEFAULTS = {
    "copy_tags_to_snapshot": False,
    "db_subnet_group_name": None,
    "deletion_protection": False,
    "global_cluster_identifier": None,
    "port": None,
    "serverless_v2_scaling_configuration": None,
    "tags": None,
}


class Cluster(DBCluster):
    """moto's record of a cluster, with a real address and a status that changes only when something has happened."""

    address: str
    failure: str | None
    """The status in which `EmbeddedAurora.fail_next` wants it to end."""
    backend: Any
    pending_modified_values: Mapping[str, str] = MappingProxyType({})
    awaiting_reboot: frozenset[str] = frozenset()
    """Instances that have not taken the cluster parameter group yet."""

    @property
    def db_cluster_members(self) -> list[dict[str, Any]]:
        return [
            member
            if member["DBInstanceIdentifier"] not in self.awaiting_reboot
            else member | {"DBClusterParameterGroupStatus": "pending-reboot"}
            for member in super().db_cluster_members
        ]

    @property
    def status(self) -> str:
        return self._status

    @status.setter
    def status(self, value: str) -> None:
        self._status = value

    @property
    def endpoint(self) -> str:
        return self.address

    @property
    def reader_endpoint(self) -> str:
        return reader_address(self.address)

    @property
    def _members(self) -> list[DBInstanceClustered]:
        with self.backend.lock:
            return super()._members


class Instance(DBInstanceClustered):
    """moto's record of an instance in a cluster; it has an endpoint from the moment that it is available."""

    cluster: Cluster
    failure: str | None
    awaits_reboot: bool = False
    """Whether it has not taken its own parameter group yet."""

    @property
    def db_parameter_group_status_list(self) -> Any:
        status = "pending-reboot" if self.awaits_reboot else "in-sync"
        names = [group.name for group in self.db_parameter_groups()]
        return [{"DBParameterGroupName": name, "ParameterApplyStatus": status} for name in names]

    @property
    def endpoint(self) -> dict[str, Any] | None:  # type: ignore[override]
        return None if self.status == "creating" else {"Address": self.cluster.address, "Port": self.cluster.port}
