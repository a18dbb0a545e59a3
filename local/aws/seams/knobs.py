"""What the seams ask of the emulator, and of the embedded Aurora, that installed them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from local.aws.permissions.guard import Guard
from local.postgres.servers import Server


class Knobs(Protocol):
    """`local.aws.emulator.Emulator` says what each of them does."""

    propagation_s: float
    refuse_next_change: str | None
    retry_scale: float
    minute_s: float
    closing: threading.Event
    session_lock: threading.Lock
    guard: Guard


class Compute(Protocol):
    """`local.aws.aurora.EmbeddedAurora` says what each of them does."""

    folder: Path
    region: str
    latency_s: float
    master_password: str
    servers: dict[str, Server]
    lock: threading.RLock

    def new_address(self) -> str: ...
    def take_failure(self, identifier: str) -> str | None: ...
    def in_background(self, work: Callable[..., None], *arguments: Any) -> None: ...
    def pause(self, seconds: float) -> bool: ...
