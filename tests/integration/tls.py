"""TLS in front of a server that was built without: certificates made here, and what ends the encryption.

The handshake is a real one, of the shipped client with Python's `ssl`; behind the front it is the real server that asks
for the password and answers, unless something else stands for it (`login`).
"""

from __future__ import annotations

import datetime
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.postgres.servers import Server

SSL_REQUEST = struct.pack("!II", 8, 80877103)
Login = Callable[[ssl.SSLSocket, socket.socket], object]
"""What happens between the handshake and the session on the client's and on the server's connection; what it returns is
kept as long as the session lasts."""


class Authority:
    """A certificate authority as strict as those of RDS: its certificates satisfy Python 3.13's defaults."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        nothing_else = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **nothing_else)
        root = (
            self._builder(self._name, self._key.public_key(), _days(-2), _days(365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(self._identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(root.public_bytes(serialization.Encoding.PEM))

    def certify(self, host: str, *, until: datetime.datetime | None = None) -> ssl.SSLContext:
        """The server's side of TLS, with a certificate for a host name, for a month or until some time."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._identifier)
        certificate = (
            self._builder(subject, key.public_key(), _days(-2), until or _days(30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain = self._folder / f"{certificate.serial_number}.pem"
        plain = serialization.NoEncryption()
        chain.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _builder(
        self, subject: x509.Name, key: Any, begins: datetime.datetime, ends: datetime.datetime
    ) -> x509.CertificateBuilder:
        serial = x509.random_serial_number()
        return x509.CertificateBuilder(self._name, subject, key, serial, begins, ends)


class Front:
    """Listens beside a server and speaks TLS, or refuses to when it has no certificate; passes everything else on."""

    def __init__(self, server: Server, certificate: ssl.SSLContext | None, login: Login | None = None) -> None:
        self._server = server
        self._certificate = certificate
        self._login = login
        self.refusals: list[BaseException] = []
        """What the handshakes that failed said on this side."""
        self._listener = socket.create_server((server.address, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends every connection and takes no new one."""
        for one in (self._listener, *tuple(self._sockets)):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, socket.create_connection((self._server.address, self._server.port)) as server:
            self._sockets |= {plain, server}
            try:
                if exactly(plain, 8) != SSL_REQUEST or self._certificate is None:
                    plain.sendall(b"N")
                    return
                plain.sendall(b"S")
                with self._certificate.wrap_socket(plain, server_side=True) as client:
                    kept = self._login(client, server) if self._login else None
                    _pass_on(client, server)
                    del kept
            except OSError as error:  # of the handshake mostly: the client does not like the certificate
                self.refusals.append(error)
            finally:
                self._sockets -= {plain, server}


def exactly(source: socket.socket, count: int) -> bytes:
    """So many bytes; raises ConnectionError when the other side goes away before."""
    data = b""
    while len(data) < count:
        if not (chunk := source.recv(count - len(data))):
            raise ConnectionError("the other side went away")
        data += chunk
    return data


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Both directions until either side ends, by one thread: OpenSSL's connections are not for two."""
    while True:
        readable = [client] if client.pending() else select.select([client, server], [], [])[0]
        for source in readable:
            if not (data := source.recv(1 << 16)):
                return
            (server if source is client else client).sendall(data)


def _days(days: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
