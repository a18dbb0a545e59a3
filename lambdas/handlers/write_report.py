"""WriteReport: what happened, as a document and a page in S3. It talks to no database."""

from __future__ import annotations

from datetime import UTC, datetime

from bluegreen.model import State
from bluegreen.report.measures import measures
from bluegreen.report.record import record
from bluegreen.report.writing import gather, store, with_samples

from .entry import Result, client, entry, json_setting, measure, setting


@entry
def handler(state: State) -> Result:
    memory_mb = json_setting("FUNCTION_MEMORY_MB")
    sources = gather(client("stepfunctions"), state, setting("CLUSTER_NAME"), memory_mb, datetime.now(UTC))
    sources = with_samples(sources, client("dynamodb"), setting("SAMPLE_TABLE"))
    document, s3 = record(sources), client("s3")
    if "asked_by" in state:  # a person who has it written again adds no figures
        measure(measures(document))
    return store(s3, setting("REPORT_BUCKET"), s3.meta.region_name, document)
