"""Scripts that lie in S3, for tests that have no S3."""

from __future__ import annotations

import hashlib
import io
from typing import Any


class NoSuchKey(Exception):
    """As boto3 has it."""


class Bucket:
    """As much of a client of S3 as the reading of scripts takes; ``put`` is what a person does in the console."""

    exceptions = type("Exceptions", (), {"NoSuchKey": NoSuchKey})

    def __init__(self, **scripts: str | bytes) -> None:
        self.scripts: dict[str, str | bytes] = dict(scripts)

    def put(self, key: str, text: str | bytes) -> None:
        """A new version of a script."""
        self.scripts[key] = text

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (as in boto3)
        """The script of a key."""
        if Key not in self.scripts:
            raise NoSuchKey(f"{Bucket} {Key}")
        text = self.scripts[Key]
        content = text.encode() if isinstance(text, str) else text
        return {"Body": io.BytesIO(content), "ETag": f'"{hashlib.md5(content).hexdigest()}"'}  # noqa: S324

    def get_paginator(self, _operation: str) -> Any:
        """Everything on one page."""

        def paginate(*, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
            assert Bucket
            return [{"Contents": [{"Key": key} for key in sorted(self.scripts) if key.startswith(Prefix)]}]

        return type("Paginator", (), {"paginate": staticmethod(paginate)})
