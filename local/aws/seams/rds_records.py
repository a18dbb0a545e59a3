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
    "database_insights_mode": "advanced",
    "deletion_protection": True,
    "domain": "d-0123456789",
    "domain_iam_role_name": "rds-directory",
    "enable_http_endpoint": True,
    "enable_local_write_forwarding": True,
    "enable_performance_insights": True,
    "engine_lifecycle_support": "open-source-rds-extended-support-disabled",
    "monitoring_interval": 60,
    "monitoring_role_arn": "arn:aws:iam::123456789012:role/rds-monitoring",
    "network_type": "DUAL",
    "performance_insights_kms_key_id": "arn:aws:kms:eu-west-2:123456789012:key/insights",
    "performance_insights_retention_period": 465,
    "preferred_backup_window": "02:10-02:40",
    "preferred_maintenance_window": "sun:03:10-sun:03:40",
    "auto_minor_version_upgrade": False,
    "serverless_v2_scaling_configuration": {"MinCapacity": 0.5, "MaxCapacity": 16},
    "storage_type": "aurora-iopt1",
    "allocated_storage": 1,
    "kms_key_id": "arn:aws:kms:eu-west-2:123456789012:key/storage",
    "enable_cloudwatch_logs_exports": ["postgresql"],
    "enable_iam_database_authentication": True,
    "storage_encrypted": True,
}
"""How `EmbeddedAurora.create_cluster` sets a cluster up: nothing is as RDS has it by default."""

PRODUCTION_INSTANCE: dict[str, Any] = {
    "engine": ENGINE,
    "db_instance_class": "db.r6g.large",
    "promotion_tier": 0,
    "auto_minor_version_upgrade": False,
    "availability_zone": "eu-west-2b",
    "ca_certificate_identifier": "rds-ca-ecc384-g1",
    "enable_performance_insights": True,
    "monitoring_interval": 30,
    "monitoring_role_arn": "arn:aws:iam::123456789012:role/rds-monitoring",
    "performance_insights_kms_key_id": "arn:aws:kms:eu-west-2:123456789012:key/insights",
    "performance_insights_retention_period": 465,
    "preferred_maintenance_window": "sun:03:10-sun:03:40",
    "publicly_accessible": True,
}

PRODUCTION_ROLES = {"s3Import": "arn:aws:iam::123456789012:role/s3-import"}
"""Feature and ARN of the roles that are associated with such a cluster."""

_SHOWN_AS = {
    "database_insights_mode": "database_insights_mode",
    "enable_performance_insights": "performance_insights_enabled",
    "engine_lifecycle_support": "engine_lifecycle_support",
    "monitoring_interval": "monitoring_interval",
    "monitoring_role_arn": "monitoring_role_arn",
    "performance_insights_kms_key_id": "performance_insights_kms_key_id",
    "performance_insights_retention_period": "performance_insights_retention_period",
}


def remember(record: Any, request: dict[str, Any]) -> None:
    """Let a cluster or an instance show those settings of a request that moto forgets."""
    for name, attribute in _SHOWN_AS.items():
        if request.get(name) is not None:
            setattr(record, attribute, request[name])
    if (value := request.get("enable_local_write_forwarding")) is not None:
        record.local_write_forwarding_status = "enabled" if value else "disabled"
    if (value := request.get("enable_http_endpoint")) is not None:
        record._enable_http_endpoint = value  # moto takes it for Serverless v1 only
    if (value := request.get("enable_iam_database_authentication")) is not None:
        record.iam_auth = value


# What a clone does not take over from its source (API reference of RestoreDBClusterToPointInTime); moto copies most.
CLONE_DEFAULTS = {
    "copy_tags_to_snapshot": False,
    "db_subnet_group_name": None,
    "deletion_protection": False,
    "global_cluster_identifier": None,
    "port": None,
    "preferred_backup_window": "07:00-07:30",
    "preferred_maintenance_window": "tue:08:00-tue:08:30",
    "auto_minor_version_upgrade": True,
    "network_type": None,
    "enable_http_endpoint": None,
    "performance_insights_kms_key_id": None,
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
