"""A reader instance of blue, for comparing what may be read a moment late.

A reader shows blue as it was. That is as good as a look that was taken earlier, if what it shows is no older than the
recorders: whatever was changed after the look then is in the log, and is compared again (ADR 6). So a session is used
only when a row that was committed after the recorders were made has been seen by it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from .. import lag
from ..errors import DatabaseUnavailable, SqlError
from ..model import Plan
from ..postgres import Databases
from ..session import Session
from .tables import fix_output

LAG_S = 1.0
"""A reader that is further behind is left alone: much of what it shows would be looked at on the writer once more."""

LOOKED_EVERY_S = 30.0


@dataclass(slots=True)
class Reader:
    """Of one database, for one worker. ``writer`` is the worker's session on blue, which must be free when asked."""

    databases: Databases
    plan: Plan
    database: str
    writer: Session
    _session: Session | None = field(default=None)
    _until: float = 0.0

    def session(self) -> Session | None:
        """A session on a reader that is in step; None when there is none, and so for the next half minute."""
        if time.monotonic() >= self._until or (self._session and not self._session.alive()):
            self._session = self._look()
            self._until = time.monotonic() + LOOKED_EVERY_S
        return self._session

    def _look(self) -> Session | None:
        if not self.plan.blue.reader_host:
            return None
        instance = replace(self.plan.blue, host=self.plan.blue.reader_host)
        try:
            session = self.databases.on(instance, self.database)
            if not session.one("is_reader")["is_reader"]:
                return None  # without readers, their endpoint leads to the writer
            fix_output(session)
            lag_s = lag.sentinel_round_trip_s(self.writer, session, self.plan.release_id)
        except (DatabaseUnavailable, SqlError):
            return None
        return session if lag_s is not None and lag_s <= LAG_S else None
