"""DynamoDB: a conditional write looks and then writes, without a lock, so that two at once may both succeed in moto."""

from __future__ import annotations

import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend

from .patching import Seams


def install(seams: Seams) -> None:
    """One write at a time."""
    lock = threading.RLock()

    def alone(original: Any, *args: Any, **kwargs: Any) -> Any:
        with lock:
            return original(*args, **kwargs)

    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        seams.wrap(DynamoDBBackend, name, alone)
