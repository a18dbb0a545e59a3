"""What RDS is asked for when green is upgraded, and what its answers mean; the upgrade itself is in tests/local."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bluegreen import evidence
from bluegreen.errors import GreenFailed, GreenNotReady
from bluegreen.model import Plan
from bluegreen.preflight import of_upgrade
from bluegreen.rds import aurora, upgrade
from bluegreen.rds.sides import Rds
from local.aws.seams import rds_answers, rds_engines


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What RDS tells of each cluster beside what moto knows."""
    more: dict[str, dict[str, Any]] = {}
    original = aurora.describe_cluster

    def describe(rds: Any, identifier: str) -> Any:
        found = original(rds, identifier)
        return found and found | more.get(identifier, {})

    for module in (aurora, upgrade):
        monkeypatch.setattr(module, "describe_cluster", describe)
    return more


@pytest.fixture
def clusters(rds: Any, plan: Plan, described: dict[str, dict[str, Any]]) -> None:
    """Blue at 16, and its clone; moto asks for no state and lets every request come true at once."""
    rds_answers.install()
    for operation, member in (
        ("db_cluster_parameter_group", "DBClusterParameterGroup"),
        ("db_parameter_group", "DBParameterGroup"),
    ):
        create = getattr(rds, f"create_{operation}")
        create(**{f"{member}Name": "shop-blue"}, DBParameterGroupFamily="aurora-postgresql16", Description="-")
    for identifier in ("shop-blue", plan.green_identifier):
        rds.create_db_cluster(
            DBClusterIdentifier=identifier,
            Engine="aurora-postgresql",
            EngineVersion="16.1",
            MasterUsername="postgres",
            MasterUserPassword="not-a-secret",
            DBClusterParameterGroupName="shop-blue",
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{identifier}-1",
            DBClusterIdentifier=identifier,
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            DBParameterGroupName="shop-blue",
        )
        rds.describe_db_clusters(DBClusterIdentifier=identifier)  # from here on it is available


def wanting(plan: Plan, version: str = "", **parameters: str) -> Plan:
    return dataclasses.replace(plan, engine_version=version, parameters=parameters)


def ask(rds: Any, plan: Plan) -> dict[str, Any]:
    return upgrade.upgrade_green(Rds.of_one(rds), plan, sleep=lambda _: None)


def requests(rds: Any, operation: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    rds.meta.events.register(f"provide-client-params.rds.{operation}", lambda params, **_: sent.append(dict(params)))
    return sent


@pytest.mark.usefixtures("clusters")
def test_a_major_upgrade_is_asked_for_with_both_groups_of_the_new_family_and_once(rds: Any, plan: Plan) -> None:
    version = rds_engines.versions()[18]
    sent = requests(rds, "ModifyDBCluster")
    first = ask(rds, wanting(plan, version, work_mem="1024"))
    assert sent == [
        {
            "DBClusterIdentifier": plan.green_identifier,
            "ApplyImmediately": True,
            "DBClusterParameterGroupName": plan.green_identifier,
            "DBInstanceParameterGroupName": plan.green_identifier,
            "EngineVersion": version,
            "AllowMajorVersionUpgrade": True,
        }
    ]
    assert first == {
        "version": version,
        "family": "aurora-postgresql18",
        "is_upgrade": True,
        "is_major": True,
        "was": "16.1",
        "group": plan.green_identifier,
        "left_behind": [],
    }
    assert ask(rds, wanting(plan, version, work_mem="1024")) == first
    assert len(sent) == 1


@pytest.mark.usefixtures("clusters")
def test_a_minor_upgrade_stays_in_the_family_and_with_blues_instance_group(rds: Any, plan: Plan) -> None:
    sent = requests(rds, "ModifyDBCluster")
    version = rds_engines.versions()[16]
    assert ask(rds, wanting(plan, version))["family"] == "aurora-postgresql16"
    assert sent[0]["AllowMajorVersionUpgrade"] is False
    assert "DBInstanceParameterGroupName" not in sent[0]


@pytest.mark.usefixtures("clusters")
def test_new_parameters_alone_are_no_upgrade(rds: Any, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "UNDER_WAY_S", 0)
    sent = requests(rds, "ModifyDBCluster")
    assert ask(rds, wanting(plan, work_mem="1024"))["is_upgrade"] is False
    assert sent[0].keys() == {"DBClusterIdentifier", "ApplyImmediately", "DBClusterParameterGroupName"}
    assert upgrade.require_upgraded(Rds.of_one(rds), plan, "16.1").identifier == plan.green_identifier


@pytest.mark.usefixtures("clusters")
def test_a_request_that_rds_does_not_begin_with_is_not_taken_for_an_upgrade_that_failed(
    rds: Any, plan: Plan, described: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade, "UNDER_WAY_S", 0)
    described[plan.green_identifier] = {"EngineVersion": "16.1"}
    wanted = wanting(plan, rds_engines.versions()[18])
    with pytest.raises(GreenNotReady, match="has not begun"):
        ask(rds, wanted)
    described[plan.green_identifier] = {"EngineVersion": "16.1", "Status": "upgrading"}
    sent = requests(rds, "ModifyDBCluster")
    assert ask(rds, wanted)["version"] == wanted.engine_version
    assert sent == []


@pytest.mark.usefixtures("clusters")
def test_waiting_tells_upgrading_pending_and_taken_back_apart(
    rds: Any, plan: Plan, described: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = described.setdefault(plan.green_identifier, {})
    now["Status"] = "upgrading"
    with pytest.raises(GreenNotReady, match="upgrading"):
        upgrade.require_upgraded(Rds.of_one(rds), plan, "18.4")
    now |= {"Status": "available", "PendingModifiedValues": {"EngineVersion": "18.4"}}
    with pytest.raises(GreenNotReady, match="yet to be upgraded"):
        upgrade.require_upgraded(Rds.of_one(rds), plan, "18.4")
    now["PendingModifiedValues"] = {}
    monkeypatch.setitem(rds_engines.LOGS, plan.green_identifier, "…" * upgrade.LOG_CHARACTERS + "public.r.p")
    with pytest.raises(GreenFailed, match=r"went back(.|\n)*pg_upgrade_precheck\.log:\n  …+public\.r\.p") as failed:
        upgrade.require_upgraded(Rds.of_one(rds), plan, "18.4")
    assert len(str(failed.value)) < upgrade.LOG_CHARACTERS + 500
    monkeypatch.delitem(rds_engines.LOGS, plan.green_identifier)
    with pytest.raises(GreenFailed, match="left no log"):
        upgrade.require_upgraded(Rds.of_one(rds), plan, "18.4")
    now["Status"] = "incompatible-parameters"
    with pytest.raises(GreenFailed, match="incompatible-parameters"):
        upgrade.require_upgraded(Rds.of_one(rds), plan, "18.4")


@pytest.mark.usefixtures("clusters")
def test_instances_that_wait_for_a_reboot_are_rebooted(
    rds: Any, plan: Plan, described: dict[str, dict[str, Any]]
) -> None:
    name = f"{plan.green_identifier}-1"
    pending = [
        {"DBInstanceIdentifier": name, "IsClusterWriter": True, "DBClusterParameterGroupStatus": "pending-reboot"}
    ]
    described[plan.green_identifier] = {"DBClusterMembers": pending}
    sent = requests(rds, "RebootDBInstance")
    with pytest.raises(GreenNotReady, match="rebooted"):
        upgrade.require_upgraded(Rds.of_one(rds), plan, "16.1")
    assert sent == [{"DBInstanceIdentifier": name}]


@pytest.mark.usefixtures("clusters")
def test_what_rds_would_refuse_is_found_beforehand(rds: Any, plan: Plan) -> None:
    blue = aurora.describe_cluster(rds, "shop-blue")
    assert blue
    instances = aurora.describe_instances(rds, "shop-blue")

    def found(wanted: Plan, members: list[Any] = instances) -> dict[str, list[str]]:
        result: dict[str, list[str]] = {}
        for each in of_upgrade.look(rds, wanted, blue, members):
            result.setdefault(each.id, []).append(f"{each.name}; {each.fix}")
        return result

    targets = ", ".join(rds_engines.targets("16.1"))
    assert found(plan) == found(wanting(plan, "16.1")) == found(wanting(plan, rds_engines.versions()[18])) == {}
    assert found(wanting(plan, "15.4")) == {
        "engine-version-not-a-target": [f"15.4, from 16.1; set engine_version in the input to one of: {targets}"]
    }
    unknown = found(wanting(plan, work_mem="1", fsync="off", wrok_mem="1"))["parameter-not-settable"]
    assert [each.split(";")[0] for each in unknown] == [
        "fsync in aurora-postgresql16",
        "wrok_mem in aurora-postgresql16",
    ]
    for modify in (rds.modify_db_cluster_parameter_group, rds.modify_db_parameter_group):
        key = (
            "DBClusterParameterGroupName" if modify == rds.modify_db_cluster_parameter_group else "DBParameterGroupName"
        )
        modify(**{key: "shop-blue"}, Parameters=[{"ParameterName": "db_user_namespace", "ParameterValue": "0"}])
    other = instances[0] | {
        "DBInstanceIdentifier": "shop-blue-2",
        "DBParameterGroups": [{"DBParameterGroupName": "reports", "ParameterApplyStatus": "in-sync"}],
    }
    at_18 = found(wanting(plan, rds_engines.versions()[18]), [*instances, other])
    assert len(at_18["parameter-left-behind"]) == 2
    assert at_18["instances-of-different-groups"][0].startswith("shop-blue-2 of reports, not of shop-blue;")


def test_the_approver_is_told_what_is_not_as_on_blue(plan: Plan) -> None:
    assert evidence.upgrade_lines(plan, {}) == []
    made = {
        "version": "18.4",
        "was": "16.1",
        "is_upgrade": True,
        "group": plan.green_identifier,
        "left_behind": ["db_user_namespace = 0 does not exist in aurora-postgresql18"],
    }
    extensions = {"app": {"updated": ["vector 0.8.4 to 0.8.5"], "left": []}, "crm": {"updated": [], "left": ["x: no"]}}
    lines = evidence.upgrade_lines(wanting(plan, "18.4", work_mem="1"), {"upgrade": made, "extensions": extensions})
    assert lines == [
        "Engine:       18.4, upgraded from 16.1",
        f"Parameters:   group {plan.green_identifier}, after blue's",
        "  new: work_mem = 1",
        "  left behind: db_user_namespace = 0 does not exist in aurora-postgresql18",
        "Extensions that were brought to the version of the engine:",
        "  app: vector 0.8.4 to 0.8.5",
        "Extensions that could not be:",
        "  crm: x: no",
    ]
