"""What must not leave the account is taken out of texts, in every form that holds it, and nothing else is."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from typing import Any, Never

import pytest

from bluegreen.completion import explanation
from bluegreen.scrubbing import REMOVED, TEXT_CHARACTERS, scrubbed
from tests.unit.histories import TOKEN

PLANTED = "hunter2"
DEADLINE_S = 30
ACCESS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCY" + "EXAMPLEKEY"


def as_json(*values: Any) -> str:
    """JSON within JSON within JSON, as causes of Step Functions are."""
    return json.dumps({"errorMessage": json.dumps({"errorMessage": json.dumps(values)})})


@pytest.mark.parametrize(
    "text",
    [
        # URLs
        "postgresql://me:hunter2@blue/app",
        "postgresql://me:p@hunter2@blue/app",
        "postgresql://me:p hunter2 @blue/app refused",
        "postgresql://me:p@s hunter2@blue:5432/app refused",
        "postgresql://me:p/hunter2@blue/app",
        "postgresql://:hunter2@blue/app",
        "postgres://a:x@blue/app to postgres://b:hunter2@green/app",
        "https://host:8080/x?password=y@hunter2",
        "postgresql://blue/app?user=me&password=a%20hunter2",
        # names and values
        "host=blue password=hunter2 user=me",
        r"password=with\ hunter2",
        "password = 'two hunter2'",
        r"password='it\'s hunter2'",
        "password='it''s hunter2'",
        "CONNECTION 'host=blue password=''two hunter2'' dbname=app'",
        "CONNECTION 'host=blue password=''two hunter2'''",
        "password='never closed, hunter2",
        "PGPASSWORD=hunter2 psql",
        "psql --password hunter2",
        "Passwd: hunter2",
        "pwd=hunter2;",
        '{"password": "two hunter2"}',
        '{"password":"","token":"two hunter2"}',
        '{"SecretString": "{\\"username\\": \\"me\\", \\"password\\": \\"hunter2\\"}"}',
        as_json({"password": 'a "quoted" hunter2'}),
        as_json({"password": "a backslash \\", "secret_string": "hunter2"}),
        as_json("x", {"taskToken": "it's hunter2", "y": 1}),
        '""password"": ""two hunter2""',
        "{'client_secret': 'two hunter2'}",
        "aws_session_token=hunter2",
        "X-Amz-Security-Token=hunter2&x=y",
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2&X-Amz-Date=x",
        "https://page/20261124-0010-299517?request=x&expires=1&signature=hunter2",
        "api_key: hunter2",
        "secret=hunter2",
        "Secret: hunter2",
        "secret: 'two hunter2'",
        "pass=hunter2",
        "DB_PASS=hunter2",
        "DB_PASS: hunter2",
        "dbPass=hunter2",
        "userpass=hunter2",
        "userpwd=hunter2",
        "password => 'two hunter2'",
        '"password"=>"two hunter2"',
        "password -> hunter2",
        "password := 'two hunter2'",
        "password == 'two hunter2'",
        "PASSWORD('two hunter2')",
        "password ( \"it's hunter2\" )",
        "PASSWORD(E'it\\'s hunter2')",
        "password%3Dhunter2",
        "password%253Dhunter2",
        "%22password%22%3A%20%22hunter2%22",
        r"password=E'it\'s hunter2'",
        "'password': b'two hunter2'",
        "Password: a b hunter2",
        "Password: x,y=hunter2",
        "password : correct horse hunter2, and more",
        "Password:\n two hunter2\nuser: me",
        # lists
        "('password', 'two hunter2')",
        "[('user', 'me'), ('db_password' , b'two hunter2')]",
        "('password', \"it's hunter2\")",
        as_json(["password", "two hunter2"]),
        # headers
        "Authorization: Basic hunter2",
        "authorization: AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=hunter2",
        '{"Authorization": "Bearer hunter2"}',
        "Cookie: session=x; other=hunter2",
        "called with Bearer hunter2",
        # SQL
        "ALTER ROLE me PASSWORD 'hunter2'",
        "ALTER ROLE me ENCRYPTED PASSWORD\n  'it''s hunter2' VALID UNTIL 'infinity'",
        r"ALTER ROLE me PASSWORD E'it\'s hunter2'",
        r"ALTER ROLE me PASSWORD E'two \\' 'hunter2'",
        "ALTER ROLE me PASSWORD U&'hunter2'",
        "ALTER ROLE me PASSWORD $$it's hunter2$$",
        "ALTER ROLE me PASSWORD $tag$it's $$ hunter2$tag$",
        "ALTER ROLE me PASSWORD $$never closed, hunter2",
        "ALTER ROLE me PASSWORD /* as * agreed */ 'hunter2'",
        "ALTER ROLE me PASSWORD -- as agreed\n 'hunter2'",
        "ALTER ROLE me PASSWORD 'two'\n'hunter2'",
        "ALTER ROLE me PASSWORD 'never closed, hunter2",
        "CREATE USER MAPPING FOR me SERVER s OPTIONS (user 'me', password 'two hunter2')",
        json.dumps("ALTER ROLE me PASSWORD\n'hunter2'"),
        repr("ALTER ROLE \"me\" PASSWORD 'two hunter2'"),
        # keys
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)  # fmt: skip
def test_a_secret_is_removed_to_its_end(text: str) -> None:
    cleaned = scrubbed(f"it failed: {text}")
    assert PLANTED not in cleaned
    assert REMOVED in cleaned
    assert cleaned.startswith("it failed: ")
    assert scrubbed(cleaned) == cleaned
    assert PLANTED not in json.dumps(scrubbed(["x", {"deep": (text,)}, {text: 1}]))


@pytest.mark.parametrize(
    "secret",
    [
        ACCESS_KEY,
        SECRET_KEY,
        TOKEN,
        "SCRAM-SHA-256$4096:" + base64.b64encode(b"salt" * 4).decode() + "$c3RvcmVk:c2VydmVy",
        "md5" + "0123456789abcdef" * 2,
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk_-",
    ],
)
@pytest.mark.parametrize("text", ["{}", "with {} it failed", '{{"x": "{}"}}', "refused:{},\nas before"])
def test_what_is_a_secret_by_its_looks_is_removed_wherever_it_stands(text: str, secret: str) -> None:
    assert scrubbed(text.format(secret)) == text.format(REMOVED)


def test_what_a_key_of_a_document_calls_a_secret_is_removed() -> None:
    document = {"password": "hunter2", "taskToken": "x", "n": 1, "token": None, "DB_PASS": "x", "secret": "x"}
    removed = dict.fromkeys(["password", "taskToken", "DB_PASS", "secret"], REMOVED)
    assert scrubbed(document) == document | removed
    assert scrubbed(harmless := {"secret_arn": "x", "passed": "x", "bypass": "x"}) == harmless


def test_why_a_release_failed_is_told_without_secrets() -> None:
    told = explanation(
        {
            "Error": "BlueUnfit",
            "Cause": json.dumps({"errorMessage": "Refused:\npassword=hunter2 host=blue"}),
            "hook_failure": {"Error": "PageStuck", "Cause": "postgresql://me:hunter2@page/app refused"},
        }
    )
    assert told.startswith("Refused:\npassword=(removed) host=blue After that the hook failed")
    assert told.endswith("PageStuck: postgresql://me:(removed)@page/app refused")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgresql://me:x@blue:5432/app refused", "postgresql://me:(removed)@blue:5432/app refused"),
        ("ALTER ROLE me PASSWORD 'x' VALID UNTIL 'now'", "ALTER ROLE me PASSWORD (removed) VALID UNTIL 'now'"),
        ('{"password": "a \\" b", "user": "me"}', '{"password": "(removed)", "user": "me"}'),
        ("password='x' host=blue", "password='(removed)' host=blue"),
        ("ALTER ROLE me PASSWORD $1", "ALTER ROLE me PASSWORD $1"),
        ("password='' host=blue", "password='' host=blue"),
        ("Cookie: x\nstate: y", "Cookie: (removed)\nstate: y"),
        ("Password: a b c\nstate: y", "Password: (removed)\nstate: y"),
        ("Password: a b c user: me", "Password: (removed) user: me"),
        ("Password: a b c host=blue", "Password: (removed) host=blue"),
        ("('password', 'x'), ('user', 'me')", "('password', '(removed)'), ('user', 'me')"),
        ("SELECT PASSWORD('x') AS y", "SELECT PASSWORD('(removed)') AS y"),
        ("password => 'x', user => 'me'", "password => '(removed)', user => 'me'"),
        (r"password=E'it\'s x' host=blue", "password=E'(removed)' host=blue"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, cleaned: str) -> None:
    assert scrubbed(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Schema, roles, grants, settings and passwords are the same; passwords cannot be compared",
        'password authentication failed for user "bluegreen_release"',
        "{'S': 'FATAL', 'C': '28P01', 'M': 'password authentication failed for user \"x\"'}",
        "the secret of the replication user could not be read: ResourceNotFoundException",
        "the secrets: two of them; bypass=1, compass: north, passes=2, passed: 3",
        "the comparison did not pass: 3 of 4 tables differ",
        "column 'password' of 'users' is new, as is 'token' of 'devices'",
        '["users need a password", "orders need none"]',
        "the task token was used; the signature is not valid",
        "arn:aws:states:eu-west-2:123456789012:execution:bluegreen-shop-release:demo-1795479043818955171",
        "https://eu-west-2.console.aws.amazon.com/states/home?region=eu-west-2#/v2/executions/details/arn:aws:x:y",
        "s3://bluegreen-shop-reports/releases/20261123-2246-36ecea/report.html, ask ada@example.com",
        "Ada <ada@example.com>: “approved, see https://example.com/change/17”",
        "db.shop.internal CNAME at 127.0.1.1:57509, start LSN 0/2900B70",
        "sha256 903bcd0369efab6a903bcd0369efab6a903bcd0369efab6a903bcd0369efab6a",
        "at the commit d236f80d236f80d236f80d236f80d236f80d2368",
        "bluegreen_20261124_0010_299517: 17 tables, 14 sequences, 0.01 GB",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_a_secret_at_the_end_of_what_is_kept_is_removed_as_well() -> None:
    for secret in ("postgresql://me:hunter2hunter2@blue/app", "PASSWORD 'hunter2hunter2'"):
        for before in range(len(secret)):
            assert "hun" not in scrubbed("x " * ((TEXT_CHARACTERS - before) // 2) + secret)


@pytest.fixture
def deadline() -> Iterator[None]:
    """Ends a test by its own processor time: what takes the square of a text's length takes hours here."""

    def expired(*_: Any) -> Never:
        raise TimeoutError(f"after {DEADLINE_S} s")

    before = signal.signal(signal.SIGVTALRM, expired)
    signal.setitimer(signal.ITIMER_VIRTUAL, DEADLINE_S)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize(
    "part",
    [
        "a", "A1b", "\\", "'", '"', "$", "@", ":", "-", " ", "\n",
        "://", "://a:", "://a:b@", "x://a:\n", "password", "password ", "password=", "password\\", "password='",
        'password"', "password=\\'", "PASSWORD '", "PASSWORD '' ", "PASSWORD $", "PASSWORD $a$ ", "PASSWORD E'\\",
        "PASSWORD /*", "PASSWORD /**/", "PASSWORD --", "PASSWORD --PASSWORD \n", "authorization: ", "bearer ",
        "eyJ", "eyJ-", "eyJa.", "SCRAM-SHA-256$", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "secret access ", "md5",
        "secret=", "Pass", "password: ", "password: a ", "password: a\\", "password(", "'password', ",
        "password%20", " a",
    ],
)  # fmt: skip
def test_a_text_of_a_million_characters_is_read_whatever_it_is_made_of(part: str, deadline: None) -> None:
    for text in (part * (10**6 // len(part)), f"password='{part * (10**6 // len(part))}"):
        assert len(scrubbed(text)) < TEXT_CHARACTERS + 100
