"""Green is made: a clone of blue, and its instances."""

from __future__ import annotations

from ..errors import BlueNotFound, GreenNotReady
from ..model import Cluster, Plan
from . import mirroring, parameter_groups
from .aurora import Description, describe_cluster, endpoint, make_instances, require_available
from .sides import Rds


def clone_blue(rds: Rds, plan: Plan) -> Cluster:
    """Clones blue, then makes green's instances after blue's, which a clone does not bring.

    Asked again until the clone can take instances: raises ``GreenNotReady`` before that.
    """
    blue = describe_cluster(rds.blue, plan.blue.identifier)
    if blue is None:
        raise BlueNotFound(f"There is no cluster {plan.blue.identifier}.")
    groups = parameter_groups.names_for_clone(rds.blue, plan, blue) if plan.green_account else {}
    of_instances = groups.pop("DBInstanceParameterGroupName", "")
    green = describe_cluster(rds.green, plan.green_identifier) or _clone(rds, plan, blue, groups)
    require_available("Cluster", plan.green_identifier, green["Status"])
    make_instances(rds, plan, plan.blue.identifier, of_instances)
    return endpoint(green)


def _clone(rds: Rds, plan: Plan, blue: Description, groups: dict[str, str]) -> Description:
    if groups:
        parameter_groups.make_for_clone(rds, plan, blue)
    try:
        made: Description = rds.green.restore_db_cluster_to_point_in_time(
            **mirroring.clone_request(blue, plan) | groups
        )["DBCluster"]
    except rds.green.exceptions.DBClusterAlreadyExistsFault:  # by another attempt, at the same time
        raise GreenNotReady(f"The cluster {plan.green_identifier} was made just now.") from None
    return made
