"""The emulator's seams: each test shows that one still has its effect on the pinned moto."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.emulator import Emulator
from tests.local.aws import ROLE, deploy_function, deploy_machine, finished, mails, start
from tests.waiting import eventually

REGION = "eu-west-2"
ECHO = "def handler(event, context):\n    return event\n"
ZONE = "Z0123456789ABCDEFGHIJ"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), REGION)
    emulator.create_hosted_zone(ZONE, "shop.internal", "vpc-1")
    yield emulator
    emulator.close()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


# The server


def test_there_is_one_emulator_at_a_time(emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="running in this process"):
        Emulator(tmp_path, REGION)


# Lambda


def test_invoke_reaches_the_function(emulator: Emulator) -> None:
    deploy_function(emulator, "echo", ECHO)
    answer = emulator.client("lambda").invoke(FunctionName="echo", Payload='{"n": 1}')
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"n": 1}


def test_an_error_of_a_function_is_unhandled(emulator: Emulator) -> None:
    deploy_function(emulator, "fail", "def handler(event, context):\n    raise ValueError('é')\n")
    answer = emulator.client("lambda").invoke(FunctionName="fail")
    assert answer["FunctionError"] == "Unhandled"
    error = json.load(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "é")


def test_an_asynchronous_invocation_is_accepted_and_then_run(emulator: Emulator, tmp_path: Path) -> None:
    source = "def handler(event, context):\n    open(event, 'w').close()\n"
    deploy_function(emulator, "touch", source)
    answer = emulator.client("lambda").invoke(
        FunctionName="touch", InvocationType="Event", Payload=json.dumps(str(tmp_path / "ran"))
    )
    assert answer["StatusCode"] == 202
    eventually((tmp_path / "ran").exists)


def test_an_unknown_function_is_not_found(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as error:
        emulator.client("lambda").invoke(FunctionName="nobody")
    assert code(error) == "ResourceNotFoundException"


def test_deployed_functions_can_be_prewarmed(emulator: Emulator) -> None:
    deploy_function(emulator, "warmed", ECHO)
    deployed = {function.name: function for function in emulator.deployed_functions()}
    assert deployed["warmed"].handler == "main.handler"
    emulator.functions.prewarm([deployed["warmed"]])


# DynamoDB


def test_of_many_conditional_writes_at_once_one_succeeds(emulator: Emulator) -> None:
    client = emulator.client("dynamodb")
    client.create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "cluster", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "cluster", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ready = threading.Barrier(8)

    def take(holder: int) -> bool:
        ready.wait()
        try:
            client.put_item(
                TableName="locks",
                Item={"cluster": {"S": "shop"}, "holder": {"N": str(holder)}},
                ConditionExpression="attribute_not_exists(holder)",
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


# EventBridge


def test_an_event_starts_the_state_machine_of_the_rule_it_matches(emulator: Emulator) -> None:
    machine = _machine_on_rule(emulator, "on-request", {"InputPath": "$.detail"})
    _put_event(emulator, "on-request", {"cluster": "other"})
    _put_event(emulator, "on-request", {"cluster": "shop", "target": {"version": "18.1"}})
    (execution,) = _executions(emulator, machine)
    assert finished(emulator, execution)["output"] == {"cluster": "shop", "target": {"version": "18.1"}}


@pytest.mark.parametrize(
    ("name", "target", "received"),
    [
        ("constant", {"Input": '{"fixed": true}'}, {"fixed": True}),
        (
            "transformed",
            {
                "InputTransformer": {
                    "InputPathsMap": {"cluster": "$.detail.cluster", "all": "$.detail"},
                    "InputTemplate": '{"of": <cluster>, "note": "for <cluster>", "request": <all>}',
                }
            },
            {"of": "shop", "note": "for shop", "request": {"cluster": "shop"}},
        ),
    ],
)
def test_a_target_shapes_its_input(
    emulator: Emulator, name: str, target: dict[str, Any], received: dict[str, Any]
) -> None:
    machine = _machine_on_rule(emulator, name, target)
    _put_event(emulator, name, {"cluster": "shop"})
    (execution,) = _executions(emulator, machine)
    assert finished(emulator, execution)["output"] == received


def test_a_whole_event_looks_as_on_aws(emulator: Emulator) -> None:
    machine = _machine_on_rule(emulator, "whole", {})
    _put_event(emulator, "whole", {"cluster": "shop"})
    (execution,) = _executions(emulator, machine)
    event = finished(emulator, execution)["output"]
    assert {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"} == set(event)
    assert event["time"].endswith("Z")


def test_events_can_be_delivered_twice(emulator: Emulator) -> None:
    machine = _machine_on_rule(emulator, "twice", {"InputPath": "$.detail"})
    emulator.deliver_twice = True
    try:
        _put_event(emulator, "twice", {"cluster": "shop"})
    finally:
        emulator.deliver_twice = False
    assert len(_executions(emulator, machine)) == 2


def test_the_end_of_an_execution_is_an_event_that_reaches_a_function(emulator: Emulator, tmp_path: Path) -> None:
    source = f"""
import json
def handler(event, context):
    detail = event["detail"]
    with open({str(tmp_path)!r} + "/" + detail["status"], "w") as file: json.dump(detail, file)
"""
    arn = deploy_function(emulator, "on-change", source)
    events = emulator.client("events")
    machine = deploy_machine(emulator, "watched", _single({"Type": "Pass", "End": True}))
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine]}}
    events.put_rule(Name="on-change", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="on-change", Targets=[{"Id": "function", "Arn": arn}])
    execution = start(emulator, machine, {"a": 1})
    eventually(lambda: {path.name for path in tmp_path.iterdir()} == {"RUNNING", "SUCCEEDED"})
    eventually(lambda: (tmp_path / "SUCCEEDED").read_text().endswith("}"))
    detail = json.loads((tmp_path / "SUCCEEDED").read_text())
    assert detail["executionArn"] == execution
    assert json.loads(detail["output"]) == {"a": 1}


def test_a_rule_with_a_rate_runs_by_the_clock_while_it_is_enabled_and_not_because_of_events(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = emulator.client("events")
    machine = deploy_machine(emulator, "every-minute", _single({"Type": "Pass", "End": True}))
    events.put_rule(Name="every-minute", ScheduleExpression="rate(2 minutes)", State="DISABLED")
    events.put_targets(Rule="every-minute", Targets=[{"Id": "machine", "Arn": machine, "Input": '{"tick": 1}'}])
    events.enable_rule(Name="every-minute")
    _put_event(emulator, "anything", {"cluster": "shop"})
    assert _executions(emulator, machine) == [], "its first time is two minutes from now"
    monkeypatch.setattr(emulator, "minute_s", 0.05)
    eventually(lambda: len(_executions(emulator, machine)) > 2)
    events.disable_rule(Name="every-minute")
    assert finished(emulator, _executions(emulator, machine)[0])["output"] == {"tick": 1}


def test_an_event_that_its_target_does_not_take_goes_to_its_dead_letter_queue(emulator: Emulator) -> None:
    sqs, events = emulator.client("sqs"), emulator.client("events")
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    nobody = f"arn:aws:states:{REGION}:123456789012:stateMachine:nobody"
    target = {"Id": "gone", "Arn": nobody, "InputPath": "$.detail", "DeadLetterConfig": {"Arn": arn}}
    events.put_rule(Name="to-nobody", EventPattern=json.dumps({"source": ["to-nobody"]}))
    events.put_targets(Rule="to-nobody", Targets=[target])
    _put_event(emulator, "to-nobody", {"cluster": "shop"})
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"cluster": "shop"}


# SNS


def test_each_publish_is_a_mail_to_each_subscriber(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    topic = sns.create_topic(Name="approvals")["TopicArn"]
    for address in ("lead@example.com", "deputy@example.com"):
        subscription = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
        assert subscription["SubscriptionArn"].startswith(topic)
    body = "Release of shop \u2013 é\n\n" + "a long line " * 40 + "\nToken: AAAA\n"
    sns.publish(TopicArn=topic, Subject="Approve shop?", Message=body)
    lead, deputy = mails(emulator.folder)[-2:]
    assert (lead["To"], deputy["To"]) == ("lead@example.com", "deputy@example.com")
    assert lead["Subject"] == "Approve shop?"
    assert lead.get_content().rstrip("\n") == body.rstrip("\n")
    assert [path.name[4:] for path in sorted((emulator.folder / "mail").iterdir())][-2:] == ["approve-shop.eml"] * 2


# Route 53


def test_a_change_is_pending_until_it_is_served(emulator: Emulator) -> None:
    emulator.propagation_s = 3600
    try:
        change = _change(emulator, ("UPSERT", "slow", "CNAME", 60, "127.0.1.1"))
    finally:
        emulator.propagation_s = 0.0
    client = emulator.client("route53")
    assert client.get_change(Id=change)["ChangeInfo"]["Status"] == "PENDING"
    assert "slow.shop.internal." not in _served(emulator, time.time())
    assert _served(emulator, time.time() + 3601)["slow.shop.internal."].values == ("127.0.1.1",)
    # The API shows the new record at once, as on AWS, and a later change does not overtake.
    listed = client.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    assert any(record["Name"] == "slow.shop.internal." and record["TTL"] == 60 for record in listed)
    change = _change(emulator, ("UPSERT", "later", "CNAME", 60, "127.0.1.1"))
    assert client.get_change(Id=change)["ChangeInfo"]["Status"] == "PENDING"


def test_a_served_change_is_in_sync(emulator: Emulator) -> None:
    second = "Z1"
    emulator.create_hosted_zone(second, "crm.internal", "vpc-1")
    emulator.propagation_s = 0.0
    change = _change(emulator, ("CREATE", "db", "CNAME", 5, "127.0.1.1"), zone=second, suffix="crm.internal")
    assert emulator.client("route53").get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC"
    assert "db.crm.internal." in {record.name for record in emulator.served_records(second)}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([("CREATE", "taken", "CNAME", 60, "127.0.1.9")], id="create what exists"),
        pytest.param([("DELETE", "nobody", "CNAME", 60, "127.0.1.9")], id="delete what does not exist"),
        pytest.param([("DELETE", "taken", "CNAME", 61, "127.0.1.1")], id="delete with another TTL"),
        pytest.param([("DELETE", "taken", "CNAME", 60, "127.0.1.9")], id="delete with another value"),
        pytest.param([("CREATE", "taken", "A", 60, "127.0.1.1")], id="A beside CNAME"),
        pytest.param(
            [("UPSERT", "half", "CNAME", 60, "127.0.1.1"), ("CREATE", "taken", "CNAME", 1, "127.0.1.1")],
            id="half right",
        ),
    ],
)
def test_a_wrong_batch_changes_nothing(emulator: Emulator, changes: list[tuple[str, str, str, int, str]]) -> None:
    _change(emulator, ("UPSERT", "taken", "CNAME", 60, "127.0.1.1"))
    client = emulator.client("route53")
    before = client.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    with pytest.raises(ClientError) as error:
        _change(emulator, *changes)
    assert code(error) == "InvalidChangeBatch"
    assert client.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"] == before


def test_a_record_can_be_replaced_and_deleted(emulator: Emulator) -> None:
    _change(emulator, ("UPSERT", "moving", "CNAME", 60, "127.0.1.1"))
    _change(emulator, ("DELETE", "moving", "CNAME", 60, "127.0.1.1"), ("CREATE", "moving", "A", 5, "127.0.1.2"))
    _change(emulator, ("DELETE", "moving", "A", 5, "127.0.1.2"))
    listed = emulator.client("route53").list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    assert not any(record["Name"].startswith("moving") for record in listed)


def test_the_next_change_can_be_refused(emulator: Emulator) -> None:
    emulator.refuse_next_change = "InvalidChangeBatch"
    with pytest.raises(ClientError) as error:
        _change(emulator, ("UPSERT", "refused", "CNAME", 60, "127.0.1.1"))
    assert code(error) == "InvalidChangeBatch"
    _change(emulator, ("UPSERT", "refused", "CNAME", 60, "127.0.1.1"))


def test_unknown_zones_and_changes_are_not_found(emulator: Emulator) -> None:
    with pytest.raises(ClientError) as error:
        _change(emulator, ("UPSERT", "db", "CNAME", 60, "127.0.1.1"), zone="Z404")
    assert code(error) == "NoSuchHostedZone"
    with pytest.raises(ClientError) as error:
        emulator.client("route53").get_change(Id="/change/C404")
    assert code(error) == "NoSuchChange"


# EC2


def test_the_network_has_the_ids_of_the_configuration(emulator: Emulator) -> None:
    subnets = {"subnet-0a1": "eu-west-2a", "subnet-0b1": "eu-west-2b"}
    emulator.create_network("vpc-0a1", subnets, "sg-0a1")
    ec2 = emulator.client("ec2")
    described = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    assert {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in described} == subnets
    (group,) = ec2.describe_security_groups(GroupIds=["sg-0a1"])["SecurityGroups"]
    assert group["VpcId"] == "vpc-0a1"


# The end


CLOSING = """
import json, sys, threading
from pathlib import Path
from local.aws.emulator import Emulator
from tests.local.aws import deploy_function, deploy_machine, start
from tests.waiting import eventually

folder = Path(sys.argv[1])
emulator = Emulator(folder, "eu-west-2")
source = '''
import os, pathlib, time
def handler(event, context):
    pathlib.Path(event["path"] + ".partial").write_text(str(os.getpid()))
    os.rename(event["path"] + ".partial", event["path"])
    time.sleep(600)
'''
task = {"Type": "Task", "Resource": deploy_function(emulator, "slow", source, 600), "End": True}
retried = task | {"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 600}]}
topic = emulator.client("sns").create_topic(Name="topic")["TopicArn"]
publish = {"TopicArn": topic, "Message.$": "$$.Task.Token"}
token = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "Parameters": publish}
token["End"] = True
wait = {"Type": "Wait", "Seconds": 600, "End": True}
for name, state in {"retried": retried, "token": token, "wait": wait}.items():
    machine = deploy_machine(emulator, name, {"StartAt": "S", "States": {"S": state}})
    start(emulator, machine, {"path": str(folder / "pid")})
eventually((folder / "pid").exists)
if sys.argv[2] == "close":
    emulator.close()
    emulator.close()
    eventually(lambda: threading.active_count() == 1, timeout_s=10)
    again = Emulator(folder, "eu-west-2")
    assert again.client("stepfunctions").list_state_machines()["stateMachines"] == []
    again.close()
"""


@pytest.mark.parametrize("way", ["close", "exit"])
def test_nothing_is_left(tmp_path: Path, way: str) -> None:
    """In a process of its own, since there is one emulator at a time; it closes the emulator, or just ends."""
    command = [sys.executable, "-c", CLOSING, str(tmp_path), way]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (child.returncode, child.stderr) == (0, "")
    process_id = int((tmp_path / "pid").read_text())
    eventually(lambda: not Path(f"/proc/{process_id}").exists())


def test_a_taken_port_is_an_error(emulator: Emulator) -> None:
    child = "import sys; from pathlib import Path; from local.aws.emulator import Emulator; "
    child += f"Emulator(Path(sys.argv[1]), 'eu-west-2', {emulator.port})"
    command = [sys.executable, "-c", child, str(emulator.folder)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "Address already in use" in ended.stderr


def _single(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Only", "States": {"Only": state}}


def _machine_on_rule(emulator: Emulator, name: str, target: dict[str, Any]) -> str:
    """A state machine that returns its input, as the target of a rule for requests for the cluster shop."""
    machine = deploy_machine(emulator, name, _single({"Type": "Pass", "End": True}))
    pattern = {"source": [name], "detail-type": ["Release Requested"], "detail": {"cluster": ["shop"]}}
    events = emulator.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "machine", "Arn": machine, "RoleArn": ROLE, **target}])
    return machine


def _put_event(emulator: Emulator, source: str, detail: dict[str, Any]) -> None:
    entry = {"Source": source, "DetailType": "Release Requested", "Detail": json.dumps(detail)}
    assert emulator.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def _executions(emulator: Emulator, machine: str) -> list[str]:
    executions = emulator.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [execution["executionArn"] for execution in executions]


def _change(
    emulator: Emulator,
    *changes: tuple[str, str, str, int, str],
    zone: str = ZONE,
    suffix: str = "shop.internal",
) -> str:
    batch = [
        {
            "Action": action,
            "ResourceRecordSet": {
                "Name": f"{name}.{suffix}",
                "Type": kind,
                "TTL": ttl,
                "ResourceRecords": [{"Value": value}],
            },
        }
        for action, name, kind, ttl, value in changes
    ]
    client = emulator.client("route53")
    answer = client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": batch})
    return str(answer["ChangeInfo"]["Id"])


def _served(emulator: Emulator, at: float) -> dict[str, Any]:
    return {record.name: record for record in emulator.served_records(ZONE, at)}
