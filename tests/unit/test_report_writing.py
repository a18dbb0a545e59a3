"""What reports are made from and nothing else, and where they are laid down."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import boto3
import pytest

from bluegreen.errors import AwsUnavailable, InputInvalid
from bluegreen.report import writing
from bluegreen.report.page import page
from bluegreen.report.record import record
from local.clients.journal import Journal, Outcome, Transaction
from local.reporting import seen_by_clients
from tests.unit.histories import ARN, BEGAN, COMPLETED, STATE, History, StepFunctions, release
from tests.unit.reporting import CLIENTS, MEMORY_MB, RECOVERY_ARN, SCHEMA, ending, full, written


def test_the_document_and_the_page_are_laid_down_and_the_place_is_told() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    made = full()
    told = [writing.store(s3, "reports", "eu-west-2", made) for _ in range(2)]
    assert told[0] == told[1], "a second time changes nothing"
    assert told[0]["key"] == "releases/20261123-2200-abcdef/report.html"
    assert "prefix=releases%2F20261123-2200-abcdef%2Freport.html" in told[0]["url"]
    assert told[0]["url"] in told[0]["sentence"]
    shown = s3.get_object(Bucket="reports", Key=told[0]["key"])
    assert shown["ContentType"] == "text/html; charset=utf-8"
    assert shown["Body"].read().decode() == page(made)
    document = s3.get_object(Bucket="reports", Key="releases/20261123-2200-abcdef/release.json")
    assert json.loads(document["Body"].read()) == made


def test_samples_are_those_of_the_release_oldest_first() -> None:
    dynamodb = boto3.client("dynamodb")
    keys = [("release_id", "HASH"), ("at", "RANGE")]
    dynamodb.create_table(
        TableName="samples",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    for release_id, second in (("20261123-2200-abcdef", 2), ("other", 3), ("20261123-2200-abcdef", 1)):
        sample = json.dumps({"databases": {"app": {"lag_bytes": second}}})
        item = {"release_id": release_id, "at": f"2026-11-23T22:00:0{second}.000Z", "sample": sample}
        dynamodb.put_item(TableName="samples", Item={name: {"S": value} for name, value in item.items()})
    sources = writing.gather(StepFunctions({ARN: release()}), {"execution_arn": ARN}, "shop", MEMORY_MB, BEGAN)
    found = record(writing.with_samples(sources, dynamodb, "samples"))["lag_samples"]
    assert [sample["databases"]["app"]["lag_bytes"] for sample in found] == [1, 2]


@pytest.mark.parametrize(
    "clients",
    [
        [],
        {},
        CLIENTS | {"bin_ms": 0},
        CLIENTS | {"acknowledged": ["x"]},
        CLIENTS | {"began_at": "now"},
        CLIENTS | {"bin_ms": "1"},
        CLIENTS | {"bin_ms": math.inf},
        CLIENTS | {"bin_ms": math.nan},
    ],
)
def test_what_clients_are_said_to_have_seen_has_to_be_in_order(clients: Any) -> None:
    with pytest.raises(InputInvalid, match="clients"):
        written(release(), clients=clients)


def test_what_clients_saw_is_counted_by_tenths_of_a_second() -> None:
    journal = Journal()
    began = BEGAN.timestamp()
    outcomes = [
        (0.0, Outcome.ACKNOWLEDGED),
        (0.05, Outcome.ACKNOWLEDGED),
        (0.15, Outcome.FAILED),
        (0.37, Outcome.ACKNOWLEDGED),
    ]
    for after_s, outcome in outcomes:
        transaction = Transaction("", 1, 1, "trade", "app", "app_writer", "127.0.1.1", started=began)
        transaction.ended, transaction.outcome = began + after_s, outcome
        journal.add(transaction)
    told = {"client_write_gap_ms": 370.0, "missing": 0, "duplicated": None}
    assert seen_by_clients(journal, told) == {
        "began_at": "2026-11-23T22:00:00.000Z",
        "bin_ms": 100,
        "acknowledged": [2, 0, 0, 1],
        "write_gap_ms": 370.0,
        "missing": 0,
    }
    assert written(release(), clients=seen_by_clients(journal, told))["clients"]["acknowledged"] == [2, 0, 0, 1]
    assert page(written(release(), clients=seen_by_clients(Journal(), {})))


@pytest.mark.parametrize("asked", [{}, [], [1], {"execution_arn": 5}, {"execution_arn": ""}, {"execution_arn": None}])
def test_an_input_without_an_execution_is_refused(asked: Any) -> None:
    with pytest.raises(InputInvalid, match="execution_arn"):
        writing.gather(StepFunctions({}), asked, "shop", MEMORY_MB, BEGAN)


FORGED = {"plan": STATE["plan"] | {"release_id": "../victim"}, "summary": COMPLETED["summary"], "approval": {}}


def test_nobody_tells_the_report_what_to_say() -> None:
    made = written(release("FreezeBlue"), state=FORGED, release_id="../victim")
    assert (made["outcome"]["kind"], made["release_id"]) == ("running", STATE["plan"]["release_id"])


def test_an_input_that_looks_like_the_state_of_a_release_is_not_taken_for_it() -> None:
    refused = {"failure": {"Error": "InputInvalid", "Cause": "there is no such field"}}
    history = History()
    history.enter("PlanRelease", FORGED)
    history.call(0.1, "InputInvalid")
    history.leave("PlanRelease", refused)
    history.task("WriteReport", state=refused)
    made = written(history)
    assert made["outcome"]["kind"] == "failed"
    assert re.fullmatch(r"20261123-2200-[0-9a-f]{6}", made["release_id"])


def test_only_the_recovery_of_an_execution_has_a_say_in_its_report() -> None:
    other = History()
    other.task("InspectRelease", state=FORGED | {"execution_arn": ARN + "-more"})
    with pytest.raises(InputInvalid, match="no recovery of"):
        written(release("FreezeBlue"), other)
    other = History()
    other.enter("InspectRelease", FORGED | {"execution_arn": ARN})
    with pytest.raises(InputInvalid, match="no recovery of"):
        written(release("FreezeBlue"), other)


def test_a_recovery_has_no_report_of_its_own() -> None:
    recovery = History()
    recovery.task("InspectRelease", state=FORGED | {"execution_arn": RECOVERY_ARN.replace("-recovery", "")})
    with pytest.raises(InputInvalid, match="is a recovery"):
        writing.gather(
            StepFunctions({RECOVERY_ARN: recovery}), {"execution_arn": RECOVERY_ARN}, "shop", MEMORY_MB, BEGAN
        )


def test_a_history_that_does_not_tell_of_the_writing_yet_is_read_again() -> None:
    history = release()
    with pytest.raises(AwsUnavailable, match="behind"):
        written(history, asked_by=ARN)
    assert written(ending(history, COMPLETED), asked_by=ARN)["outcome"]["kind"] == "completed"
    with pytest.raises(AwsUnavailable, match="behind"):
        written(history, asked_by=RECOVERY_ARN)


def test_every_field_of_the_document_is_described() -> None:
    def walk(schema: Any) -> None:
        assert schema["description"]
        for each in (
            *schema.get("properties", {}).values(),
            *filter(lambda s: "properties" in s, [schema.get("items", {})]),
        ):
            walk(each)

    walk(SCHEMA)
    assert set(written(release())) == set(SCHEMA["properties"])
