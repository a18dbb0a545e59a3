"""What a run takes from the machine comes back, however the run ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local.host import reachable, reserve_address, working_folder
from tests.waiting import eventually

RUN = """
import time
from local.host import WorkingFolder, reserve_address
from local.postgres.servers import Server
folder = WorkingFolder()
address, port = reserve_address().getsockname()
server = Server.create(folder.path / "blue", 16, address, port)
print(folder.path, (server.data / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_remains_of_a_run_that_is_ended_from_outside(end: signal.Signals) -> None:
    command = [sys.executable, "-c", RUN]
    environment = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout
        folder, postmaster = run.stdout.readline().split()
        assert Path(f"/proc/{postmaster}").exists()
        run.send_signal(end)
    eventually(lambda: not Path(folder).exists() and not Path(f"/proc/{postmaster}").exists())


def test_servers_can_enter_a_working_folder_whatever_the_temporary_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with working_folder() as folder:
        assert reachable(folder)
        assert len(os.fsencode(folder)) < 50  # else the paths of sockets in it get too long
    assert not folder.exists()


def test_no_two_reservations_share_an_address_and_a_server_can_listen_on_one() -> None:
    with reserve_address() as first:
        address, port = first.getsockname()
        with reserve_address(port) as second, socket.socket() as server:
            assert second.getsockname()[1] == port
            assert second.getsockname() != first.getsockname()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, port))
            server.listen()
            with reserve_address(port) as third:
                assert third.getsockname() not in (first.getsockname(), second.getsockname())
