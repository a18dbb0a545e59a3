"""Scripts of SQL as they lie in S3: found, read, and identified by what they say."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import ChangesRefused
from ..model import Change, Plan

MAX_SCRIPT_BYTES = 16 * 2**20
MAX_SCRIPTS = 200
"""What is known of each travels through the state machine."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script for one database, in the version that was read."""

    database: str
    bucket: str
    key: str
    version: str
    """S3's version id where the bucket keeps versions, else the ETag."""
    sha256: str
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def text(self) -> str:
        """The script as text; a byte order mark is left out. Raises ``UnicodeDecodeError`` or ``ValueError``."""
        text = self.content.removeprefix(codecs.BOM_UTF8).decode()
        if "\0" in text:
            raise ValueError("it holds a NUL")
        return text


def read_all(s3: Any, plan: Plan) -> list[Script]:
    """All scripts of a release, in the order in which they run. Raises ``ChangesRefused`` with all that is missing."""
    found: list[Script] = []
    problems: list[str] = []
    for change in plan.changes:
        keys = list(_keys(s3, change))
        if not keys:
            problems.append(f"s3://{change.bucket}/{change.key}: there is no script")
        for key in keys:
            if any((each.database, each.key) == (change.database, key) for each in found):
                problems.append(f"s3://{change.bucket}/{key}: named twice for {change.database}")
            elif len(found) >= MAX_SCRIPTS:
                raise ChangesRefused(f"There are more than {MAX_SCRIPTS} scripts: put several into one.")
            elif (script := _read(s3, change, key)) is None:
                problems.append(f"s3://{change.bucket}/{key}: there is no such object, or it is not a script")
            elif len(script.content) > MAX_SCRIPT_BYTES:
                problems.append(f"{script}: longer than {MAX_SCRIPT_BYTES} bytes")
            else:
                found.append(script)
    if problems:
        raise ChangesRefused(f"The scripts cannot be read. {'; '.join(problems)}.")
    return found


def _keys(s3: Any, change: Change) -> Iterator[str]:
    """The key itself, or all keys below a prefix in their order, but the empty objects that stand for folders."""
    if not change.key.endswith("/"):
        yield change.key
        return
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=change.bucket, Prefix=change.key):
        yield from (each["Key"] for each in page.get("Contents", ()) if not each["Key"].endswith("/"))


def _read(s3: Any, change: Change, key: str) -> Script | None:
    try:
        answer = s3.get_object(Bucket=change.bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return None
    content = answer["Body"].read(MAX_SCRIPT_BYTES + 1)
    version = answer.get("VersionId") or answer["ETag"].strip('"')
    return Script(change.database, change.bucket, key, version, hashlib.sha256(content).hexdigest(), content)
