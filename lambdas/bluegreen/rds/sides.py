"""RDS of blue's account and of green's: which client asks, and which acts."""

from __future__ import annotations

from typing import Any, NamedTuple, Self


class Rds(NamedTuple):
    """The clients of one Region. Blue is read by the one, green is made, changed and read by the other.

    They are one and the same unless green is in another account.
    """

    blue: Any
    green: Any

    @classmethod
    def of_one(cls, client: Any) -> Self:
        """Both clusters are in the same account."""
        return cls(client, client)
