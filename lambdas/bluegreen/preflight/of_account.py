"""What stands in the way of a green in another account, and what it will not have there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..accounts import GreenAccount
from ..errors import BlueNotFound
from ..model import Plan, major
from ..rds.aurora import Description, describe_cluster, describe_instances
from ..rds.mirror import CLUSTER, INSTANCE
from ..rds.mirroring import lost
from ..rds.sides import Rds
from . import of_quotas
from .findings import Check, Found
from .of_upgrade import different_groups

OF_ACCOUNT = (
    Check(
        "account-out-of-reach",
        "blocker",
        "Green is to be made in another account, by a role there that cannot be assumed, or may not do it.",
        "deploy BlueGreen-{cluster}-green-account there (docs/accounts.md), and compare role_arn and external_id",
        name="{account}: {error}",
    ),
    Check(
        "account-lacks-subnet-group",
        "blocker",
        "Green is to be in this group, and its account has none of that name.",
        "make it there, with subnets in the zones of blue's, by the zones' ids and not their names",
        name="{name}",
    ),
    Check(
        "key-not-shared",
        "blocker",
        "A clone is made by the key of its source, and gets that or the one that is configured: green's account has to "
        "be allowed to use both.",
        "add the account to the key's policy (docs/accounts.md); AWS's own key aws/rds cannot be shared: restore a "
        "snapshot that was copied with a key of yours, and let that cluster be blue",
        name="{key}: {error}",
    ),
    Check(
        "cluster-not-shared",
        "warning",
        "Green's account does not list blue among the clusters that it may clone.",
        "share it and accept the invitation there (docs/accounts.md): aws ram create-resource-share --name {name} "
        "--resource-arns {arn} --principals {account}",
        name="{name}, with {account}",
    ),
    Check(
        "account-has-a-clone",
        "warning",
        "An account can have one clone of a cluster of another account, or of that one's clones.",
        "delete it, or share another cluster",
        name="{name}",
    ),
    Check(
        "lost-in-account",
        "warning",
        "It names something of blue's account, and the configuration says of nothing that takes its place in green's.",
        "set it in clusters.{cluster}.green_account in cdk.json, or give it to green after the release, as a directory "
        "for Kerberos has to be",
        name="{attribute} of {name}",
    ),
    Check(
        "account-not-admitted",
        "warning",
        "Green connects to blue from there, and no rule of blue's security groups admits it.",
        "aws ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port {port} --cidr {cidr}",
        name="{cidr}",
    ),
)
"""Asked of both accounts, when green is to be in another one than blue."""

_CHECKS = {check.id: check for check in OF_ACCOUNT}


def look_at_account(rds: Rds, ec2: Any, kms_there: Callable[[], Any], plan: Plan) -> list[Found]:
    """Asks both accounts; nothing when green is made in blue's.

    kms_there  makes the client of KMS of green's account, which is not needed else
    """
    account = plan.green_account
    if account is None:
        return []
    blue = describe_cluster(rds.blue, plan.blue.identifier)
    if blue is None:
        raise BlueNotFound(f"There is no cluster {plan.blue.identifier}.")
    instances = describe_instances(rds.blue, plan.blue.identifier)
    found = [*_lost(plan, account, blue, instances), *_admitted(ec2, account, blue)]
    if major(plan.engine_version or blue["EngineVersion"]) == major(blue["EngineVersion"]):  # else looked at for that
        found += different_groups(plan.blue.identifier, instances)
    try:
        found += of_quotas.look(rds.green, len(instances), "green's account")
        found += _subnet_group(rds.green, account)
        found += _shared(rds.green, account, blue)
        found += _keys(kms_there(), account, blue)
    except (BotoCoreError, ClientError) as error:
        row = {"account": account.account_id, "error": error, "cluster": plan.cluster_name}
        found.append(_found("account-out-of-reach", "green's account", **row))
    return found


def _found(check: str, place: str, **row: Any) -> Found:
    return _CHECKS[check].found(place, row)


def _lost(plan: Plan, account: GreenAccount, blue: Description, instances: list[Description]) -> Iterator[Found]:
    parts = [(CLUSTER, blue, "DBClusterIdentifier"), *((INSTANCE, each, "DBInstanceIdentifier") for each in instances)]
    for ways, described, identifier in parts:
        for attribute in lost(ways, described, account):
            row = {"attribute": attribute, "name": described[identifier], "cluster": plan.cluster_name}
            yield _found("lost-in-account", plan.blue.identifier, **row)


def _admitted(ec2: Any, account: GreenAccount, blue: Description) -> Iterator[Found]:
    """Whether rules by address admit green's subnets. A rule by prefix list or group cannot be seen through: it may."""
    groups = [group["VpcSecurityGroupId"] for group in blue.get("VpcSecurityGroups", [])]
    filters = [{"Name": "group-id", "Values": groups}]
    pages = ec2.get_paginator("describe_security_group_rules").paginate(Filters=filters) if groups else []
    rules = [rule for page in pages for rule in page["SecurityGroupRules"] if not rule["IsEgress"]]
    for cidr in account.cidr_blocks:
        if rules and not any(_admits(rule, cidr, blue["Port"], groups) for rule in rules):
            row = {"cidr": cidr, "group": groups[0], "port": blue["Port"]}
            yield _found("account-not-admitted", blue["DBClusterIdentifier"], **row)


def _admits(rule: Description, cidr: str, port: int, groups: list[str]) -> bool:
    if rule["IpProtocol"] != "-1" and not rule["FromPort"] <= port <= rule["ToPort"]:
        return False
    if "CidrIpv4" in rule:
        return ip_network(cidr).subnet_of(ip_network(rule["CidrIpv4"]))  # type: ignore[arg-type]  # both of version 4
    if "CidrIpv6" in rule:
        return False
    return rule.get("ReferencedGroupInfo", {}).get("GroupId") not in groups


def _subnet_group(rds: Any, account: GreenAccount) -> Iterator[Found]:
    try:
        rds.describe_db_subnet_groups(DBSubnetGroupName=account.db_subnet_group)
    except rds.exceptions.DBSubnetGroupNotFoundFault:
        yield _found("account-lacks-subnet-group", "green's account", name=account.db_subnet_group)


def _shared(rds: Any, account: GreenAccount, blue: Description) -> Iterator[Found]:
    """A shared cluster is listed by its ARN, with its name or its resource id at the end (Aurora User Guide, "Checking
    if a DB cluster is a cross-account clone": its example shows the latter)."""
    pages = rds.get_paginator("describe_db_clusters").paginate(IncludeShared=True)
    listed = [cluster for page in pages for cluster in page["DBClusters"]]
    parts = blue["DBClusterArn"].split(":")
    arns = {":".join([*parts[:6], name]) for name in (parts[6], blue["DbClusterResourceId"])}
    if not arns & {cluster["DBClusterArn"] for cluster in listed}:
        row = {"name": parts[6], "arn": blue["DBClusterArn"], "account": account.account_id}
        yield _found("cluster-not-shared", parts[6], **row)
    group = blue.get("CloneGroupId")
    for cluster in listed:
        if cluster.get("CrossAccountClone") and group and cluster.get("CloneGroupId") == group:
            yield _found("account-has-a-clone", "green's account", name=cluster["DBClusterIdentifier"])


def _keys(kms: Any, account: GreenAccount, blue: Description) -> Iterator[Found]:
    """Whether the role may look at blue's key, and at green's if that is another; it may not look at AWS's own."""
    keys = {blue["KmsKeyId"], account.kms_key_id} - {""} if blue.get("StorageEncrypted") else set()
    for key in sorted(keys):
        try:
            kms.describe_key(KeyId=key)
        except ClientError as error:
            yield _found("key-not-shared", blue["DBClusterIdentifier"], key=key, error=error)
