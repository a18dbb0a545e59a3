"""The records of Route 53 that move with a release, as the block of a database in cdk.json names them."""

from __future__ import annotations

from dataclasses import dataclass

from stacks.settings import setting as _setting
from stacks.settings import text as _text

HOST = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
REGION = r"[a-z]{2}(-[a-z]+)+-\d"
ZONE_ID = r"Z[0-9A-Z]{1,31}"


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """A record that moves with a release; its keys are those of `bluegreen.model.RecordKey`."""

    zone_id: str = _setting('the id of a Route 53 hosted zone, "Z…"', _text(ZONE_ID))
    name: str = _setting(
        'a host name of lower-case letters, digits and hyphens without a final dot; its first label may be "*"',
        _text(rf"(?=.{{1,253}}$)(\*\.)?{HOST}"),
    )
    endpoint: str = _setting('"writer" or "reader"', _text("writer|reader"))
    type: str = _setting('"CNAME" or "A"', _text("CNAME|A"), "CNAME")
    region: str = _setting(
        "a Region of secondary_regions, whose secondary's readers are meant, or \"\" for the primary cluster's",
        _text(rf"|{REGION}"),
        "",
    )
