"""The report of an execution: gathered, put together, and laid down in S3 as a document and a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ..errors import AwsUnavailable, InputInvalid
from ..model import State
from . import reading, timeline
from .page import page
from .record import Record, Sources

STATE = "WriteReport"
_FOLDER = "releases"

_OF_CLIENTS = {"began_at": str, "bin_ms": int, "acknowledged": list}
"""What is needed of those who measured what clients saw; how much was lost and doubled may be beside it."""

_MAY_SAY = ("write_gap_ms", "missing", "duplicated")
MOST_BINS = 100_000


def gather(stepfunctions: Any, asked: State, cluster_name: str, memory_mb: Mapping[str, int], now: datetime) -> Sources:
    """Everything but the samples, from what Step Functions tells: whoever asks says of which execution, and no more.

    asked  ``execution_arn``; ``recovery_arn`` of its recovery, whose findings go before what the dead one believed;
           ``asked_by`` the execution whose state this is, whose history has to tell of that; ``clients``, what clients
           saw

    Raises ``AwsUnavailable`` when a history is behind: it is eventually consistent (Step Functions API Reference).
    """
    arn, recovery_arn, asked_by = (_text(asked, name) for name in ("execution_arn", "recovery_arn", "asked_by"))
    if not arn:
        raise InputInvalid('The input must be {"execution_arn": "…"}, with the ARN of an execution of a release.')
    course = timeline.of(reading.own_history(stepfunctions, arn))
    told = reading.state_data(stepfunctions, arn, course)
    recovery, found = None, reading.Told()
    if recovery_arn:
        recovery = timeline.of(reading.own_history(stepfunctions, recovery_arn))
        found = reading.state_data(stepfunctions, recovery_arn, recovery)
    if told.state.get("execution_arn", arn) != arn:  # the state of a recovery has that of the release
        raise InputInvalid(f"{arn} is a recovery: the report is that of the release that it is about.")
    _require_present({arn: course, recovery_arn: recovery}.get(asked_by), asked_by)
    if recovery_arn and found.state.get("execution_arn") != arn:
        raise InputInvalid(f"{recovery_arn} is no recovery of {arn}.")
    return Sources(
        execution_arn=arn,
        timeline=course,
        state={**told.state, **found.state},
        answers=told.answers,
        now=now,
        memory_mb=memory_mb,
        cluster_name=cluster_name,
        recovery=recovery,
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


def _text(asked: Any, name: str) -> str:
    value = asked.get(name, "") if isinstance(asked, Mapping) else ""
    return value if isinstance(value, str) else ""


def _require_present(course: timeline.Timeline | None, asked_by: str) -> None:
    """Raises ``AwsUnavailable`` when an execution asks whose history does not yet tell of the state that does."""
    if asked_by and not (course and any(span.name == STATE and span.left_at is None for span in course.spans)):
        raise AwsUnavailable(f"The history of {asked_by} is behind: it does not tell of {STATE} yet.")


def _clients(given: Any) -> dict[str, Any] | None:
    """What clients saw, as whoever measured it says it; raises ``InputInvalid``."""
    if given is None:
        return None
    is_fit = isinstance(given, Mapping) and all(isinstance(given.get(name), kind) for name, kind in _OF_CLIENTS.items())
    if (
        not is_fit
        or not given["bin_ms"] > 0
        or len(given["acknowledged"]) > MOST_BINS
        or not math.isfinite(given["bin_ms"])
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
    said = {name: given[name] for name in _MAY_SAY if _is_number(given.get(name))}
    return {**{name: given[name] for name in _OF_CLIENTS}, **said}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
