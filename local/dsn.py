"""Where a PostgreSQL database is, as libpq writes it: postgresql://user:password@host:port/database?sslmode=…"""

from __future__ import annotations

import getpass
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pg8000.native

CONNECT_TIMEOUT_S = 10
SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_PARAMETERS = {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "passfile", "application_name"}


class DsnError(Exception):
    """The address is not one, or says something that is not supported; the message never shows a password."""


@dataclass(frozen=True, slots=True)
class Dsn:
    """One database and how to log in."""

    host: str
    """A name or address, or the folder of a socket."""
    port: int
    user: str
    database: str
    password: str | None = field(default=None, repr=False)
    sslmode: str = "prefer"
    sslrootcert: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str] = os.environ) -> Dsn:
        """Reads a URI; what it leaves out comes from PGHOST and the like, a password from the passfile at last.

        >>> Dsn.of("postgresql://ann:secret@[::1]:5433/my%20app?sslmode=verify-full", {})
        Dsn(host='::1', port=5433, user='ann', database='my app', sslmode='verify-full', sslrootcert=None)
        >>> Dsn.of("postgresql:///app?host=/run/postgresql", {"PGUSER": "ann"}).host
        '/run/postgresql'
        >>> Dsn.of("mysql://ann:secret@host/app", {})
        Traceback (most recent call last):
        local.dsn.DsnError: expected postgresql://user@host:port/database
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise DsnError("expected postgresql://user@host:port/database") from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise DsnError("expected postgresql://user@host:port/database")
        given = dict(parse_qsl(parts.query))
        if unknown := sorted(set(given) - _PARAMETERS):
            raise DsnError(f"not supported: {', '.join(unknown)}; known are {', '.join(sorted(_PARAMETERS))}")
        host = given.get("host") or unquote(parts.hostname or "") or environment.get("PGHOST") or "localhost"
        if "," in parts.netloc or "," in host:
            raise DsnError("one host is expected")
        user = given.get("user") or unquote(parts.username or "") or environment.get("PGUSER") or getpass.getuser()
        database = given.get("dbname") or unquote(parts.path[1:]) or environment.get("PGDATABASE") or user
        sslmode = given.get("sslmode") or environment.get("PGSSLMODE") or "prefer"
        if sslmode not in SSL_MODES:
            raise DsnError(f"sslmode {sslmode}: expected {', '.join(SSL_MODES)}")
        number = str(given.get("port") or port or environment.get("PGPORT") or 5432)
        if not number.isdecimal():
            raise DsnError(f"port {number}: expected a number")
        password = given.get("password") or unquote(parts.password or "") or environment.get("PGPASSWORD")
        passfile = Path(given.get("passfile") or environment.get("PGPASSFILE") or Path.home() / ".pgpass")
        return cls(
            host,
            int(number),
            user,
            database,
            password or _from_passfile(passfile, host, int(number), database, user),
            sslmode,
            given.get("sslrootcert") or environment.get("PGSSLROOTCERT"),
        )

    def connect(self, settings: Mapping[str, str]) -> pg8000.native.Connection:
        """A connection with some settings, in autocommit."""
        if self.host.startswith("/"):
            link, place = socket.socket(socket.AF_UNIX), f"{self.host}/.s.PGSQL.{self.port}"
            link.settimeout(CONNECT_TIMEOUT_S)
            link.connect(place)
        else:
            link = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            connection = pg8000.native.Connection(
                self.user,
                host=self.host,
                database=self.database,
                password=self.password or "",  # pg8000 cannot tell that none was asked for
                sock=link,
                ssl_context=False if self.host.startswith("/") else self._ssl_context(),
                application_name="bluegreen verify",
                startup_params=dict(settings),
            )
        except BaseException:
            link.close()
            raise
        connection._usock.settimeout(None)  # a statement may take its time
        return connection

    def _ssl_context(self) -> Any:
        """What pg8000 takes: None is for trying TLS first, False for none."""
        if self.sslmode in ("disable", "prefer"):
            return None if self.sslmode == "prefer" else False
        context = ssl.create_default_context(cafile=self.sslrootcert)
        context.check_hostname = self.sslmode == "verify-full"
        if self.sslmode == "require" and not self.sslrootcert:
            context.verify_mode = ssl.CERT_NONE
        return context


def _from_passfile(path: Path, host: str, port: int, database: str, user: str) -> str | None:
    if not path.is_file():
        return None
    asked = ("localhost" if host.startswith("/") else host, str(port), database, user)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        parts = [re.sub(r"\\(.)", r"\1", part) for part in re.findall(r"((?:\\.|[^:\\])*)(?::|$)", line)]
        if len(parts) > 4 and all(part in ("*", value) for part, value in zip(parts, asked, strict=False)):
            return parts[4]
    return None
