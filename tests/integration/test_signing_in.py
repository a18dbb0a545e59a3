"""Getting into a real server: whose certificate is trusted, for which name; and a password that is rotated."""

from __future__ import annotations

import dataclasses
import datetime
import json
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bluegreen import postgres
from bluegreen.errors import DatabaseUnavailable, SqlError
from bluegreen.model import Cluster
from bluegreen.postgres import Credentials, Databases
from bluegreen.scram import verifier
from bluegreen.secrets import CachedLogin
from bluegreen.session import Session
from bluegreen.tokens import TokenLogin
from local.postgres.roles import create_role
from local.postgres.servers import Server
from tests.integration.conftest import _free_port
from tests.integration.iam import IamGate
from tests.integration.tls import Authority, Front

ROLE = "bluegreen_release"
PASSWORD = secrets.token_urlsafe(24)
HOST = "shop-blue.cluster-abc.eu-west-2.rds.amazonaws.com"
OTHER_HOST = "shop-blue.cluster-xyz.eu-west-2.rds.amazonaws.com"


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[Server]:
    made = Server.create(server_folder / "tls", 16, "127.0.1.1", _free_port())
    create_role(made, ROLE, PASSWORD)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "RDS")


@pytest.fixture
def databases(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Databases]:
    """The shipped way to a database, with our authority in the place of those of RDS."""
    monkeypatch.setattr(postgres, "CA_BUNDLE", authority.bundle)
    postgres._ssl_context.cache_clear()
    with closing(Databases(lambda _: [Credentials(ROLE, PASSWORD)])) as made:
        yield made
    postgres._ssl_context.cache_clear()


def connect(databases: Databases, front: Front, monkeypatch: pytest.MonkeyPatch, host: str = HOST) -> Session:
    """A session by an endpoint's name, which resolves to the front."""
    monkeypatch.setattr(postgres, "_socket", lambda _cluster: socket.create_connection(front.address, 10))
    return databases.on(Cluster("shop-blue", host, 5432), "postgres")


def test_a_certificate_of_the_authority_for_the_endpoint_is_trusted_and_the_session_encrypted(
    server: Server, authority: Authority, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Front(server, authority.certify(HOST))) as front:
        session = connect(databases, front, monkeypatch)
        assert session.run("SELECT current_user AS me") == [{"me": ROLE}]
        long = session.run("SELECT repeat('x', 1000000) AS text")[0]["text"]
        assert len(long) == 1_000_000
        assert isinstance(session._connection._usock, ssl.SSLSocket)
        assert session._connection._usock.version() in ("TLSv1.2", "TLSv1.3")


def _of_another_authority(_ours: Authority, folder: Path) -> ssl.SSLContext:
    return Authority(folder, "RDS").certify(HOST)  # of the same name, too


def _for_another_host(ours: Authority, _folder: Path) -> ssl.SSLContext:
    return ours.certify(OTHER_HOST)


def _expired(ours: Authority, _folder: Path) -> ssl.SSLContext:
    return ours.certify(HOST, until=datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1))


def _none(_ours: Authority, _folder: Path) -> None:
    return None


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (_of_another_authority, "certificate verify failed"),
        (_for_another_host, f"Hostname mismatch.*{HOST}"),
        (_expired, "certificate has expired"),
        (_none, "Server refuses SSL"),
    ],
)
def test_a_server_that_cannot_prove_who_it_is_gets_no_password(
    certificate: Callable[[Authority, Path], ssl.SSLContext | None],
    said: str,
    server: Server,
    authority: Authority,
    databases: Databases,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passed_on: list[object] = []
    front = Front(server, certificate(authority, tmp_path), lambda client, _server: passed_on.append(client.recv(1)))
    with closing(front), pytest.raises(DatabaseUnavailable, match=said) as raised:
        connect(databases, front, monkeypatch)
    assert HOST in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert not [byte for byte in passed_on if byte]


def test_the_shipped_settings_are_those_that_are_tried_here() -> None:
    """Nobody has turned the checks off in the context that functions use, and it trusts nothing but the bundle."""
    postgres._ssl_context.cache_clear()
    context = postgres._ssl_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    names = [str(each["subject"]) for each in context.get_ca_certs()]
    assert names
    assert all("Amazon RDS" in name for name in names)


class Rotation:
    """The four steps of a rotation function for a single user, one at a time, on a secret and on a server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client = boto3.client("secretsmanager", "eu-west-2")
        made = self._client.create_secret(Name="release-role", SecretString=self._new())
        self._current = made["VersionId"]
        self.set_password()
        self.cluster = Cluster("shop-blue", server.address, server.port)

    def login(self) -> CachedLogin:
        """What a function that starts now holds."""
        return CachedLogin(self._client, "release-role")

    def create_secret(self) -> None:
        version = secrets.token_hex(16)
        given: dict[str, Any] = {"ClientRequestToken": version, "SecretString": self._new()}
        self._client.put_secret_value(SecretId="release-role", VersionStages=["AWSPENDING"], **given)
        self._pending = version

    def set_password(self) -> None:
        self._server.execute("postgres", f"ALTER ROLE {ROLE} PASSWORD '{verifier(self._password)}'")

    def finish_secret(self) -> None:
        self._client.update_secret_version_stage(
            SecretId="release-role",
            VersionStage="AWSCURRENT",
            MoveToVersionId=self._pending,
            RemoveFromVersionId=self._current,
        )
        self._current = self._pending

    def _new(self) -> str:
        self._password = secrets.token_urlsafe(24)
        return json.dumps({"username": ROLE, "password": self._password})


@pytest.fixture
def rotation(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rotation]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Rotation(server)
    server.execute("postgres", f"ALTER ROLE {ROLE} PASSWORD '{verifier(PASSWORD)}'")


def new_session(databases: Databases, rotation: Rotation) -> bool:
    """A warm function connects anew, as after a failover: what it has in memory is what it read at its start."""
    databases.close()
    return databases.on(rotation.cluster, "postgres").run("SELECT current_user AS me") == [{"me": ROLE}]


def test_a_warm_function_gets_in_at_every_step_of_a_rotation(rotation: Rotation) -> None:
    with closing(Databases(rotation.login(), "disable")) as warm:
        for _ in range(2):
            open_already = warm.on(rotation.cluster, "postgres")
            for step in (rotation.create_secret, rotation.set_password, rotation.finish_secret):
                step()
                assert open_already.run("SELECT 1 AS one") == [{"one": 1}]
            for step in (rotation.create_secret, rotation.set_password, rotation.finish_secret):
                step()
                assert new_session(warm, rotation), step.__name__
                with closing(Databases(rotation.login(), "disable")) as cold:
                    assert new_session(cold, rotation), step.__name__


def test_a_green_that_was_cloned_before_a_rotation_lets_us_in_and_gets_the_new_password(rotation: Rotation) -> None:
    """The rotation function gives it to blue alone, so that after the second one nothing known would fit green."""
    with closing(Databases(rotation.login(), "disable")) as databases:
        for _ in range(3):
            rotation.create_secret()
            rotation.finish_secret()  # of blue; the server stands for green
            assert new_session(databases, rotation)


def test_a_password_that_is_in_no_version_is_refused_by_its_code(rotation: Rotation, server: Server) -> None:
    server.execute("postgres", f"ALTER ROLE {ROLE} PASSWORD '{verifier('another one')}'")
    with closing(Databases(rotation.login(), "disable")) as databases, pytest.raises(SqlError) as raised:
        new_session(databases, rotation)
    assert raised.value.sqlstate == "28P01"


@pytest.mark.parametrize(
    ("user", "endpoint", "secret_key", "lets_in"),
    [
        (ROLE, HOST, "of the function", True),
        (ROLE, HOST, "of somebody else", False),
        (ROLE, OTHER_HOST, "of the function", False),
        ("bluegreen_other", HOST, "of the function", False),
    ],
)
def test_a_token_of_iam_lets_the_releases_role_into_the_endpoint_that_it_was_signed_for(
    user: str,
    endpoint: str,
    secret_key: str,
    lets_in: bool,
    server: Server,
    authority: Authority,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = {"aws_access_key_id": "OFTHEFUNCTION", "aws_secret_access_key": "of the function"}
    login = TokenLogin(boto3.client("rds", "eu-west-2", **own), ROLE)
    gate = IamGate("OFTHEFUNCTION", secret_key, "eu-west-2", f"{endpoint}:5432", PASSWORD)
    if user != ROLE:
        monkeypatch.setattr(gate, "_is_signed", lambda token, _asked: IamGate._is_signed(gate, token, user))
    signing_in = dataclasses.replace(databases, credentials=login, _sessions={})
    with closing(Front(server, authority.certify(HOST), gate)) as front, closing(signing_in):
        if lets_in:
            session = connect(signing_in, front, monkeypatch)
            assert session.run("SELECT current_user AS me") == [{"me": ROLE}]
            assert session.run("SHOW row_security") == [{"row_security": "off"}], "what a session begins with"
        else:
            with pytest.raises(SqlError, match="PAM authentication failed") as raised:
                connect(signing_in, front, monkeypatch)
            assert raised.value.sqlstate == "28000"
            assert gate.tokens[0] not in str(raised.value)
    assert len(gate.tokens) == 1
