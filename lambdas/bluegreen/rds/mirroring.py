"""The requests by which green comes to be blue's mirror, as ``mirror`` has it; the same for a secondary of green's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from ..accounts import GreenAccount
from ..model import RELEASE_TAG, Plan
from .mirror import (
    CLONE,
    CLUSTER,
    CREATE,
    INSTANCE,
    INSTANCE_OF,
    MODIFY,
    Added,
    Description,
    Passed,
    Unmirrored,
    Way,
)

_INSIGHTS = frozenset(
    {"DatabaseInsightsMode", "PerformanceInsightsEnabled"}
    | {"PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod"}
)
"""RDS wants the mode, the retention and the rest of it in one request (API reference, ModifyDBCluster)."""

_NOT_MISSED = frozenset(
    {"DBClusterParameterGroup", "DBParameterGroups", "AvailabilityZone", "PerformanceInsightsKMSKeyId"}
)
"""In another account the release makes the groups, RDS chooses zones, and takes the account's own key for insights."""

_MONITORING = frozenset({"MonitoringInterval", "MonitoringRoleArn"})


def clone_request(blue: Description, plan: Plan) -> dict[str, Any]:
    """RestoreDBClusterToPointInTime: a clone of blue that has what the request takes as blue has it.

    In another account the source is known by its ARN only, and the key has to be said (Aurora User Guide,
    "Cross-account cloning with AWS RAM and Amazon Aurora").
    """
    as_is = as_there(CLUSTER, blue, plan.green_account)
    shared = {"SourceDBClusterIdentifier": blue["DBClusterArn"]}
    shared |= {"KmsKeyId": as_is["KmsKeyId"]} if blue.get("StorageEncrypted") else {}
    return (
        _tagged(_values(CLUSTER, CLONE, as_is), plan)
        | {
            "DBClusterIdentifier": plan.green_identifier,
            "SourceDBClusterIdentifier": blue["DBClusterIdentifier"],
            "RestoreType": "copy-on-write",
            "UseLatestRestorableTime": True,
        }
        | _kerberos_role(as_is)
        | (shared if plan.green_account else {})
    )


def secondary_request(source: Description, plan: Plan, engine_version: str) -> dict[str, Any]:
    """CreateDBCluster: a secondary of green's global cluster, after blue's secondary in the same Region."""
    return (
        _tagged(_values(CLUSTER, CREATE, source), plan)
        | {
            "DBClusterIdentifier": plan.green_identifier,
            "GlobalClusterIdentifier": plan.green_global_cluster,
            "EngineVersion": engine_version,
        }
        | _kerberos_role(source)
    )


def instance_request(source: Description, plan: Plan, number: int) -> dict[str, Any]:
    """CreateDBInstance: the ``number``-th instance of green, or of its secondary, after one of blue's."""
    as_is = as_there(INSTANCE, source, plan.green_account)
    return _tagged(_values(INSTANCE, INSTANCE_OF, as_is), plan) | {
        "DBInstanceIdentifier": f"{plan.green_identifier}-{number}",
        "DBClusterIdentifier": plan.green_identifier,
    }


def as_there(ways: Mapping[str, Way], described: Description, account: GreenAccount | None) -> Description:
    """A cluster or an instance of blue's as green's account has it: what names something of an account is its own."""
    if account is None:
        return described
    there = dict(described)
    for name, way in ways.items():
        if isinstance(way, Passed | Added) and way.elsewhere and name in described:
            del there[name]
            if value := way.elsewhere(account, described[name]):
                there[name] = value
    return there


def lost(ways: Mapping[str, Way], described: Description, account: GreenAccount) -> list[str]:
    """The attributes of which green has nothing, or less, since nothing stands for them in its account."""
    there = as_there(ways, described, account)
    return sorted(
        name
        for name, way in ways.items()
        if isinstance(way, Passed | Added) and way.elsewhere and name not in _NOT_MISSED
        if _size(there.get(name)) < _size(described.get(name))
    )


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list) else bool(value)


def changes(source: Description, made: Description, but: Collection[str] = ()) -> dict[str, Any]:
    """What ModifyDBCluster has to be asked so that a cluster that was made is as its source; empty when it is.

    What blue does not have is not compared, nor is "off" told from "not there": RDS returns either.
    """
    differing = {
        name
        for name, way in CLUSTER.items()
        if isinstance(way, Passed) and MODIFY in way.requests and source.get(name) is not None and name not in but
        if _comparable(way, source[name]) != _comparable(way, made.get(name))
    }
    for together in (_INSIGHTS, _MONITORING):
        if differing & together:
            differing |= together
    return _values({name: CLUSTER[name] for name in differing}, MODIFY, source)


def _comparable(way: Passed, value: Any) -> Any:
    return (way.read(value) if value is not None else None) or None


def settle(rds: Any, plan: Plan, source: Description, made: Description) -> list[str]:
    """Gives an available cluster what it can be given only now; returns what it was, nothing when it had all of it.

    It can be asked as often as one likes: what is there is not given again.
    """
    identifier = made["DBClusterIdentifier"]
    source = as_there(CLUSTER, source, plan.green_account)
    given = []
    if asked := changes(source, made, ["DBClusterParameterGroup"] if plan.has_own_groups else []):
        rds.modify_db_cluster(DBClusterIdentifier=identifier, ApplyImmediately=True, **asked)
        given += sorted(asked)
    there = {(role["RoleArn"], role.get("FeatureName")) for role in made.get("AssociatedRoles", [])}
    for role in source.get("AssociatedRoles", []):
        feature = {"FeatureName": role["FeatureName"]} if role.get("FeatureName") else {}
        if (role["RoleArn"], role.get("FeatureName")) not in there:
            with suppress(rds.exceptions.DBClusterRoleAlreadyExistsFault):  # by another attempt, at the same time
                rds.add_role_to_db_cluster(DBClusterIdentifier=identifier, RoleArn=role["RoleArn"], **feature)
            given.append("AssociatedRoles")
    if source.get("HttpEndpointEnabled") and not made.get("HttpEndpointEnabled"):
        rds.enable_http_endpoint(ResourceArn=made["DBClusterArn"])
        given.append("HttpEndpointEnabled")
    return given


def unmirrored(ways: Mapping[str, Way], described: Description) -> list[str]:
    """The findings that tell of what a cluster has and its mirror will not have."""
    return [
        way.finding
        for name, way in ways.items()
        if isinstance(way, Unmirrored) and described.get(name) and way.is_used(described[name])
    ]


def _values(ways: Mapping[str, Way], request: str, source: Description) -> dict[str, Any]:
    """The members of a request for the attributes that a source has."""
    values = {
        way.member: way.read(source[name])
        for name, way in ways.items()
        if isinstance(way, Passed) and request in way.requests and source.get(name) is not None
    }
    return {member: value for member, value in values.items() if value not in (None, [], {}, "")}


def release_tags(plan: Plan) -> list[dict[str, str]]:
    """The mark of everything that a release makes."""
    return [{"Key": RELEASE_TAG, "Value": plan.release_id}]


def _tagged(request: dict[str, Any], plan: Plan) -> dict[str, Any]:
    return request | {"Tags": [*request.get("Tags", []), *release_tags(plan)]}


def _kerberos_role(source: Description) -> dict[str, str]:
    """A domain is joined by a role, which RDS tells of with the domain."""
    roles = [each["IAMRoleName"] for each in source.get("DomainMemberships", []) if each.get("IAMRoleName")]
    return {"DomainIAMRoleName": roles[0]} if roles else {}
