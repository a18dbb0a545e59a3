"""Login roles of the embedded servers, and Aurora's rule that members of `rds_replication` may replicate.

Community PostgreSQL lets a role start a WAL sender only if it has the REPLICATION attribute. Aurora accepts members
of `rds_replication` and refuses ALTER ROLE … REPLICATION to everybody, so the shipped SQL says GRANT. No hook inside
PostgreSQL can turn the one into the other: event triggers ignore roles, and catalogs take no triggers.
`ReplicationRule` does it from outside, when it matters: after each function of the release has returned (the next one
is what connects), and every now and then for people at a prompt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier, literal

from local.postgres.servers import Server, ServerError

_GONE = (InterfaceError, DatabaseError, OSError)
_ITERATIONS = 4096  # what PostgreSQL's own scram_iterations is by default


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5802): the password itself never reaches a server or its log."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(value).decode() for value in (salt, stored, server)]
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *encoded)


def create_role(server: Server, name: str, password: str, *, options: str = "", member_of: Sequence[str] = ()) -> None:
    """Create a role that can log in; `options` are keywords of CREATE ROLE such as `SUPERUSER`."""
    groups = f"IN ROLE {', '.join(map(identifier, member_of))}" if member_of else ""
    verifier = literal(scram_verifier(password))
    server.execute("postgres", f"CREATE ROLE {identifier(name)} LOGIN {options} PASSWORD {verifier} {groups}")


def create_master(server: Server, password: str) -> None:
    """Create `postgres`, the master user that RDS makes: no superuser, but administrator of `rds_superuser`."""
    create_role(server, "postgres", password, options="CREATEROLE CREATEDB")
    server.execute("postgres", "GRANT rds_superuser TO postgres WITH ADMIN OPTION")


# The lock keeps out other changes of roles between looking and acting: of two at once, one fails with "tuple
# concurrently updated", and it might be the release's. Nothing is locked while nothing has to be changed. Membership
# by way of another group does not count: the attribute would let `postgres` hand it on, which Aurora refuses.
_RULE = """
DO $$
DECLARE r record;
BEGIN
    IF NOT EXISTS (SELECT FROM {differing}) THEN RETURN; END IF;
    LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
    FOR r IN SELECT * FROM {differing} LOOP
        EXECUTE format('ALTER ROLE %I %s', r.rolname, CASE WHEN r.member THEN 'REPLICATION' ELSE 'NOREPLICATION' END);
    END LOOP;
END $$
""".replace(
    "{differing}",
    """(
        SELECT rolname, rolreplication, member FROM pg_roles, LATERAL (SELECT EXISTS (
            SELECT FROM pg_auth_members m WHERE m.member = pg_roles.oid AND m.roleid = 'rds_replication'::regrole
        ) AS member) AS membership
        WHERE NOT rolsuper AND rolname !~ '^(rds|pg_)' AND rolreplication <> member
    ) AS differing""",
)


class ReplicationRule:
    """Gives REPLICATION to the members of `rds_replication` and takes it from everybody else but superusers.

    Holds one connection to each server, in Aurora's own database `rdsadmin`, where it is in nobody's way.
    """

    def __init__(self) -> None:
        self._connections: dict[Server, Connection] = {}
        self._lock = threading.Lock()

    def apply(self, servers: Iterable[Server]) -> None:
        """Make the attribute follow the membership on each server that runs; when this returns, it does.

        A server that goes away meanwhile is passed over: nobody can connect to it either.
        """
        with self._lock:
            for server in servers:
                if server.running:
                    self._apply(server)

    def _apply(self, server: Server) -> None:
        known = self._connections.pop(server, None)
        try:
            connection = known or server.connect("rdsadmin")
        except _GONE:
            return
        try:
            connection.run(_RULE)
        except _GONE as error:
            _close(connection)
            if known:  # the connection was from before a restart
                self._apply(server)
            elif server.running:
                raise ServerError(f"cannot look after the roles of {server}: {error}") from error
        else:
            self._connections[server] = connection

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for connection in self._connections.values():
                _close(connection)
            self._connections.clear()


def _close(connection: Connection) -> None:
    with suppress(*_GONE):
        connection.close()
