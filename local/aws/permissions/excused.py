"""What roles may do although no run on this machine needs it, each with the reason. A row that is not needed is refused
as a permission that is not needed is."""

from __future__ import annotations

from dataclasses import dataclass

from .guard import Unit
from .policies import like


@dataclass(frozen=True)
class Excuse:
    """Patterns of the caller's name, the action and the resource, and why it stays."""

    caller: str
    action: str
    resource: str
    reason: str
    by_chance: bool = False
    """Whether some runs need it, by a retry at the right moment for instance, and others do not."""

    def fits(self, unit: Unit) -> bool:
        """Whether it is about this permission."""
        return (
            like(self.caller, unit.caller)
            and like(self.action, unit.statement.actions[0])
            and like(self.resource, unit.statement.resources[0])
        )


EXCUSES = (
    Excuse("*", "xray:*", "*", "X-Ray is off here"),
    Excuse("*", "logs:*", "*", "Lambda and Step Functions write their logs themselves; here they are files"),
)
