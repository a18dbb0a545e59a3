"""What RDS does with a token in the place of a password: asks for it in the clear, and checks whose signature it is.

The session behind it is one of the real server, for which the gate has the password.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import struct
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

import pg8000.native

from tests.integration.tls import exactly

AUTHENTICATION_OK, CLEARTEXT_PASSWORD = 0, 3


@dataclass
class IamGate:
    """Lets a role in that may sign in by a token of one access key, on one endpoint."""

    access_key: str
    secret_key: str
    region: str
    endpoint: str
    password: str
    tokens: list[str] = field(default_factory=list)

    def __call__(self, client: ssl.SSLSocket, server: socket.socket) -> object:
        """Stands for the server until the client is in; returns the server's session."""
        (length,) = struct.unpack("!I", exactly(client, 4))
        parts = exactly(client, length - 4)[4:].rstrip(b"\0").split(b"\0")
        startup = {key.decode(): value.decode() for key, value in zip(parts[::2], parts[1::2], strict=True)}
        client.sendall(b"R" + struct.pack("!II", 8, CLEARTEXT_PASSWORD))
        exactly(client, 1)
        (length,) = struct.unpack("!I", exactly(client, 4))
        token = exactly(client, length - 4).rstrip(b"\0").decode()
        self.tokens.append(token)
        user, database = startup.pop("user"), startup.pop("database")
        if not self._is_signed(token, user):
            said = f'SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user "{user}"\0\0'.encode()
            client.sendall(b"E" + struct.pack("!I", len(said) + 4) + said)
            raise ConnectionError("refused")
        given = {"database": database, "application_name": startup.pop("application_name"), "startup_params": startup}
        session = pg8000.native.Connection(user, password=self.password, sock=server, ssl_context=False, **given)
        client.sendall(b"R" + struct.pack("!II", 8, AUTHENTICATION_OK) + b"Z" + struct.pack("!I", 5) + b"I")
        return session

    def _is_signed(self, token: str, user: str) -> bool:
        """AWS Signature Version 4 of a GET request with an empty body, computed without the SDK that made it."""
        host, _, query = token.partition("/?")
        fields = dict(parse_qsl(query))
        signature = fields.pop("X-Amz-Signature", "")
        scope = f"{fields['X-Amz-Date'][:8]}/{self.region}/rds-db/aws4_request"
        expected = {"Action": "connect", "DBUser": user, "X-Amz-Credential": f"{self.access_key}/{scope}"}
        if host != self.endpoint or not expected.items() <= fields.items() or int(fields["X-Amz-Expires"]) > 900:
            return False
        canonical = "&".join(f"{key}={quote(value, safe='-_.~')}" for key, value in sorted(fields.items()))
        request = "\n".join(["GET", "/", canonical, f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()])
        text = "\n".join(
            ["AWS4-HMAC-SHA256", fields["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()]
        )
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.compare_digest(signature, hmac.digest(key, text.encode(), "sha256").hex())
