"""Green is blue's mirror: for every attribute that RDS tells of a cluster or an instance, how green comes to have it.

``CLUSTER`` and ``INSTANCE`` name every member of the shapes DBCluster and DBInstance of the RDS API; a test walks the
API's model and fails at one that is missing here. What a request is said to take was read in that model, with its
documentation. The functions use the boto3 of the Lambda runtime, which may not know the newest members of requests yet:
what a clone has come to take only lately is set afterwards instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..accounts import GreenAccount

Description = dict[str, Any]
"""A cluster or an instance as DescribeDBClusters or DescribeDBInstances returns it."""

CLONE = "RestoreDBClusterToPointInTime"
CREATE = "CreateDBCluster"
MODIFY = "ModifyDBCluster"
INSTANCE_OF = "CreateDBInstance"

Read = Callable[[Any], Any]
"""From an attribute's value to what a request wants."""

Elsewhere = Callable[[GreenAccount, Any], Any]
"""From an attribute's value, which names something of blue's account, to what it is in green's; None for nothing."""


def _nothing(_account: GreenAccount, _value: Any) -> None:
    """It has no counterpart, or is not needed: see ``mirroring.lost``."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Green is given blue's value, as ``member`` of each of these requests.

    A clone has what CLONE does not take from its source, or has RDS's default; MODIFY sets it where the two differ.
    """

    member: str
    requests: tuple[str, ...]
    read: Read = lambda value: value
    elsewhere: Elsewhere | None = None
    """Where the value names something of an account: what stands for it in another one."""


@dataclass(frozen=True, slots=True)
class Added:
    """Given to green once it is there, by an operation of its own (``additions``)."""

    operation: str
    elsewhere: Elsewhere | None = None


@dataclass(frozen=True, slots=True)
class Different:
    """On purpose not blue's value."""

    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """RDS tells it of each cluster and instance: names, addresses, times, states, and what follows from others."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Nothing that Aurora PostgreSQL has."""


@dataclass(frozen=True, slots=True)
class Unmirrored:
    """Blue may have what green cannot be given: a finding of ``CheckBlue`` when ``is_used`` says so of the value."""

    finding: str
    is_used: Callable[[Any], bool] = bool


Way = Passed | Added | Different | Told | Foreign | Unmirrored


def _names(member: str) -> Read:
    return lambda values: [value[member] for value in values]


def _first(member: str) -> Read:
    return lambda values: values[0].get(member) if values else None


def _scaling(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("MinCapacity", "MaxCapacity", "SecondsUntilAutoPause") if key in value}


def _tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    """Without those that nobody else may set (``aws:``), that RDS sets (``rds:``), and of an earlier release."""
    return [tag for tag in tags if not tag["Key"].startswith(("aws:", "rds:", "bluegreen:"))]


def _monitored(account: GreenAccount, seconds: int) -> int:
    """RDS takes no interval without a role (API reference, ModifyDBCluster)."""
    return seconds if account.monitoring_role_arn else 0


def _monitoring_role(account: GreenAccount, _blues: str) -> str:
    return account.monitoring_role_arn


def _insights_key(account: GreenAccount, _blues: str) -> str:
    """Without one RDS takes the account's own (API reference, ModifyDBCluster)."""
    return account.performance_insights_kms_key_id


def _roles(account: GreenAccount, roles: list[dict[str, str]]) -> list[dict[str, str]]:
    features = [role.get("FeatureName", "") for role in roles]
    there = account.associated_roles
    return [{"RoleArn": there[feature], "FeatureName": feature} for feature in features if feature in there]


def _group_ids(account: GreenAccount, _groups: Any) -> list[dict[str, str]]:
    return [{"VpcSecurityGroupId": group} for group in account.security_group_ids]


def _is_on(status: str) -> bool:
    return status.lower() in ("enabled", "enabling", "requested")


_LIMITLESS = ("active", "enabled", "enabling", "modifying")

_AT_ONCE = (CLONE, CREATE)
_ALWAYS = (CLONE, CREATE, MODIFY)
_LATER = (CREATE, MODIFY)

CLUSTER: dict[str, Way] = {
    # given
    "BackupRetentionPeriod": Passed("BackupRetentionPeriod", _LATER),
    "DBClusterParameterGroup": Passed("DBClusterParameterGroupName", _AT_ONCE, elsewhere=_nothing),
    "DBSubnetGroup": Passed("DBSubnetGroupName", _AT_ONCE, elsewhere=lambda account, _: account.db_subnet_group),
    "Engine": Passed("Engine", (CREATE,)),
    "Port": Passed("Port", _AT_ONCE),
    "PreferredBackupWindow": Passed("PreferredBackupWindow", _LATER),
    "PreferredMaintenanceWindow": Passed("PreferredMaintenanceWindow", _LATER),
    "VpcSecurityGroups": Passed("VpcSecurityGroupIds", _AT_ONCE, _names("VpcSecurityGroupId"), _group_ids),
    "StorageEncrypted": Passed("StorageEncrypted", (CREATE,)),
    "KmsKeyId": Passed("KmsKeyId", (CREATE,), elsewhere=lambda account, blues: account.kms_key_id or blues),
    "IAMDatabaseAuthenticationEnabled": Passed("EnableIAMDatabaseAuthentication", _ALWAYS),
    "EnabledCloudwatchLogsExports": Passed("EnableCloudwatchLogsExports", _AT_ONCE),
    "StorageType": Passed("StorageType", _ALWAYS),
    "AutoMinorVersionUpgrade": Passed("AutoMinorVersionUpgrade", (MODIFY,)),
    "DeletionProtection": Passed("DeletionProtection", _ALWAYS),
    "CopyTagsToSnapshot": Passed("CopyTagsToSnapshot", _ALWAYS),
    "DomainMemberships": Passed("Domain", _AT_ONCE, _first("Domain"), _nothing),
    "TagList": Passed("Tags", _AT_ONCE, _tags),
    "GlobalWriteForwardingRequested": Passed("EnableGlobalWriteForwarding", (CREATE,)),
    "LocalWriteForwardingStatus": Passed("EnableLocalWriteForwarding", _LATER, _is_on),
    "NetworkType": Passed("NetworkType", _AT_ONCE),
    "ServerlessV2ScalingConfiguration": Passed("ServerlessV2ScalingConfiguration", _ALWAYS, _scaling),
    "MonitoringInterval": Passed("MonitoringInterval", (MODIFY,), elsewhere=_monitored),
    "MonitoringRoleArn": Passed("MonitoringRoleArn", (MODIFY,), elsewhere=_monitoring_role),
    "DatabaseInsightsMode": Passed("DatabaseInsightsMode", _LATER),
    "PerformanceInsightsEnabled": Passed("EnablePerformanceInsights", _LATER),
    "PerformanceInsightsKMSKeyId": Passed("PerformanceInsightsKMSKeyId", _LATER, elsewhere=_insights_key),
    "PerformanceInsightsRetentionPeriod": Passed("PerformanceInsightsRetentionPeriod", _LATER),
    "EngineLifecycleSupport": Passed("EngineLifecycleSupport", _AT_ONCE),
    "AssociatedRoles": Added("AddRoleToDBCluster", _roles),
    "HttpEndpointEnabled": Added("EnableHttpEndpoint"),
    # not given
    "DBClusterIdentifier": Different("the release's name for green"),
    "EngineVersion": Different("blue's, or the one that the release upgrades to"),
    "GlobalClusterIdentifier": Different("green gets a global cluster of its own"),
    "CustomEndpoints": Unmirrored("custom-endpoint"),
    "MasterUserSecret": Unmirrored("managed-master-password"),
    "ActivityStreamStatus": Unmirrored("activity-stream", lambda status: status in ("started", "starting")),
    "LimitlessDatabase": Unmirrored("limitless-database", lambda value: value.get("Status") in _LIMITLESS),
    "InternetAccessGatewayEnabled": Unmirrored("outside-a-vpc"),
    # told
    **dict.fromkeys(
        (
            "AllocatedStorage",  # grows with the data
            "AvailabilityZones",  # of the storage; the Region's, for the subnet group
            "DatabaseName",  # made with the cluster, and cloned
            "Status",
            "PendingModifiedValues",  # a finding of CheckBlue
            "PercentProgress",
            "EarliestRestorableTime",
            "Endpoint",
            "ReaderEndpoint",
            "MultiAZ",  # whether there are instances in several zones
            "LatestRestorableTime",
            "MasterUsername",  # cloned
            "UpgradeRolloutOrder",  # of an organization's policy
            "ReplicationSourceIdentifier",  # blue is a primary
            "ReadReplicaIdentifiers",
            "StatusInfos",
            "DBClusterMembers",  # promotion tiers are in INSTANCE
            "HostedZoneId",
            "StorageEncryptionType",  # follows from the key
            "DbClusterResourceId",
            "DBClusterArn",
            "CloneGroupId",
            "ClusterCreateTime",
            "EngineMode",  # cloned
            "IOOptimizedNextAllowedModificationTime",
            "ActivityStreamMode",
            "ActivityStreamKmsKeyId",
            "ActivityStreamKinesisStreamName",
            "CrossAccountClone",
            "GlobalWriteForwardingStatus",
            "AutomaticRestartTime",
            "ServerlessV2PlatformVersion",
            "AwsBackupRecoveryPointArn",  # AWS Backup selects by tags, which green has, or by ARN
            "ClusterScalabilityType",
            "CertificateDetails",  # CACertificateIdentifier is in INSTANCE
            "VPCNetworkingEnabled",
        ),
        Told(),
    ),
    # of other engines, of Multi-AZ DB clusters, of Aurora Serverless v1, of RDS Custom
    **dict.fromkeys(
        (
            "CharacterSetName",
            "DBClusterOptionGroupMemberships",
            "EarliestBacktrackTime",
            "BacktrackWindow",
            "BacktrackConsumedChangeRecords",
            "Capacity",
            "ScalingConfigurationInfo",
            "RdsCustomClusterConfiguration",
            "DBClusterInstanceClass",
            "Iops",
            "StorageThroughput",
            "PubliclyAccessible",
            "DBSystemId",
        ),
        Foreign(),
    ),
}
"""Every attribute of a cluster."""

_MADE = (INSTANCE_OF,)

INSTANCE: dict[str, Way] = {
    # given
    "DBInstanceClass": Passed("DBInstanceClass", _MADE),
    "Engine": Passed("Engine", _MADE),
    "DBParameterGroups": Passed("DBParameterGroupName", _MADE, _first("DBParameterGroupName"), _nothing),
    "AvailabilityZone": Passed("AvailabilityZone", _MADE, elsewhere=_nothing),  # the same name is another zone there
    "PreferredMaintenanceWindow": Passed("PreferredMaintenanceWindow", _MADE),
    "AutoMinorVersionUpgrade": Passed("AutoMinorVersionUpgrade", _MADE),
    "PubliclyAccessible": Passed("PubliclyAccessible", _MADE),
    "CACertificateIdentifier": Passed("CACertificateIdentifier", _MADE),
    "MonitoringInterval": Passed("MonitoringInterval", _MADE, elsewhere=_monitored),
    "MonitoringRoleArn": Passed("MonitoringRoleArn", _MADE, elsewhere=_monitoring_role),
    "PromotionTier": Passed("PromotionTier", _MADE),
    "PerformanceInsightsEnabled": Passed("EnablePerformanceInsights", _MADE),
    "PerformanceInsightsKMSKeyId": Passed("PerformanceInsightsKMSKeyId", _MADE, elsewhere=_insights_key),
    "PerformanceInsightsRetentionPeriod": Passed("PerformanceInsightsRetentionPeriod", _MADE),
    "TagList": Passed("Tags", _MADE, _tags),
    # not given
    "DBInstanceIdentifier": Different("green's name and a number"),
    "DBClusterIdentifier": Different("green"),
    # the cluster's, of which RDS tells with each instance as well
    **dict.fromkeys(
        (
            "MasterUsername",
            "DBName",
            "AllocatedStorage",
            "PreferredBackupWindow",
            "BackupRetentionPeriod",
            "VpcSecurityGroups",
            "DBSubnetGroup",
            "EngineVersion",
            "StorageType",
            "StorageEncryptionType",
            "StorageEncrypted",
            "KmsKeyId",
            "DomainMemberships",
            "CopyTagsToSnapshot",
            "IAMDatabaseAuthenticationEnabled",
            "DatabaseInsightsMode",
            "EnabledCloudwatchLogsExports",
            "DeletionProtection",
            "NetworkType",
            "ActivityStreamStatus",
            "ActivityStreamKmsKeyId",
            "ActivityStreamKinesisStreamName",
            "ActivityStreamMode",
            "EngineLifecycleSupport",
            "MasterUserSecret",
        ),
        Told(),
    ),
    **dict.fromkeys(
        (
            "DBInstanceStatus",
            "PendingModifiedValues",  # a finding of CheckBlue
            "Endpoint",
            "DbInstancePort",
            "InstanceCreateTime",
            "UpgradeRolloutOrder",
            "LatestRestorableTime",
            "MultiAZ",
            "SecondaryAvailabilityZone",
            "StatusInfos",
            "DbiResourceId",
            "DBInstanceArn",
            "EnhancedMonitoringResourceArn",
            "AwsBackupRecoveryPointArn",
            "AutomaticRestartTime",
            "CertificateDetails",
            "PercentProgress",
            "IsStorageConfigUpgradeAvailable",
            "StorageVolumeStatus",
            "StorageOperationStatus",
            "StorageOperationPercentProgress",
        ),
        Told(),
    ),
    # of instances without a cluster, of other engines, of RDS Custom, of Outposts
    **dict.fromkeys(
        (
            "DBSecurityGroups",
            "ReadReplicaSourceDBInstanceIdentifier",
            "ReadReplicaDBInstanceIdentifiers",
            "ReadReplicaDBClusterIdentifiers",
            "ReplicaMode",
            "LicenseModel",
            "Iops",
            "StorageThroughput",
            "OptionGroupMemberships",
            "CharacterSetName",
            "NcharCharacterSetName",
            "TdeCredentialArn",
            "Timezone",
            "ProcessorFeatures",
            "AssociatedRoles",
            "ListenerEndpoint",
            "MaxAllocatedStorage",
            "AutomationMode",
            "ResumeFullAutomationModeTime",
            "CustomerOwnedIpEnabled",
            "ActivityStreamEngineNativeAuditFieldsIncluded",
            "DBInstanceAutomatedBackupsReplications",
            "BackupTarget",
            "CustomIamInstanceProfile",
            "ActivityStreamPolicyStatus",
            "DBSystemId",
            "ReadReplicaSourceDBClusterIdentifier",
            "MultiTenant",
            "DedicatedLogVolume",
            "AdditionalStorageVolumes",
            "DBCapacityReservationIdentifier",
        ),
        Foreign(),
    ),
}
"""Every attribute of an instance."""
