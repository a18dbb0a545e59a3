"""Clusters that AWS RAM shares with another account, which may clone them; moto keeps accounts wholly apart.

As in the Aurora User Guide, "Cross-account cloning with AWS RAM and Amazon Aurora": the source is named by its ARN, one
that is not shared is as one that does not exist, and a clone of an encrypted cluster has to be given a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBCluster, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from local.aws.seams.patching import Seams


class SharedClusters:
    """Which clusters, by ARN, are shared with which account."""

    def __init__(self) -> None:
        self._shares: set[tuple[str, str]] = set()

    def share(self, arn: str, account: str) -> None:
        """Let an account clone a cluster of another one; the invitation has been accepted."""
        self._shares.add((arn, account))

    def install(self, seams: Seams) -> None:
        """Until the seams are taken out."""
        seams.wrap(RDSBackend, "describe_db_clusters", self._find)
        seams.wrap(RDSBackend, "restore_db_cluster_to_point_in_time", self._restore)
        seams.wrap(RDSResponse, "describe_db_clusters", self._list)

    def _find(
        self,
        original: Callable[..., Any],
        backend: RDSBackend,
        db_cluster_identifier: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> list[DBCluster]:
        """Also one of another account's, by its ARN."""
        if (db_cluster_identifier, backend.account_id) in self._shares:
            return [_cluster(str(db_cluster_identifier))]
        found: list[DBCluster] = original(backend, db_cluster_identifier, *rest, **more)
        return found

    def _restore(
        self,
        original: Callable[..., Any],
        backend: RDSBackend,
        name: str = "",
        source: str = "",
        *rest: Any,
        **more: Any,
    ) -> DBCluster:
        name = more.pop("db_cluster_identifier", name)
        source = more.pop("source_db_cluster_identifier", source)
        is_shared = (source, backend.account_id) in self._shares
        if is_shared and _cluster(source).storage_encrypted and not more.get("kms_key_id"):
            raise RDSClientError("KMSKeyNotAccessibleFault", "A clone of an encrypted cluster needs a key.")
        made: DBCluster = original(backend, name, source, *rest, **more)
        return made

    def _list(self, original: Callable[..., Any], response: RDSResponse) -> ActionResult:
        """With those that are shared, of which little can be seen."""
        answer: ActionResult = original(response)
        if not response.params.get("IncludeShared"):
            return answer
        here = (response.backend.account_id, response.backend.region_name)
        shared = [_cluster(arn) for arn, account in sorted(self._shares) if (account, arn.split(":")[3]) == here]
        seen = [
            {
                "DBClusterArn": each.db_cluster_arn,
                "Engine": each.engine,
                "EngineVersion": each.engine_version,
                "StorageEncrypted": each.storage_encrypted,
            }
            for each in shared
        ]
        result: Any = answer.result
        return ActionResult({"DBClusters": [*result["DBClusters"], *seen]})


def _cluster(arn: str) -> DBCluster:
    """By the backend of its own account."""
    _, _, _, region, account, _, identifier = arn.split(":")
    return rds_backends[account][region].clusters[identifier]
