"""IAM database authentication: the release's role gets in by tokens that its function's own role signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .model import Cluster
from .postgres import Credentials


class TokenLogin:
    """A new token for each connection. Signing asks nobody; for 15 minutes RDS takes it, of an endpoint by its own name
    alone (Aurora User Guide, "IAM database authentication")."""

    def __init__(self, rds: Any, username: str) -> None:
        self._rds = rds
        self._username = username

    def __call__(self, cluster: Cluster) -> Iterator[Credentials]:
        where = {"DBHostname": cluster.host, "Port": cluster.port, "DBUsername": self._username}
        yield Credentials(self._username, self._rds.generate_db_auth_token(**where), is_token=True)
