"""What watches a release, as it is deployed: monitor, samples, alarms, dashboard, and requests for nobody."""

from __future__ import annotations

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from bluegreen.monitor.measuring import METRICS
from handlers import entry
from stacks.config import ClusterConfig, ConfigError
from stacks.requests import keep_requests_for_nobody, undelivered_events
from tests.stacks.synthesis import ROOT, Assembly, text

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
OUR_METRICS = {*METRICS, *(name for name, _ in entry._FIGURES.values()), "StepDuration"}


def rules(assembly: Assembly) -> list[dict[str, Any]]:
    return list(assembly.of_type("AWS::Events::Rule").values())


def queue(assembly: Assembly) -> str:
    """The logical id of the queue of undelivered events."""
    (found,) = assembly.of_type("AWS::SQS::Queue")
    return found


def operations_topic(assembly: Assembly) -> tuple[str, dict[str, Any]]:
    topics = assembly.of_type("AWS::SNS::Topic").items()
    (found,) = ((name, each) for name, each in topics if each["DisplayName"].startswith("Alarms"))
    return found


def alarms(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """By the last part of their names."""
    return {each["AlarmName"].split("-")[-1]: each for each in assembly.of_type("AWS::CloudWatch::Alarm").values()}


def test_the_monitor_is_called_every_minute_once_its_rule_is_enabled_which_nothing_but_the_monitor_does(
    assembly: Assembly,
) -> None:
    (rule,) = (each for each in rules(assembly) if "ScheduleExpression" in each)
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "DISABLED")
    (target,) = rule["Targets"]
    assert assembly.template["Resources"][target["Arn"]["Fn::GetAtt"][0]]["Properties"]["FunctionName"].endswith(
        "-MonitorLag"
    )
    assert json.loads(target["Input"]) == {}
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0, "the next call is due by then"
    variables = assembly.functions["MonitorLag"]["Environment"]["Variables"]
    assert variables["MONITOR_RULE"] == rule["Name"]
    (switching,) = (each for each in assembly.allowed("MonitorLag") if "events:EnableRule" in each["Action"])
    assert sorted(switching["Action"]) == ["events:DisableRule", "events:EnableRule"]
    assert switching["Resource"] == [f"arn:aws:events:eu-west-2:<AWS::AccountId>:rule/{rule['Name']}"]
    for role in assembly.of_type("AWS::IAM::Role"):
        if role != assembly.functions["MonitorLag"]["Role"]["Fn::GetAtt"][0]:
            actions = {action for statement in assembly.statements(role) for action in statement["Action"]}
            assert not actions & {"events:EnableRule", "events:DisableRule"}


def test_the_monitor_signs_in_to_the_databases_and_asks_neither_rds_nor_route53(assembly: Assembly) -> None:
    allowed = {
        (action, resource)
        for statement in assembly.allowed("MonitorLag")
        for action in statement["Action"]
        for resource in map(text, statement["Resource"])
        if not action.startswith("xray:")
    }
    variables = assembly.functions["MonitorLag"]["Environment"]["Variables"]
    lock_table, sample_table = (variables[name]["Ref"] for name in ("LOCK_TABLE", "SAMPLE_TABLE"))
    assert {pair for pair in allowed if pair[0].startswith("dynamodb:")} == {
        ("dynamodb:GetItem", f"<{lock_table}>"),
        ("dynamodb:UpdateItem", f"<{lock_table}>"),
        ("dynamodb:PutItem", f"<{sample_table}>"),
    }
    assert {action.split(":")[0] for action, _ in allowed} == {"dynamodb", "events", "secretsmanager"}


def test_samples_are_found_by_release_and_time_and_go_by_themselves(assembly: Assembly) -> None:
    sample_table = assembly.functions["MonitorLag"]["Environment"]["Variables"]["SAMPLE_TABLE"]["Ref"]
    table = assembly.of_type("AWS::DynamoDB::Table")[sample_table]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("release_id", "HASH"),
        ("at", "RANGE"),
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_every_alarm_says_what_to_do_and_where_more_is_said_and_reaches_the_operators(assembly: Assembly) -> None:
    topic, _ = operations_topic(assembly)
    assert alarms(assembly)
    for name, alarm in alarms(assembly).items():
        assert alarm["AlarmDescription"].endswith(f"See {name} under Alarms in docs/runbook.md.")
        assert f"\n### {name}\n" in RUNBOOK, "each has a section"
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching", "between releases there are no figures"


def test_alarms_look_at_metrics_that_there_are_with_the_dimensions_that_they_have(assembly: Assembly) -> None:
    for alarm in alarms(assembly).values():
        metrics = [stat["MetricStat"]["Metric"] for stat in alarm.get("Metrics", [alarm]) if "MetricStat" in stat] or [
            alarm
        ] * ("MetricName" in alarm)
        assert metrics
        for metric in metrics:
            if metric["Namespace"] == "BlueGreen":
                assert metric["MetricName"] in METRICS
                dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
                assert dimensions == {"cluster": "shop", "service": "bluegreen"}


def test_whatever_the_monitor_measures_is_on_the_dashboard(assembly: Assembly) -> None:
    (dashboard,) = assembly.of_type("AWS::CloudWatch::Dashboard").values()
    body = text(dashboard["DashboardBody"])
    widgets = json.loads(body)["widgets"]
    searched = set(re.findall(r'MetricName=\\\\?"(\w+)', body))
    assert searched <= OUR_METRICS
    assert METRICS.keys() - searched == {"MonitorFailures"}, "which has an alarm"
    (status,) = (widget for widget in widgets if widget["type"] == "alarm")
    assert len(status["properties"]["alarms"]) == len(alarms(assembly))
    plotted = [line for widget in widgets for line in widget["properties"].get("metrics", [])]
    ours = {line[1] for line in plotted if line[0] == "BlueGreen"}
    of_a_release = {"FreezeDuration", "WriteGap", "Attempts", "ReleaseDuration"}
    assert ours == {"VerificationRowsLeft", "VerificationRate"} | of_a_release
    assert ours <= OUR_METRICS


def test_a_recovery_that_is_stopped_or_times_out_is_as_alarming_as_one_that_fails(assembly: Assembly) -> None:
    alarm = alarms(assembly)["RecoveryFails"]
    watched = {stat["Id"]: stat["MetricStat"]["Metric"] for stat in alarm["Metrics"] if "MetricStat" in stat}
    assert {metric["MetricName"] for metric in watched.values()} == {
        "ExecutionsFailed",
        "ExecutionsAborted",
        "ExecutionsTimedOut",
    }
    (recovery,) = {metric["Dimensions"][0]["Value"]["Ref"] for metric in watched.values()}
    assert recovery.startswith("Recovery")
    (sum_,) = [stat["Expression"] for stat in alarm["Metrics"] if "Expression" in stat]
    assert all(f"FILL({name}, 0)" in sum_ for name in watched), "where one has no figure the sum has one all the same"


def test_the_operators_topic_has_a_key_that_alarms_of_this_stack_may_use_and_no_other_service(
    assembly: Assembly,
) -> None:
    name, topic = operations_topic(assembly)
    (key,) = assembly.of_type("AWS::KMS::Key").values()
    assert topic["KmsMasterKeyId"]["Fn::GetAtt"][0] in assembly.of_type("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    (policy,) = (
        each["PolicyDocument"]["Statement"]
        for each in assembly.of_type("AWS::SNS::TopicPolicy").values()
        if each["Topics"] == [{"Ref": name}]
    )
    for statements, action in ((key["KeyPolicy"]["Statement"], "kms:Decrypt"), (policy, "sns:Publish")):
        (services,) = (each for each in statements if "Service" in each["Principal"])
        assert services["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert action in services["Action"]
        assert services["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        arn = text(services["Condition"]["ArnLike"]["aws:SourceArn"])
        assert arn == "arn:aws:cloudwatch:eu-west-2:<AWS::AccountId>:alarm:bluegreen-shop-*"
    assert any(each["Effect"] == "Deny" for each in policy), "what does not come over TLS"


def test_an_event_that_its_target_does_not_take_stays_in_an_encrypted_queue(assembly: Assembly) -> None:
    name = queue(assembly)
    assert assembly.of_type("AWS::SQS::Queue")[name]["SqsManagedSseEnabled"] is True
    arn = {"Fn::GetAtt": [name, "Arn"]}
    for rule in rules(assembly):
        for target in rule["Targets"]:
            assert target["Arn"] == arn or target["DeadLetterConfig"] == {"Arn": arn}
    (policy,) = assembly.of_type("AWS::SQS::QueuePolicy").values()
    statements = policy["PolicyDocument"]["Statement"]
    assert [each["Condition"] for each in statements if each["Effect"] == "Deny"] == [
        {"Bool": {"aws:SecureTransport": "false"}}
    ]
    senders = [each for each in statements if each["Effect"] == "Allow"]
    assert len(senders) == len(rules(assembly))
    assert all("aws:SourceArn" in each["Condition"]["ArnEquals"] for each in senders)


def test_requests_for_clusters_of_no_stack_are_looked_after_by_one_stack_for_all_of_them(
    block: dict[str, Any],
) -> None:
    config = ClusterConfig.from_context("shop", block)
    for released, count in ((["shop", "crm"], 1), ([], 0)):
        stack = cdk.Stack(cdk.App())
        keep_requests_for_nobody(stack, config, released, undelivered_events(stack))
        found = Template.from_stack(stack).find_resources("AWS::Events::Rule")
        assert len(found) == count
        for rule in found.values():
            assert rule["Properties"]["EventPattern"]["detail"] == {
                "$or": [{"cluster": [{"anything-but": released}]}, {"cluster": [{"exists": False}]}]
            }


def test_operators_may_be_others_than_the_approvers(block: dict[str, Any]) -> None:
    assert ClusterConfig.from_context("shop", {**block, "operator_emails": ["on-call@example.com"]}).operator_emails
    with pytest.raises(ConfigError, match="operator_emails"):
        ClusterConfig.from_context("shop", {**block, "operator_emails": ["nobody"]})
