"""Where a database is, from its URI, the environment and the passfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.dsn import Dsn, DsnError


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("host=a dbname=b", "postgresql://"),
        ("postgresql://a:secret@h:port/d", "postgresql://"),
        ("postgresql://a:secret@h,i/d", "one host"),
        ("postgresql://a:secret@h/d?sslmode=allow", "sslmode"),
        ("postgresql://a:secret@h/d?service=x", "service"),
        ("postgresql://a:secret@h/d?port=x", "port x"),
    ],
)
def test_what_is_not_supported_is_said_without_the_password(uri: str, part: str) -> None:
    with pytest.raises(DsnError, match=part) as caught:
        Dsn.of(uri, {})
    assert "secret" not in str(caught.value)


def test_the_password_comes_from_the_uri_the_environment_or_the_passfile(tmp_path: Path) -> None:
    passfile = tmp_path / "passfile"
    passfile.write_text("# all\nother:*:*:*:no\nh:5432:*:a\\:b:pa\\\\ss\\:word\n*:*:*:*:any\n")
    environment = {"PGPASSFILE": str(passfile)}
    assert Dsn.of("postgresql://a:uri@h/d", {**environment, "PGPASSWORD": "env"}).password == "uri"
    assert Dsn.of("postgresql://a@h/d", {**environment, "PGPASSWORD": "env"}).password == "env"
    assert Dsn.of("postgresql://a%3Ab@h/d", environment).password == "pa\\ss:word"
    assert Dsn.of("postgresql://a@h/d", environment).password == "any"
    assert "any" not in repr(Dsn.of("postgresql://a@h/d", environment))


def test_tls_is_checked_as_asked() -> None:
    contexts = {mode: Dsn("h", 1, "u", "d", sslmode=mode)._ssl_context() for mode in ("disable", "prefer", "require")}
    assert (contexts["disable"], contexts["prefer"]) == (False, None)
    assert not contexts["require"].verify_mode
    assert Dsn("h", 1, "u", "d", sslmode="verify-full")._ssl_context().check_hostname
    assert Dsn("h", 1, "u", "d", sslmode="verify-ca")._ssl_context().verify_mode
