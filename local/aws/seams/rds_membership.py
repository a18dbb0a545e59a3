"""Global clusters that know their members, in the Region of the embedded Aurora; moto keeps them in us-east-1."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import InvalidGlobalClusterStateFault, InvalidParameterCombination, RDSClientError
from moto.rds.models import DBCluster, GlobalCluster, RDSBackend
from moto.rds.responses import RDSResponse

from local.aws.seams.knobs import Compute


class Memberships(RDSBackend):
    """What `local.aws.seams.rds.Backend` knows of global clusters."""

    aurora: Compute
    lock: Any

    def global_cluster(self, identifier: str) -> GlobalCluster:
        """One of this name; moto would end in a KeyError."""
        if identifier not in self.global_clusters:
            raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {identifier} not found")
        return self.global_clusters[identifier]

    def create_global_cluster(self, *arguments: Any, **keywords: Any) -> GlobalCluster:
        """Its source is its writer, which moto leaves out."""
        with self.lock:
            made = super().create_global_cluster(*arguments, **keywords)
            for member in made.members:
                member.is_writer = True
            return made

    def remove_from_global_cluster(self, global_cluster_identifier: str, db_cluster_identifier: str) -> GlobalCluster:
        """A member leaves after a while; the primary last."""
        with self.lock:
            found = self.global_cluster(global_cluster_identifier)
            [cluster] = self.describe_db_clusters(db_cluster_identifier)
            if cluster not in found.members:
                raise RDSClientError("DBClusterNotFoundFault", f"{db_cluster_identifier} is not in {found.arn}")
            if cluster.is_writer and len(found.members) > 1:
                raise InvalidGlobalClusterStateFault(found.arn)
        self.aurora.in_background(self._finish_leaving, found, cluster)
        return found

    def _finish_leaving(self, found: GlobalCluster, cluster: DBCluster) -> None:
        if self.aurora.pause(self.aurora.latency_s / 4):
            with self.lock:
                if cluster in found.members:  # asked twice, it leaves once
                    found.members.remove(cluster)
                cluster.global_cluster_identifier = None

    def delete_global_cluster(self, global_cluster_identifier: str) -> GlobalCluster:
        """An empty one that is not protected."""
        with self.lock:
            if self.global_cluster(global_cluster_identifier).deletion_protection:
                raise InvalidParameterCombination("Cannot delete protected Global Cluster")
            return super().delete_global_cluster(global_cluster_identifier)


_of_moto: Any = vars(RDSResponse)["global_backend"]


def _global_backend(self: RDSResponse) -> Any:
    """The embedded Aurora's own where there is one."""
    return self.backend if isinstance(self.backend, Memberships) else _of_moto.__get__(self)


def describe_global_clusters(self: RDSResponse) -> ActionResult:
    """All of them, or the one that is asked for."""
    backend, wanted = _global_backend(self), self.params.get("GlobalClusterIdentifier")
    if wanted and wanted not in backend.global_clusters:
        raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {wanted} not found")
    found = backend.describe_global_clusters()
    return ActionResult({"GlobalClusters": [each for each in found if wanted in (None, each.resource_id)]})


def modify_global_cluster(self: RDSResponse) -> ActionResult:
    """Its protection."""
    found = _global_backend(self).global_clusters[self.params["GlobalClusterIdentifier"]]
    found.deletion_protection = self.params.get("DeletionProtection", found.deletion_protection)
    return ActionResult({"GlobalCluster": found})


def install() -> None:
    """moto looks its answers up by name."""
    setattr(RDSResponse, "global_backend", property(_global_backend))  # noqa: B010 - mypy forbids the assignment
    for answer in (describe_global_clusters, modify_global_cluster):
        setattr(RDSResponse, answer.__name__, answer)
