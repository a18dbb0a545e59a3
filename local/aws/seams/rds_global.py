"""Global databases: their clusters are in several Regions, each with a backend and servers of its own.

moto keeps global clusters in one Region, looks for a source in that Region only, and swallows the errors of removing a
member. Here a global cluster is made of a cluster of any Region, its secondaries are standby servers of that one's, and
a secondary that is taken out is promoted, which takes a while.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import Any, cast

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.rds.exceptions import (
    InvalidDBClusterStateFault,
    InvalidGlobalClusterStateFault,
    InvalidParameterCombination,
    RDSClientError,
)
from moto.rds.models import GlobalCluster, rds_backends
from moto.rds.responses import RDSResponse

from local.aws.seams.knobs import Compute
from local.aws.seams.rds_records import Cluster
from local.postgres.servers import Server
from local.postgres.standby import follow, promote

_LOCK = threading.Lock()
"""Held while the list of global clusters is read or changed: requests come in on many threads."""

_HOME = "us-east-1"
"""Where moto keeps what belongs to no Region."""


def global_clusters() -> MutableMapping[str, GlobalCluster]:
    """All of them, by name."""
    return rds_backends[DEFAULT_ACCOUNT_ID][_HOME].global_clusters


def install() -> None:
    """moto looks its answers up by name."""
    for answer in (
        create_global_cluster,
        describe_global_clusters,
        modify_global_cluster,
        remove_from_global_cluster,
        delete_global_cluster,
        add_tags_to_resource,
        remove_tags_from_resource,
    ):
        setattr(RDSResponse, answer.__name__, answer)


def primary_of(identifier: str) -> Cluster:
    """The primary of a global cluster that a secondary can be added to."""
    members = _found(identifier).members
    if not members:
        raise InvalidGlobalClusterStateFault(identifier)
    primary = cast(Cluster, members[0])
    if primary.status != "available":
        raise InvalidDBClusterStateFault(f"DbCluster {primary.resource_id} is in {primary.status} state")
    return primary


def standby(aurora: Compute, cluster: Cluster, parameters: dict[str, str]) -> Server:
    """The server of a secondary: it follows that of the primary, in whatever Region."""
    primary = primary_of(str(cluster.global_cluster_identifier))
    source = primary.backend.aurora.servers[primary.db_cluster_identifier]
    folder = aurora.folder / cluster.db_cluster_identifier
    return follow(source, folder, cluster.address, aurora.region, parameters)


def refuse_member(cluster: Any) -> None:
    """A member of a global cluster can be neither deleted nor stopped."""
    if cluster.global_cluster_identifier:
        raise InvalidDBClusterStateFault("This cluster is a part of a global cluster, please remove it from it first")


def _found(identifier: str) -> GlobalCluster:
    found = global_clusters().get(identifier)
    if found is None:
        raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {identifier} not found")
    return found


def _member(arn: str) -> Cluster:
    backend: Any = rds_backends[DEFAULT_ACCOUNT_ID][arn.split(":")[3]]
    [cluster] = backend.describe_db_clusters(arn)
    return cast(Cluster, cluster)


def create_global_cluster(self: RDSResponse) -> ActionResult:
    """Of a source that is available, in whatever Region."""
    params = self.params
    identifier = params["GlobalClusterIdentifier"]
    if identifier in global_clusters():
        raise RDSClientError("GlobalClusterAlreadyExistsFault", f"Global cluster {identifier} exists already")
    source = _member(params["SourceDBClusterIdentifier"])
    refuse_member(source)
    if source.status != "available":
        raise InvalidDBClusterStateFault(f"DbCluster {source.resource_id} is in {source.status} state")
    home = rds_backends[DEFAULT_ACCOUNT_ID][_HOME]
    made = GlobalCluster(
        home,
        identifier,
        source.engine,
        source.engine_version,
        storage_encrypted=source.storage_encrypted,
        deletion_protection=params.get("DeletionProtection"),
    )
    made.tags = params.get("Tags", [])
    made.members.append(source)
    source.is_writer = True
    source.global_cluster_identifier = identifier
    with _LOCK:
        global_clusters()[identifier] = made
    return ActionResult({"GlobalCluster": made})


def describe_global_clusters(self: RDSResponse) -> ActionResult:
    """All, or one."""
    name = self.params.get("GlobalClusterIdentifier")
    with _LOCK:
        all_of_them = list(global_clusters().values())
    return ActionResult({"GlobalClusters": [_found(name)] if name else all_of_them})


_OF_ALL_ELSE = {name: getattr(RDSResponse, name) for name in ("add_tags_to_resource", "remove_tags_from_resource")}
"""moto's own, which looks in one Region only, and says nothing when there is nothing of that name."""


def add_tags_to_resource(self: RDSResponse) -> Any:
    """To a global cluster in its Region."""
    if (name := _global_name(self)) is None:
        return _OF_ALL_ELSE["add_tags_to_resource"](self)
    _found(name).add_tags(self.params["Tags"])
    return ActionResult({})


def remove_tags_from_resource(self: RDSResponse) -> Any:
    """From a global cluster in its Region."""
    if (name := _global_name(self)) is None:
        return _OF_ALL_ELSE["remove_tags_from_resource"](self)
    _found(name).remove_tags(self.params["TagKeys"])
    return ActionResult({})


def _global_name(response: RDSResponse) -> str | None:
    arn = str(response.params["ResourceName"])
    return arn.rpartition(":")[2] if ":global-cluster:" in arn else None


def modify_global_cluster(self: RDSResponse) -> ActionResult:
    """Its protection."""
    found = _found(self.params["GlobalClusterIdentifier"])
    found.deletion_protection = self.params.get("DeletionProtection", found.deletion_protection)
    return ActionResult({"GlobalCluster": found})


def remove_from_global_cluster(self: RDSResponse) -> ActionResult:
    """A secondary is promoted, in the background; the primary goes last."""
    found = _found(self.params["GlobalClusterIdentifier"])
    cluster = _member(self.params["DbClusterIdentifier"])
    if cluster not in found.members:
        raise RDSClientError("DBClusterNotFoundFault", f"{cluster.db_cluster_identifier} is not a member")
    if cluster.status != "available":
        raise InvalidDBClusterStateFault(f"DbCluster {cluster.resource_id} is in {cluster.status} state")
    if cluster.is_writer and len(found.members) > 1:
        raise InvalidGlobalClusterStateFault(found.global_cluster_arn)
    cluster.status = "promoting"
    aurora: Compute = cluster.backend.aurora
    aurora.in_background(_finish_removal, aurora, found, cluster)
    return ActionResult({"GlobalCluster": found})


def _finish_removal(aurora: Compute, found: GlobalCluster, cluster: Cluster) -> None:
    if not aurora.pause(aurora.latency_s / 4):
        return
    if server := aurora.servers.get(cluster.db_cluster_identifier):
        promote(server)
    with aurora.lock:
        cluster.is_writer = False
        cluster.global_cluster_identifier = None
        found.members.remove(cluster)
        cluster.status = "available"


def delete_global_cluster(self: RDSResponse) -> ActionResult:
    """Only an empty one."""
    found = _found(self.params["GlobalClusterIdentifier"])
    if found.deletion_protection:
        raise InvalidParameterCombination("Cannot delete protected global cluster")
    if found.members:
        raise InvalidGlobalClusterStateFault(found.global_cluster_arn)
    with _LOCK:
        del global_clusters()[found.global_cluster_identifier]
    return ActionResult({"GlobalCluster": found})
