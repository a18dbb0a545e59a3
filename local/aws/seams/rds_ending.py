"""RDS at the end of a cluster: snapshots that take their time, clusters that are stopped and started, and refusals.

moto has a snapshot available at once and a cluster stopped without anything being stopped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.rds.exceptions import InvalidDBClusterStateFault, InvalidParameterCombination, RDSClientError
from moto.rds.models import DBCluster, DBClusterSnapshot, DBInstance, RDSBackend

from local.aws.seams import events, rds_global
from local.aws.seams.knobs import Compute
from local.aws.seams.rds_records import Cluster, Instance


def refuse(failure: str | None) -> None:
    """`EmbeddedAurora.fail_next` may name an error of RDS instead of a status: those begin with a capital letter."""
    if failure and failure[0].isupper():
        raise RDSClientError(failure, f"{failure}: as fail_next wants it")


class Endings(RDSBackend):
    """What `local.aws.seams.rds.Backend` is when a cluster comes to its end."""

    aurora: Compute
    lock: Any

    def create_db_cluster_snapshot(
        self,
        db_cluster_identifier: str,
        db_cluster_snapshot_identifier: str,
        snapshot_type: str = "manual",
        tags: list[dict[str, str]] | None = None,
    ) -> DBClusterSnapshot:
        """One that is asked for is `creating` at first, and ends as `fail_next` wants it."""
        if snapshot_type != "manual":
            return super().create_db_cluster_snapshot(
                db_cluster_identifier, db_cluster_snapshot_identifier, snapshot_type, tags
            )
        with self.lock:
            [cluster] = self.describe_db_clusters(db_cluster_identifier)
            require(cluster, "available")
            failure = self.aurora.take_failure(db_cluster_snapshot_identifier)
            refuse(failure)
            snapshot = super().create_db_cluster_snapshot(
                db_cluster_identifier, db_cluster_snapshot_identifier, snapshot_type, tags
            )
            snapshot.status, snapshot.percent_progress = "creating", 0
        self.aurora.in_background(self._finish_snapshot, snapshot, failure or "available")
        return snapshot

    def _finish_snapshot(self, snapshot: DBClusterSnapshot, status: str) -> None:
        if self.aurora.pause(self.aurora.latency_s):
            with self.lock:
                snapshot.status, snapshot.percent_progress = status, 100 if status == "available" else 0

    def stop_db_cluster(self, cluster_identifier: str) -> DBCluster:
        """The server stops; instances stay, and cannot be changed meanwhile. A member of a global cluster cannot."""
        with self.lock:
            [cluster] = self.describe_db_clusters(cluster_identifier)
            rds_global.refuse_member(cluster)
            require(cluster, "available")
            set_status(cluster, "stopping")
        self.aurora.in_background(self._finish_stopping, cluster)
        return cluster

    def _finish_stopping(self, cluster: DBCluster) -> None:
        if self.aurora.pause(self.aurora.latency_s / 4):
            with self.lock:
                if server := self.aurora.servers.get(cluster.db_cluster_identifier):
                    server.stop()
                set_status(cluster, "stopped")

    def start_db_cluster(self, cluster_identifier: str) -> DBCluster:
        """The server starts, if the cluster has an instance."""
        with self.lock:
            [cluster] = self.describe_db_clusters(cluster_identifier)
            require(cluster, "stopped")
            set_status(cluster, "starting")
        self.aurora.in_background(self._finish_starting, cluster)
        return cluster

    def _finish_starting(self, cluster: DBCluster) -> None:
        if self.aurora.pause(self.aurora.latency_s / 4):
            with self.lock:
                if cluster.members:
                    self.aurora.servers[cluster.db_cluster_identifier].start()
                set_status(cluster, "available")

    def start_after_seven_days(self, identifier: str) -> None:
        """What AWS does with a cluster that has been stopped for seven days: it says so, and starts it."""
        with self.lock:
            [cluster] = self.describe_db_clusters(identifier)
            require(cluster, "stopped")
        detail = {
            "EventCategories": ["notification"],
            "SourceType": "CLUSTER",
            "SourceArn": cluster.db_cluster_arn,
            "Date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "SourceIdentifier": identifier,
            "Message": "DB cluster is being started due to it exceeding the maximum allowed time being stopped.",
            "EventID": "RDS-EVENT-0153",
        }
        events.put(self.region_name, "aws.rds", "RDS DB Cluster Event", detail)
        self.start_db_cluster(identifier)

    def delete_db_cluster(self, cluster_identifier: str, snapshot_name: str | None = None) -> DBCluster:
        """Possible once all instances are being deleted; the cluster goes when they have gone."""
        with self.lock:
            [cluster] = self.describe_db_clusters(cluster_identifier)
            refuse_while_busy(cluster)
            rds_global.refuse_member(cluster)
            if cluster.deletion_protection:
                raise InvalidParameterCombination("Cannot delete protected Cluster, please disable deletion protection")
            if any(member.status != "deleting" for member in cluster.members):
                raise InvalidDBClusterStateFault("Cluster cannot be deleted, it still contains DB instances")
            if snapshot_name:
                self.create_db_cluster_snapshot(cluster_identifier, snapshot_name)
            cluster.status = "deleting"
        self.aurora.in_background(self._finish_deleting, cluster)
        return cluster

    def _finish_deleting(self, cluster: Cluster) -> None:
        identifier = cluster.db_cluster_identifier
        while self.aurora.pause(max(self.aurora.latency_s / 4, 0.01)):
            if not cluster.members:
                with self.lock:
                    server = self.aurora.servers.pop(identifier, None)
                if server:
                    server.remove()
                with self.lock:
                    for snapshot in self.describe_db_cluster_snapshots(identifier, "", "automated"):
                        self.delete_db_cluster_snapshot(snapshot.db_cluster_snapshot_identifier)
                    super().delete_db_cluster(identifier)
                return

    def delete_db_instance(self, db_instance_identifier: str, *arguments: Any, **keywords: Any) -> DBInstance:
        """The server stops with the last instance of its cluster."""
        with self.lock:
            [instance] = self.describe_db_instances(db_instance_identifier)
            if instance.status == "deleting":
                raise RDSClientError("InvalidDBInstanceState", "Instance is already being deleted.")
            if instance.status in ("stopping", "stopped", "starting", "rebooting", "upgrading"):
                raise RDSClientError("InvalidDBInstanceState", f"Instance is {instance.status}.")
            if instance.deletion_protection:
                raise InvalidParameterCombination("Cannot delete protected DB Instance")
            instance.status = "deleting"
        self.aurora.in_background(self._finish_deleting_instance, instance)
        return instance

    def _finish_deleting_instance(self, instance: Instance) -> None:
        if not self.aurora.pause(self.aurora.latency_s / 4):
            return
        with self.lock:
            super().delete_db_instance(instance.db_instance_identifier)
            server = self.aurora.servers.get(instance.cluster.db_cluster_identifier)
            if server and not server.follows and not instance.cluster.members:
                server.stop("immediate")


def set_status(cluster: DBCluster, status: str) -> None:
    """Of a cluster and its instances."""
    cluster.status = status
    for member in cluster.members:
        member.status = status


def require(cluster: DBCluster, status: str) -> None:
    """RDS refuses what a cluster's status does not allow."""
    if cluster.status != status:
        raise InvalidDBClusterStateFault(f"DbCluster {cluster.resource_id} is in {cluster.status} state")


def refuse_while_busy(cluster: DBCluster) -> None:
    """Most of what can be asked of a cluster wants it to stand still, and not stopped."""
    if cluster.status in ("creating", "deleting", "upgrading", "stopping", "stopped", "starting"):
        raise InvalidDBClusterStateFault(f"DbCluster {cluster.resource_id} is in {cluster.status} state")
