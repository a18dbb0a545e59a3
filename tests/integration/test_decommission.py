"""Which cluster may end, as the clusters themselves say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bluegreen import completion, history, inputs, records, replication, switchover
from bluegreen.ending import planning as decommission_planning
from bluegreen.ending.decommission import NO_SNAPSHOT, RETIRED_TAG, Decommission
from bluegreen.ending.planning import Surroundings
from bluegreen.errors import BlueNotFound, ClusterBusy, ClusterInUse, ExecutionNotOver, InputInvalid, ReleaseInProgress
from bluegreen.model import RELEASE_TAG
from bluegreen.rds import aurora
from bluegreen.rds.removal import Member
from bluegreen.verify import live
from local.postgres.roles import create_role
from stacks.guard import DEPLOYMENT
from tests.integration.conftest import APP, CRM, WRITER, Lab, freeze_and_move

REGION = "eu-west-2"
NOW = datetime(2026, 11, 23, 4, 5, 6, tzinfo=UTC)
RECORD = {"zone_id": "", "name": "db.shop.internal", "type": "CNAME", "endpoint": "writer"}


class Account:
    """RDS and DynamoDB as moto has them, with the addresses of the lab's servers."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.rds = boto3.client("rds", region_name=REGION)
        self.dynamodb = boto3.client("dynamodb", region_name=REGION)
        route53 = boto3.client("route53")
        zone = route53.create_hosted_zone(Name="shop.internal", CallerReference="1")["HostedZone"]["Id"]
        self.zone_id = zone.removeprefix("/hostedzone/")
        self.point_record_at("elsewhere.example.com")
        for table, keys in {"locks": ["cluster"], "releases": ["cluster", "release_id"]}.items():
            self.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in zip(keys, ("HASH", "RANGE"), strict=False)],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        self.around = Surroundings(
            rds=lambda region="": self.rds,
            region=REGION,
            route53=route53,
            dynamodb=self.dynamodb,
            databases=lab.databases,
            lock_table="locks",
            release_table="releases",
            cluster_name=lab.plan.cluster_name,
            cluster_pattern="shop-*",
            home=lab.plan.home,
            record_keys=[RECORD | {"zone_id": self.zone_id}],
            now=NOW,
        )

    def point_record_at(self, host: str) -> None:
        record = {"Name": "db.shop.internal", "Type": "CNAME", "TTL": 5, "ResourceRecords": [{"Value": host}]}
        boto3.client("route53").change_resource_record_sets(
            HostedZoneId=self.zone_id, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        )

    def create(self, identifier: str, **tags: str) -> None:
        """A cluster with an instance."""
        self.rds.create_db_cluster(
            DBClusterIdentifier=identifier,
            Engine="aurora-postgresql",
            MasterUsername="postgres",
            MasterUserPassword="not-a-secret",
            Port=5432,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        self.rds.create_db_instance(
            DBInstanceIdentifier=f"{identifier}-1",
            DBClusterIdentifier=identifier,
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )

    def plan(self, **asked: Any) -> Decommission:
        plan = decommission_planning.plan_decommission(self.around, asked)
        assert plan
        return plan


@pytest.fixture(autouse=True)
def _schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is beside the module in the package, not in the source tree."""
    schema = json.loads(Path("statemachine/decommission-input.schema.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(inputs, "schema", lambda _machine: schema)


@pytest.fixture
def account(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        made = Account(lab)

        def endpoint(cluster: dict[str, Any]) -> Any:
            identifier = cluster["DBClusterIdentifier"]
            is_green = lab.green_server is not None and identifier != lab.plan.blue.identifier
            return replace(lab.green if is_green else lab.plan.blue, identifier=identifier)

        monkeypatch.setattr(aurora, "endpoint", endpoint)
        yield made


def test_only_a_blue_that_was_replaced_may_end_and_only_when_nobody_uses_it(lab: Lab, account: Account) -> None:
    blue, plan = lab.plan.blue.identifier, lab.plan
    account.create(blue)

    def refusal(**asked: Any) -> str:
        with pytest.raises(ClusterInUse) as caught:
            account.plan(**asked)
        return str(caught.value)

    by_name = {"cluster_identifier": blue, "end": "delete"}
    assert "No release has replaced" in refusal(**by_name)
    lab.follow()
    live.start(lab.databases, lab.plan, lab.green)
    assert "is not fenced" in refusal(**by_name), "it is being cloned"
    freeze_and_move(lab)
    assert "is not fenced" in refusal(**by_name), "frozen is not replaced"
    switchover.open_green(lab.databases, plan, lab.green)
    replication.end_replication(lab.databases, plan, lab.green)
    assert "is not fenced" in refusal(**by_name), "only CompleteRelease says on blue that green was opened"
    completion.clear_away(lab.databases, plan, lab.green)

    account.point_record_at(lab.plan.blue.host)
    assert "it is production" in refusal(**by_name)
    account.point_record_at("elsewhere.example.com")
    ended = account.plan(**by_name)
    assert ended.release_id == plan.release_id
    assert ended.snapshot_identifier.startswith(f"{blue}-final-")
    assert history.find_end(account.dynamodb, "releases", plan.cluster_name, blue) == ended
    tomorrow = replace(account.around, now=NOW + timedelta(days=1))
    later = decommission_planning.plan_decommission(tomorrow, by_name)
    assert later
    assert later.snapshot_identifier != ended.snapshot_identifier, "it may have been taken back meanwhile"

    other = replace(plan, release_id="20260101-0000-abcdef")
    history.note(account.dynamodb, "releases", other, NOW)
    assert "was replaced by release" in refusal(release_id=other.release_id, end="stop")

    late = 'late "one"; --'
    create_role(lab.blue_server, late, lab.passwords[WRITER])
    session = lab.blue_server.connect(CRM, late, lab.passwords[WRITER])
    assert f"of {late} in {CRM}" in refusal(**by_name)
    session.close()
    lab.blue_server.execute(APP, "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    assert account.plan(**by_name) == ended, "a slot that nobody reads keeps no cluster alive"

    records.acquire_lock(account.dynamodb, "locks", plan)
    with pytest.raises(ReleaseInProgress, match=plan.execution_arn):
        account.plan(**by_name)
    history.note(account.dynamodb, "releases", replace(plan, blue_end="keep"), NOW)
    with pytest.raises(ExecutionNotOver):
        account.plan(release_id=plan.release_id, end="stop")
    records.release_lock(account.dynamodb, "locks", plan.cluster_name, plan.execution_arn)
    with pytest.raises(InputInvalid, match="keeps its blue"):
        account.plan(release_id=plan.release_id)
    by = {"cluster": {"S": plan.cluster_name}, "execution_arn": {"S": f"{DEPLOYMENT} by somebody"}}
    account.dynamodb.put_item(TableName="locks", Item=by)
    with pytest.raises(ExecutionNotOver, match="locked by a deployment by somebody"):
        account.plan(release_id=plan.release_id, end="stop")
    records.release_lock(account.dynamodb, "locks", plan.cluster_name, by["execution_arn"]["S"])
    assert account.plan(release_id=plan.release_id, end="stop") == replace(ended, end="stop")


def test_a_clone_may_end_that_its_release_never_opened_and_no_other(lab: Lab, account: Account) -> None:
    lab.follow()
    live.start(lab.databases, lab.plan, lab.green)
    account.create("shop-leftover", **{RELEASE_TAG: lab.plan.release_id})
    account.create("shop-stranger", **{RELEASE_TAG: "20260101-0000-abcdef"})
    found = account.plan(cluster_identifier="shop-leftover", end="delete")
    assert (found.release_id, found.snapshot_identifier) == (lab.plan.release_id, NO_SNAPSHOT)
    with pytest.raises(ClusterInUse, match="is not fenced"):
        account.plan(cluster_identifier="shop-stranger", end="delete")
    freeze_and_move(lab)
    switchover.open_green(lab.databases, lab.plan, lab.green)
    with pytest.raises(ClusterInUse, match="is not fenced"):
        account.plan(cluster_identifier="shop-leftover", end="delete")


def test_what_cannot_be_asked_must_have_been_found_retired_before(
    lab: Lab, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.create("shop-old")
    account.create("shop-ended", **{RETIRED_TAG: "its-snapshot"})
    for name in ("shop-old", "shop-ended"):
        account.rds.stop_db_cluster(DBClusterIdentifier=name)
    with pytest.raises(ClusterInUse, match="cannot be asked"):
        account.plan(cluster_identifier="shop-old", end="delete")
    ended = account.plan(cluster_identifier="shop-ended", end="delete")
    assert ended.snapshot_identifier == "its-snapshot"

    # A secondary has left its global cluster when the execution dies: nothing but the note knows of it.
    # Production once, it has lost its own release's tag, and nothing but the note knows by which it was replaced.
    noted = replace(
        ended,
        release_id="20260101-0000-abcdef",
        global_cluster_identifier="shop",
        secondaries=(Member("eu-west-1", "shop-ended-eu"),),
    )
    history.note_end(account.dynamodb, "releases", "shop", noted)
    assert account.plan(cluster_identifier="shop-ended", end="delete") == noted

    described = {**account.rds.describe_db_clusters(DBClusterIdentifier="shop-ended")["DBClusters"][0]}
    monkeypatch.setattr(aurora, "describe_cluster", lambda *_: described)
    described["Status"] = "starting"
    with pytest.raises(ClusterBusy, match="starting"):
        account.plan(cluster_identifier="shop-ended", end="delete")
    described["Status"] = "deleting"
    assert account.plan(cluster_identifier="shop-ended", end="delete") == noted
    monkeypatch.setattr(aurora, "describe_cluster", lambda *_: None)
    assert account.plan(cluster_identifier="shop-ended", end="stop") == replace(noted, end="stop")
    with pytest.raises(BlueNotFound, match="none was ended"):
        account.plan(cluster_identifier="shop-unknown", end="stop")


def test_a_cluster_that_aws_starts_is_stopped_again_only_if_it_was_ended(lab: Lab, account: Account) -> None:
    account.create("shop-ended", **{RETIRED_TAG: "its-snapshot"})
    account.create("shop-paused")
    account.rds.stop_db_cluster(DBClusterIdentifier="shop-ended")

    def restarted(name: str, hours_ago: float) -> Decommission | None:
        at = (NOW - timedelta(hours=hours_ago)).strftime(history.TIME)
        asked = {"cluster_identifier": name, "end": "stop", "restarted_at": at}
        return decommission_planning.plan_decommission(account.around, asked)

    assert restarted("shop-paused", 0) is restarted("shop-unknown", 0) is None
    with pytest.raises(ClusterBusy, match="about to be started"):
        restarted("shop-ended", 0)
    assert restarted("shop-ended", 2) is None, "somebody has stopped it again"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"release_id": "20261123-0405-abcdef", "cluster_identifier": "shop-blue", "end": "stop"},
        {"release_id": "shop-blue"},
        {"cluster_identifier": "shop-blue"},
        {"cluster_identifier": "shop-blue'; --", "end": "stop"},
        {"cluster_identifier": "shop-blue", "end": "keep"},
        {"cluster_identifier": "shop-blue", "end": "delete", "not_before": "tomorrow"},
        {"cluster_identifier": "shop-blue", "end": "delete", "force": True},
        "shop-blue",
        None,
    ],
)
def test_wrong_input_is_refused_by_the_schema(asked: Any) -> None:
    with pytest.raises(InputInvalid, match="Expected"):
        inputs.validated("decommission", asked, decommission_planning.EXPECTED)


def test_clusters_of_others_are_out_of_reach(lab: Lab, account: Account) -> None:
    account.create("stock-blue")
    with pytest.raises(InputInvalid, match=r"stock-blue does not match shop-\*"):
        account.plan(cluster_identifier="stock-blue", end="delete")
    with pytest.raises(InputInvalid, match=r"input\.cluster"):
        account.plan(cluster="stock", cluster_identifier="shop-blue", end="delete")


def test_the_end_of_blue_is_ordered_once_for_the_hours_after_the_first_note(lab: Lab, account: Account) -> None:
    plan = replace(lab.plan, blue_end="delete", retain_blue_h=48)
    first = history.note(account.dynamodb, "releases", plan, NOW)
    again = history.note(account.dynamodb, "releases", plan, NOW + timedelta(hours=1))
    assert first == again == history.Completed(plan, NOW)
    assert first.blue_ends_at == "2026-11-25T04:05:06Z"
    stepfunctions = boto3.client("stepfunctions", region_name=REGION)
    machine = stepfunctions.create_state_machine(
        name="bluegreen-shop-decommission",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/machine",
    )["stateMachineArn"]
    for _ in range(2):
        completion.order_end(stepfunctions, machine, first)
    completion.order_end(stepfunctions, machine, history.Completed(lab.plan, NOW))
    (started,) = stepfunctions.list_executions(stateMachineArn=machine)["executions"]
    assert started["name"] == f"{plan.release_id}-end-of-blue"
    asked = json.loads(stepfunctions.describe_execution(executionArn=started["executionArn"])["input"])
    assert inputs.validated("decommission", asked, decommission_planning.EXPECTED) == {
        "release_id": plan.release_id,
        "not_before": "2026-11-25T04:05:06Z",
    }
