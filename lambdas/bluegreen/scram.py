"""SCRAM-SHA-256 verifiers, computed here so that a clear-text password never reaches a server's log."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096
"""PostgreSQL's own default (``scram_iterations``)."""


def verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for a password; ``CREATE ROLE … PASSWORD`` takes it as it is.

    The password must be printable ASCII, as generated ones are: other characters would need SASLprep.
    Format: ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`` (RFC 5803, and the chapter on
    ``pg_authid`` of PostgreSQL's documentation).

    >>> verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")).split("$")[2]  # RFC 7677's example
    'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU='
    """
    if not password.isascii() or not password.isprintable():
        raise ValueError("a generated password is printable ASCII")
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
