"""What stands in a release's way at AWS: states, limits, and what RDS is about to do by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from ..dns import addresses
from ..errors import BlueNotFound
from ..model import Plan
from ..rds.aurora import Description, describe_cluster, describe_instances
from . import of_quotas, of_upgrade
from .catalogue import BY_ID
from .findings import Found

CLONES_OF_A_VOLUME = 15
"""Aurora User Guide, "Limitations of Aurora cloning"."""

QUIET_DEPLOYMENTS = frozenset({"SWITCHOVER_COMPLETED", "DELETING"})
"""Blue/green deployments that do nothing any more."""

BURSTABLE = "db.t"
"""Aurora User Guide, "DB instance class types"."""

WITH_A_DATE = ("AutoAppliedAfterDate", "ForcedApplyDate", "CurrentApplyDate")


def look_at_cluster(rds: Any, ec2: Any, plan: Plan) -> list[Found]:
    """Asks RDS and EC2 about blue."""
    blue = describe_cluster(rds, plan.blue.identifier)
    if blue is None:
        raise BlueNotFound(f"There is no cluster {plan.blue.identifier}.")
    instances = describe_instances(rds, plan.blue.identifier)
    return [
        *_instances(blue, instances),
        *_deployments(rds, blue),
        *_clones(rds, blue),
        *_classes(rds, plan, blue, instances),
        *of_upgrade.look(rds, plan, blue, instances),
        *_maintenance(rds, blue, instances),
        *([] if plan.green_account else _where_green_will_be(rds, ec2, blue, len(instances))),
    ]


def _where_green_will_be(rds: Any, ec2: Any, blue: Description, instances: int) -> Iterator[Found]:
    """What blue's account has room for and lets in; another one is asked by ``of_account``."""
    yield from of_quotas.look(rds, instances, "the account")
    yield from _security_groups(ec2, blue)


def _found(check: str, place: str, **row: Any) -> Found:
    return BY_ID[check].found(place, row)


def _instances(blue: Description, instances: list[Description]) -> Iterator[Found]:
    """Blue's parts: what they are doing, what they will do, and which parameters they have not taken yet."""
    name = blue["DBClusterIdentifier"]
    if blue.get("PendingModifiedValues"):
        yield _found("pending-change", name, resource=name, changes=_names(blue["PendingModifiedValues"]))
    for member in blue.get("DBClusterMembers", []):
        if member.get("DBClusterParameterGroupStatus") == "pending-reboot":
            group = blue["DBClusterParameterGroup"]
            yield _found("pending-reboot", name, instance=member["DBInstanceIdentifier"], group=group)
    for instance in instances:
        identifier = instance["DBInstanceIdentifier"]
        if instance["DBInstanceStatus"] != "available":
            yield _found("instance-not-available", name, instance=identifier, status=instance["DBInstanceStatus"])
        if instance.get("PendingModifiedValues"):
            changes = _names(instance["PendingModifiedValues"])
            yield _found("pending-change", name, resource=identifier, changes=changes)
        for group in instance.get("DBParameterGroups", []):
            if group["ParameterApplyStatus"] == "pending-reboot":
                yield _found("pending-reboot", name, instance=identifier, group=group["DBParameterGroupName"])


def _names(changes: dict[str, Any]) -> str:
    """Names only: among the values may be a password."""
    return ", ".join(sorted(changes))


def _deployments(rds: Any, blue: Description) -> Iterator[Found]:
    filters = [{"Name": "source", "Values": [blue["DBClusterArn"]]}]
    for page in rds.get_paginator("describe_blue_green_deployments").paginate(Filters=filters):
        for each in page["BlueGreenDeployments"]:
            if each["Status"] not in QUIET_DEPLOYMENTS:
                yield _found(
                    "other-blue-green-deployment",
                    blue["DBClusterIdentifier"],
                    id=each["BlueGreenDeploymentIdentifier"],
                    status=each["Status"],
                )


def _clones(rds: Any, blue: Description) -> Iterator[Found]:
    """Clusters that share blue's volume; the group's identifier is there once a cluster was cloned, or is a clone."""
    if group := blue.get("CloneGroupId"):
        sharing = [
            cluster["DBClusterIdentifier"]
            for page in rds.get_paginator("describe_db_clusters").paginate()
            for cluster in page["DBClusters"]
            if cluster.get("CloneGroupId") == group
        ]
        if len(sharing) > CLONES_OF_A_VOLUME:
            yield _found("too-many-clones", blue["DBClusterIdentifier"], clones=", ".join(sorted(sharing)))


def _classes(rds: Any, plan: Plan, blue: Description, instances: list[Description]) -> Iterator[Found]:
    """Green's instances are of blue's classes: whether they can be had still, and whether they can work steadily."""
    engine, version = blue["Engine"], plan.engine_version or blue["EngineVersion"]
    for name in sorted({instance["DBInstanceClass"] for instance in instances}):
        alike = [each["DBInstanceIdentifier"] for each in instances if each["DBInstanceClass"] == name]
        row = {"name": name, "instances": ", ".join(sorted(alike)), "version": version}
        pages = rds.get_paginator("describe_orderable_db_instance_options").paginate(
            Engine=engine, EngineVersion=version, DBInstanceClass=name
        )
        if not any(page["OrderableDBInstanceOptions"] for page in pages):
            yield _found("class-not-offered", blue["DBClusterIdentifier"], **row)
        if name.startswith(BURSTABLE):
            yield _found("burstable-class", blue["DBClusterIdentifier"], **row)


def _maintenance(rds: Any, blue: Description, instances: list[Description]) -> Iterator[Found]:
    """What RDS does at a date that is set, to the cluster and to its instances."""
    members = [instance["DBInstanceArn"] for instance in instances]
    for kind, arns in (("db-cluster-id", [blue["DBClusterArn"]]), ("db-instance-id", members)):
        filters = [{"Name": kind, "Values": arns}]
        for page in rds.get_paginator("describe_pending_maintenance_actions").paginate(Filters=filters):
            for resource in page["PendingMaintenanceActions"]:
                yield from _dated(resource)


def _dated(resource: Description) -> Iterator[Found]:
    arn = resource["ResourceIdentifier"]
    for each in resource["PendingMaintenanceActionDetails"]:
        if dates := [each[key] for key in WITH_A_DATE if each.get(key)]:
            date = f"{min(dates):%Y-%m-%d %H:%M}"
            yield _found("pending-maintenance", arn.rsplit(":", 1)[-1], arn=arn, action=each["Action"], date=date)


def _security_groups(ec2: Any, blue: Description) -> Iterator[Found]:
    """Whether a rule admits green, which will be in the same groups and subnets, to blue's port.

    That the functions got in proves that there are rules: when none is to be seen they belong to another account.
    """
    groups = [group["VpcSecurityGroupId"] for group in blue.get("VpcSecurityGroups", [])]
    filters = [{"Name": "group-id", "Values": groups}]
    pages = ec2.get_paginator("describe_security_group_rules").paginate(Filters=filters) if groups else []
    rules = [rule for page in pages for rule in page["SecurityGroupRules"] if not rule["IsEgress"]]
    if rules and not any(_admits(rule, blue, groups) for rule in rules):
        name = blue["DBClusterIdentifier"]
        said = ", ".join(groups)
        yield _found("security-group-closed", name, groups=said, group=groups[0], port=blue["Port"])


def _admits(rule: Description, blue: Description, groups: list[str]) -> bool:
    if rule["IpProtocol"] != "-1" and not rule["FromPort"] <= blue["Port"] <= rule["ToPort"]:
        return False
    if "PrefixListId" in rule:  # its addresses would have to be looked up: we cannot say that it does not
        return True
    if cidr := rule.get("CidrIpv4"):
        network = ipaddress.ip_network(cidr)
        return any(ipaddress.ip_address(address) in network for address in addresses(blue["Endpoint"]))
    return rule.get("ReferencedGroupInfo", {}).get("GroupId") in groups
