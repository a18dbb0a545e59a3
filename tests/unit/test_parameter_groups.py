"""Parameter groups of green, made after blue's, against moto's RDS."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bluegreen.errors import GreenFailed, GreenNotGone
from bluegreen.model import RELEASE_TAG, Plan
from bluegreen.rds import parameter_groups
from bluegreen.rds.parameter_groups import OF_CLUSTERS, OF_INSTANCES, Kind
from local.aws.seams import rds_answers

FAMILY = "aurora-postgresql18"
BLUES = {
    "rds.logical_replication": "1",
    "work_mem": "65536",
    "db_user_namespace": "0",  # 17 has removed it
    "fsync": "on",  # not to be set at RDS
    **{f"autovacuum_{each}": "3" for each in ("max_workers", "naptime", "analyze_threshold", "vacuum_threshold")},
}


@pytest.fixture(autouse=True)
def answers() -> None:
    rds_answers.install()


@pytest.fixture(params=[OF_CLUSTERS, OF_INSTANCES], ids=["clusters", "instances"])
def kind(request: pytest.FixtureRequest, rds: Any) -> Kind:
    """A kind of groups, of which blue has one."""
    made: Kind = request.param
    create = getattr(rds, f"create_{made.operation}")
    create(
        **{f"{made.member}Name": "shop-blue"}, DBParameterGroupFamily="aurora-postgresql16", Description="of production"
    )
    modify = getattr(rds, f"modify_{made.operation}")
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in BLUES.items()]
    modify(**{f"{made.member}Name": "shop-blue"}, Parameters=parameters)
    return made


def make(rds: Any, plan: Plan, kind: Kind, **new: str) -> str:
    source = parameter_groups.read(rds, kind, "shop-blue", FAMILY)
    return parameter_groups.make(rds, plan, source, plan.green_identifier, FAMILY, new)


def test_values_of_blue_are_carried_over_and_what_has_no_place_is_told(rds: Any, plan: Plan, kind: Kind) -> None:
    source = parameter_groups.read(rds, kind, "shop-blue", FAMILY)
    assert dict(source.left_behind) == {
        "db_user_namespace": f"db_user_namespace = 0 does not exist in {FAMILY}",
        "fsync": f"fsync = on cannot be set in {FAMILY}",
    }
    name = make(rds, plan, kind, work_mem="1024", max_connections="500")
    assert name == plan.green_identifier
    assert kind.family(rds, name) == FAMILY
    kept = {key: value for key, value in BLUES.items() if key not in source.left_behind}
    assert kind.set_by_user(rds, name) == kept | {"work_mem": "1024", "max_connections": "500"}
    assert kind.set_by_user(rds, "shop-blue") == BLUES
    arn = kind.find(rds, name)
    assert {"Key": RELEASE_TAG, "Value": plan.release_id} in rds.list_tags_for_resource(ResourceName=arn)["TagList"]


def test_a_group_is_made_once_and_removed_once(rds: Any, plan: Plan, kind: Kind) -> None:
    assert make(rds, plan, kind) == make(rds, plan, kind)
    parameter_groups.delete_groups(rds, plan)
    parameter_groups.delete_groups(rds, plan)
    assert kind.find(rds, plan.green_identifier) is None
    assert kind.find(rds, "shop-blue")


def test_many_parameters_are_sent_in_parts(rds: Any, plan: Plan, kind: Kind) -> None:
    sizes: list[int] = []
    operation = {OF_CLUSTERS: "ModifyDBClusterParameterGroup", OF_INSTANCES: "ModifyDBParameterGroup"}[kind]
    rds.meta.events.register(
        f"provide-client-params.rds.{operation}", lambda params, **_: sizes.append(len(params["Parameters"]))
    )
    settable = [name for name, can in kind.settable(rds, FAMILY).items() if can][:45]
    kind.make(rds, plan, plan.green_identifier, FAMILY, dict.fromkeys(settable, "1"))
    assert sizes == [20, 20, 5]
    assert len(kind.set_by_user(rds, plan.green_identifier)) == 45


def test_a_group_of_the_same_name_that_another_has_made_is_not_touched(rds: Any, plan: Plan, kind: Kind) -> None:
    make(rds, dataclasses.replace(plan, release_id="20261123-0405-000000"), kind)
    before = kind.set_by_user(rds, plan.green_identifier)
    with pytest.raises(GreenFailed, match="not touched"):
        make(rds, plan, kind, work_mem="1")
    with pytest.raises(GreenFailed, match="not touched"):
        parameter_groups.delete_groups(rds, plan)
    assert kind.set_by_user(rds, plan.green_identifier) == before


def test_a_group_that_is_in_use_still_is_removed_later(
    rds: Any, plan: Plan, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(rds, plan, kind)

    def refuse(**_: Any) -> None:
        raise rds.exceptions.InvalidDBParameterGroupStateFault({"Error": {}}, "Delete")

    with monkeypatch.context() as patched:
        patched.setattr(rds, f"delete_{kind.operation}", refuse)
        with pytest.raises(GreenNotGone, match="in use"):
            kind.delete(rds, plan, plan.green_identifier)
    kind.delete(rds, plan, plan.green_identifier)
    assert kind.find(rds, plan.green_identifier) is None


def test_where_blue_has_the_group_of_rds_itself_green_has_that_of_its_family(rds: Any, plan: Plan, kind: Kind) -> None:
    source = parameter_groups.read(rds, kind, "default.aurora-postgresql16", FAMILY)
    assert parameter_groups.make(rds, plan, source, plan.green_identifier, FAMILY, {}) == f"default.{FAMILY}"
    assert kind.find(rds, plan.green_identifier) is None
    name = plan.green_identifier
    assert parameter_groups.make(rds, plan, source, name, FAMILY, {"work_mem": "1"}) == name


def test_with_a_cluster_that_ends_only_groups_go_that_a_release_has_made(rds: Any, plan: Plan, kind: Kind) -> None:
    make(rds, plan, kind)
    for cluster in ("shop-blue", plan.green_identifier, "shop-of-nobody"):
        parameter_groups.delete_groups_of(rds, cluster)
    assert kind.find(rds, "shop-blue"), "it is the user's own, though it is named as the cluster"
    assert kind.find(rds, plan.green_identifier) is None
