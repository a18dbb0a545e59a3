"""``python -m local`` as people use it: in a process of its own, driven from outside, interrupted."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pg8000.native
import pytest

from local.browsing import answer
from local.cli import main
from local.release import Mail
from tests.waiting import eventually

SQL = """
\\set answer 42
CREATE TABLE books (id serial PRIMARY KEY, title text NOT NULL);
COPY books (title) FROM stdin;
The Mythical Man-Month
Transaction Processing
\\.
CREATE SEQUENCE shelf START :answer;
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for temporary files of the processes under test, to see what they leave."""
    folder = Path(tempfile.mkdtemp(prefix="cli-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def run(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(home)},
    )


def status(arguments: list[str]) -> Any:
    """The exit status of a command line, in this process, whose answer to SIGTERM stays its own."""
    answer_to_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        return main(arguments)
    except SystemExit as ended:
        return ended.code
    finally:
        signal.signal(signal.SIGTERM, answer_to_sigterm)


def processes_of(home: Path) -> list[str]:
    """Command lines that name the folder, and processes that were started with it as their TMPDIR."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_text() + (folder / "environ").read_text()
            except OSError:
                continue
            if str(home) in text:
                found.append(text.replace("\0", " ")[:200])
    return found


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def connect(dsn: str, host: str | None = None) -> pg8000.native.Connection:
    url = urlsplit(dsn)
    return pg8000.native.Connection(
        str(url.username), host or url.hostname, url.path[1:], url.port, url.password, ssl_context=False
    )


def test_up_can_be_driven_by_any_client_and_leaves_nothing(home: Path) -> None:
    script = home / "books.sql"
    script.write_text(SQL)
    script.chmod(0o644)
    with run(home, "up", "--databases", "shop,audit", "--load", str(script), "--into", "audit") as process:
        assert process.stdout
        ready: dict[str, Any] = json.loads(process.stdout.readline())

        def client(service: str) -> Any:
            return boto3.client(
                service,
                region_name=ready["region"],
                endpoint_url=ready["endpoint_url"],
                aws_access_key_id=ready["access_key_id"],
                aws_secret_access_key="any",
            )

        dsn = ready["databases"]["audit"]["dsn"]
        blue = connect(dsn)
        assert blue.run("INSERT INTO books (title) VALUES ('Blue') RETURNING id") == [[3]]
        blue.close()
        arn = client("stepfunctions").start_execution(stateMachineArn=ready["state_machine_arn"], input="{}")[
            "executionArn"
        ]
        mails = Path(ready["mail_folder"])
        eventually(lambda: list(mails.glob("*approve*.eml")), timeout_s=60)
        (request,) = map(Mail.read, mails.glob("*approve*.eml"))
        assert "The release goes on" in answer(request.link, "approve", "a test").said
        described: dict[str, Any] = {}

        def ended() -> bool:
            described.update(client("stepfunctions").describe_execution(executionArn=arn))
            return bool(described["status"] != "RUNNING")

        eventually(ended, timeout_s=60)
        assert described["status"] == "SUCCEEDED", described
        clusters = {
            cluster["DBClusterIdentifier"]: cluster for cluster in client("rds").describe_db_clusters()["DBClusters"]
        }
        green = clusters[json.loads(described["output"])["green"]]
        with pytest.raises(pg8000.native.DatabaseError):
            connect(dsn)
        opened = connect(dsn, green["Endpoint"])
        assert opened.run("INSERT INTO books (title) VALUES ('Green') RETURNING id") == [[4]]
        assert opened.run("SELECT nextval('shelf')") == [[42]]
        opened.close()
        interrupt(process)
    assert processes_of(home) == []
    assert [path.name for path in home.iterdir()] == ["books.sql"]


def test_a_demo_that_is_interrupted_leaves_no_process_and_no_folder(home: Path) -> None:
    with run(home, "demo", "--yes", "--output", str(home / "out")) as process:
        assert process.stdout
        for line in process.stdout:
            if "CreateSlots" in line:
                break
        interrupt(process)
    assert processes_of(home) == []
    assert [path.name for path in home.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--load", "nowhere.sql"], "nowhere.sql: there is no such file"),
        (["up", "--blue-version", "18", "--green-version", "16"], "--green-version 16: older than --blue-version 18"),
        (["up", "--into", "other"], "--into other: not one of --databases app,crm"),
        (["up", "--databases", "app,app"], "expected different names"),
        (["up", "--databases", "app, "], "expected different names"),
        (["up", "--databases", "postgres"], "choose another name"),
        (["up", "--port", "99999"], "expected a port"),
        (["up", "--port", "-5"], "expected a port"),
        (["demo", "--blue-version", "9"], "invalid choice"),
        (["check", "postgresql://a@b/c", "--accept", "rds-proxies"], "did you mean rds-proxy?"),
    ],
)
def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert status(arguments) == 2
    assert said in re.sub(r"\s+", " ", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--help"], "watch a release"), (["demo", "--help"], "--yes"), (["up", "--help"], "--load")],
)
def test_help_explains_every_command(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert status(arguments) == 0
    assert said in capsys.readouterr().out


def test_the_module_runs_the_command_line(home: Path) -> None:
    with run(home) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "COMMAND" in errors
