"""The report of an execution: gathered, put together, and laid down in S3 as a document and a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ..errors import InputInvalid
from ..model import State
from . import reading, timeline
from .page import page
from .record import Record, Sources

_FOLDER = "releases"

_OF_CLIENTS = {"began_at": str, "bin_ms": int, "acknowledged": list}
"""What is needed of those who measured what clients saw; how much was lost and doubled may be beside it."""

_MAY_SAY = ("write_gap_ms", "missing", "duplicated")
MOST_BINS = 100_000


def gather(stepfunctions: Any, asked: State, cluster_name: str, memory_mb: Mapping[str, int], now: datetime) -> Sources:
    """Everything but the samples.

    asked  ``execution_arn``; ``state``, the state data of whoever asks, if it is an execution; ``recovery_arn`` when
           that is a recovery, whose findings go before what the dead one believed; ``clients``, what clients saw
    """
    arn = asked.get("execution_arn")
    if not isinstance(arn, str):
        raise InputInvalid('The input must be {"execution_arn": "…"}, with the ARN of an execution of a release.')
    recovery_arn = asked.get("recovery_arn", "")
    course = timeline.of(reading.own_history(stepfunctions, arn))
    told = reading.state_data(stepfunctions, arn, course)
    return Sources(
        execution_arn=arn,
        timeline=course,
        state={**told.state, **asked.get("state", {})},
        answers=told.answers,
        now=now,
        memory_mb=memory_mb,
        cluster_name=cluster_name,
        recovery=timeline.of(reading.own_history(stepfunctions, recovery_arn)) if recovery_arn else None,
        recovery_arn=recovery_arn,
        clients=_clients(asked.get("clients")),
    )


def with_samples(sources: Sources, dynamodb: Any, table: str) -> Sources:
    """With what the lag monitor measured."""
    return replace(sources, samples=reading.samples(dynamodb, table, sources.release_id))


def store(s3: Any, bucket: str, region: str, record: Record) -> dict[str, Any]:
    """Lays both down; returns where the page is. A second time, they take the place of the first."""
    folder = f"{_FOLDER}/{record['release_id']}"
    documents = (
        ("release.json", json.dumps(record, indent=1), "application/json"),
        ("report.html", page(record), "text/html; charset=utf-8"),
    )
    for name, text, content_type in documents:
        body = text.encode()
        s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=body, ContentType=content_type)
    key = f"{folder}/report.html"
    url = f"https://{region}.console.aws.amazon.com/s3/object/{bucket}?region={region}&prefix={quote(key, safe='')}"
    return {"bucket": bucket, "key": key, "url": url, "sentence": f"Report: {url}\ns3://{bucket}/{key}"}


def _clients(given: Any) -> dict[str, Any] | None:
    """What clients saw, as whoever measured it says it; raises ``InputInvalid``."""
    if given is None:
        return None
    is_fit = isinstance(given, Mapping) and all(isinstance(given.get(name), kind) for name, kind in _OF_CLIENTS.items())
    if (
        not is_fit
        or not given["bin_ms"] > 0
        or len(given["acknowledged"]) > MOST_BINS
        or not all(isinstance(number, int) for number in given["acknowledged"])
    ):
        raise InputInvalid(
            "clients must have began_at (ISO 8601), bin_ms, and acknowledged: a list of at most"
            f" {MOST_BINS} counts, of writes that were acknowledged in each bin."
        )
    try:
        datetime.fromisoformat(given["began_at"])
    except ValueError as error:
        raise InputInvalid(f"clients.began_at: {error}") from error
    said = {name: given[name] for name in _MAY_SAY if isinstance(given.get(name), int | float)}
    return {**{name: given[name] for name in _OF_CLIENTS}, **said}
