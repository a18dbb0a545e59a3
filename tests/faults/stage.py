"""Where trials happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from local.clients.sample import create_sample
from local.postgres.link import Links
from local.postgres.roles import create_role
from local.postgres.servers import Server
from local.world import BLUE, world
from tests.e2e.conftest import HOOK_ARN, deploy_hook, recover_soon, use_default_group
from tests.faults.trial import RECORD_TTL_S, TRIED, WRITER, Trial

BOSS, BOSS_PASSWORD = "boss", "a superuser of the application"
RELEASES_IN_A_WORLD = 16
"""Then a new one is made: rows, servers and mails pile up, and slow the next releases down."""


class Stage:
    """Where trials happen: a world that many share, and a new one after any that failed."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self._left = 0
        self._region = ""

    @contextmanager
    def trial(self, region: str = "") -> Iterator[Trial]:
        """A trial that has not begun; what it has left open is closed at the end.

        region  where production has a secondary; none when it is empty
        """
        if not self._left or region != self._region:
            self.close()
            self._region = region
            # Each worker is a process that has to be started.
            overrides = {"verify_workers": 1, "hook_function_arn": HOOK_ARN}
            self._running = self._undo.enter_context(
                world(
                    latency_s=0.1,
                    propagation_s=0.2,
                    record_ttl_s=RECORD_TTL_S,
                    overrides=overrides,
                    secondary_region=region,
                )
            )
            self._running.emulator.retry_scale = 0.1
            self._running.emulator.minute_s = 2.0  # the monitor is at work in the freeze as well
            recover_soon(self._running)
            rds, family = self._running.emulator.client("rds"), f"aurora-postgresql{self._running.blue.version}"
            use_default_group(rds, f"{BLUE}-1", family)
            deploy_hook(self._running)
            self._sample = create_sample(self._running.blue)
            prepare(self._running.blue)
            self._links = Links(self._running.aurora.new_address)
            self._undo.callback(self._links.close)
            self._left = RELEASES_IN_A_WORLD
        self._left -= 1
        trial = Trial(self._running, self._sample, self._links)
        try:
            yield trial
        except BaseException:
            self._left = 0
            raise
        finally:
            trial.close()

    def close(self) -> None:
        """Nothing remains."""
        self._undo.close()
        self._undo = ExitStack()


def prepare(blue: Server) -> None:
    """A table in which trials write by themselves, and a superuser who belongs to the application."""
    blue.execute("app", f"CREATE TABLE {TRIED} (id text PRIMARY KEY)")
    blue.execute("app", f"GRANT INSERT, SELECT ON {TRIED} TO {WRITER}")
    create_role(blue, BOSS, BOSS_PASSWORD, options="SUPERUSER")
