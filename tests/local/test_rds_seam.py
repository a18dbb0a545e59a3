"""What `local.aws.seams.rds` takes from inside moto is still there."""

from __future__ import annotations

import inspect

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.rds import models

REGION = "eu-west-2"


def test_moto_is_still_built_as_the_seam_needs_it() -> None:
    """A version of moto in which one of these changed needs `local.aws.seams.rds` looked at."""
    expected = {
        "create_db_cluster": ["self", "kwargs"],
        "create_db_cluster_parameter_group": [
            "self",
            "db_cluster_parameter_group_name",
            "db_parameter_group_family",
            "description",
            "tags",
        ],
        "create_db_cluster_snapshot": [
            "self",
            "db_cluster_identifier",
            "db_cluster_snapshot_identifier",
            "snapshot_type",
            "tags",
        ],
        "create_db_instance": ["self", "db_kwargs"],
        "create_db_parameter_group": ["self", "db_parameter_group_kwargs"],
        "delete_db_cluster": ["self", "cluster_identifier", "snapshot_name"],
        "delete_db_instance": [
            "self",
            "db_instance_identifier",
            "final_db_snapshot_identifier",
            "skip_final_snapshot",
            "delete_automated_backups",
        ],
        "describe_db_clusters": ["self", "db_cluster_identifier", "filters"],
        "describe_db_instances": ["self", "db_instance_identifier", "filters"],
        "modify_db_cluster": ["self", "kwargs"],
        "restore_db_cluster_to_point_in_time": [
            "self",
            "db_cluster_identifier",
            "source_db_cluster_identifier",
            "restore_type",
            "restore_to_time",
            "use_latest_restorable_time",
            "overrides",
        ],
        "reset": ["self"],
    }
    found = {name: list(inspect.signature(getattr(models.RDSBackend, name)).parameters) for name in expected}
    assert found == expected
    for owner, properties in {
        models.DBCluster: ["status", "endpoint", "reader_endpoint", "_members", "members"],
        models.DBInstance: ["endpoint"],
    }.items():
        for name in properties:
            assert isinstance(inspect.getattr_static(owner, name), property)
    backend = models.RDSBackend(REGION, DEFAULT_ACCOUNT_ID)
    for name in ("clusters", "databases", "db_cluster_parameter_groups"):
        assert len(getattr(backend, name)) == 0
    source = inspect.getsource(models.DBCluster.__init__)
    for attribute in ("self._status = ", "self.parameter_group = ", "self.deletion_protection = ", "self.port = "):
        assert attribute in source
