"""AWS on this machine: a moto server in this process, mended where it falls short, with functions that really run.

What moto does less well than AWS is in `local.aws.seams`, one module per service; the servers behind RDS are in
`local.aws.aurora`.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from local.aws.environment import ADMINISTRATOR, Answer, Function
from local.aws.functions import FunctionRuntime, RuntimeClosedError
from local.aws.http_apis import HttpApis
from local.aws.permissions.guard import Guard
from local.aws.seams import events, functions, mail, network, permissions, resources, states, tables
from local.aws.seams.patching import Seams
from local.aws.seams.zones import Records, Zones

ACCOUNT = "123456789012"
KEPT_IN = "BLUEGREEN_PERMISSIONS"
"""The variable that names the folder in which an emulator leaves its record of calls, if any."""
_RUNNING = threading.Lock()


class Emulator:
    """One at a time in a process, since moto keeps its state in modules.

    propagation_s       how long a change of a record takes to be served, in seconds; GetChange says PENDING meanwhile
    refuse_next_change  the error of ChangeResourceRecordSets with which Route 53 refuses the next change, such as
                        `InvalidChangeBatch`; after `PriorRequestNotComplete` boto3 tries again by itself
    deliver_twice       EventBridge delivers each event twice, as it may
    retry_scale         factor on the intervals of Retry in state machines: what waits minutes for AWS need not here
    minute_s            how long a minute is for rules of EventBridge that go by the clock
    """

    def __init__(self, folder: Path, region: str, port: int = 0) -> None:
        if not _RUNNING.acquire(blocking=False):
            raise RuntimeError("an emulator is running in this process already")
        self.propagation_s = 0.5
        self.refuse_next_change: str | None = None
        self.deliver_twice = False
        self.retry_scale = 1.0
        self.minute_s = 60.0
        self.folder = folder
        self.region = region
        self.closing = threading.Event()
        self._clients: dict[tuple[str, str], Any] = {}
        # boto3's default session must not make two clients at a time.
        self.session_lock = threading.Lock()
        self.guard = Guard(permissions.tags_of)
        self._zones = Zones(self)
        self._seams = Seams()
        # Requests, interpreter and name servers are threads that wait for one another all the time; the usual 5 ms for
        # which a busy one may keep the others waiting would make each request take tens of milliseconds.
        self._seams.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(0.0005)
        try:
            (folder / "logs").mkdir(parents=True, exist_ok=True)
            self._log_to_file(folder / "logs" / "emulator.log")
            self.port = self._start_server(port)
            self.endpoint_url = f"http://127.0.0.1:{self.port}"
            self.functions = FunctionRuntime(folder, region, self.endpoint_url)
            self._install()
        except BaseException:
            self._seams.close()
            _RUNNING.release()
            raise
        atexit.register(self.close)

    def _install(self) -> None:
        # Where the interpreter of state machines finds this server.
        self._seams.enter_context(patch.dict(os.environ, MOTO_PORT=str(self.port)))
        self._seams.enter_context(patch.dict(default_user_config, stepfunctions={"execute_state_machine": True}))
        resources.install()
        permissions.install(self._seams, self.guard)
        functions.install(self._seams, self._invoke)
        states.install(self._seams, self)
        events.install(self._seams, self._deliver, self._keep, self.guard)
        mail.install(self._seams, self.folder / "mail")
        tables.install(self._seams)
        HttpApis(self._invoke_by_arn, self.folder / "logs").install(self._seams)
        self._zones.install(self._seams)
        self._clock = events.Clock(self.region, self, self._deliver)
        self._clock.start()

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client of this emulator, with credentials of its own; shared, and safe to share among threads."""
        key = (service, region or self.region)
        with self.session_lock:
            if key not in self._clients:
                self._clients[key] = boto3.client(
                    service,
                    region_name=key[1],
                    endpoint_url=self.endpoint_url,
                    aws_access_key_id=ADMINISTRATOR,
                    aws_secret_access_key="local",  # noqa: S106 — nothing checks it
                    # An invocation answers when the function does, 15 minutes later at the latest.
                    config=Config(read_timeout=910, max_pool_connections=50),
                )
            return self._clients[key]

    def served_records(self, zone_id: str, at: float | None = None) -> Records:
        """The record sets that name servers answer with at the instant `at` (seconds since the epoch; now)."""
        return self._zones.served(zone_id, time.time() if at is None else at)

    def hosted_zones(self) -> dict[str, str]:
        """The names of the hosted zones, with their final dot, by id."""
        return self._zones.zone_names()

    def deployed_functions(self) -> list[Function]:
        """All functions that are there."""
        return functions.deployed(self.region)

    def create_network(self, vpc_id: str, subnets: Mapping[str, str], security_group_id: str) -> None:
        """A VPC, its subnets (id → availability zone) and a security group for the databases, with these ids."""
        ec2 = self.client("ec2")
        with network.next_ids(vpc=vpc_id):
            ec2.create_vpc(CidrBlock="10.0.0.0/16")
        for number, (subnet_id, zone) in enumerate(subnets.items()):
            with network.next_ids(subnet=subnet_id):
                ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        with network.next_ids(security_group=security_group_id):
            ec2.create_security_group(GroupName="database", Description="database clusters", VpcId=vpc_id)

    def create_hosted_zone(self, zone_id: str, name: str, vpc_id: str) -> None:
        """A private hosted zone with this id."""
        with network.next_ids(hosted_zone=zone_id):
            self.client("route53").create_hosted_zone(
                Name=name,
                CallerReference=zone_id,
                VPC={"VPCRegion": self.region, "VPCId": vpc_id},
                HostedZoneConfig={"PrivateZone": True},
            )

    def close(self) -> None:
        """Stop executions, kill functions, stop the server, forget everything. A second call does nothing."""
        if self.closing.is_set():
            return
        self.closing.set()
        atexit.unregister(self.close)
        try:
            self._clock.join()
            self.functions.close()
            states.stop_all(timeout_s=5)
            if folder := os.environ.get(KEPT_IN):
                self.guard.save(Path(folder), permissions.deployed())
            request = Request(f"{self.endpoint_url}/moto-api/reset", method="POST")  # noqa: S310 — our own server
            urlopen(request).close()  # noqa: S310
        finally:
            self._seams.close()
            _RUNNING.release()

    def _invoke(self, function: Function, event: bytes) -> Answer:
        try:
            return self.functions.invoke(function, event)
        except RuntimeClosedError:
            return Answer.failed("Lambda.ServiceException", "the emulator is closing")

    def _invoke_by_arn(self, arn: str, event: bytes) -> Answer:
        return self._invoke(functions.find(self.region, arn), event)

    def _deliver(self, target: events.Target, text: str) -> None:
        """What EventBridge does with a target; it would try again for a day, here a failure is final."""
        arn = target["Arn"]
        try:
            for _ in range(2 if self.deliver_twice else 1):
                if ":states:" in arn:
                    name = events.execution_name()
                    self.client("stepfunctions").start_execution(stateMachineArn=arn, name=name, input=text)
                else:
                    self.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=text)
        except (BotoCoreError, ClientError):
            logging.getLogger("moto").exception("an event for %s was not delivered", arn)
            self._keep(target, text)

    def _keep(self, target: events.Target, text: str) -> None:
        """What EventBridge could not deliver, in the target's dead-letter queue if it has one."""
        if dead_letters := target.get("DeadLetterConfig"):
            queue = self.client("sqs").get_queue_url(QueueName=dead_letters["Arn"].rsplit(":", 1)[1])
            self.client("sqs").send_message(QueueUrl=queue["QueueUrl"], MessageBody=text)

    def _start_server(self, port: int) -> int:
        with socket.socket() as probe:  # moto's server would hang on a port that is taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()

        if server._server is None:
            raise RuntimeError("moto's server did not start")
        self._seams.callback(server._server.server_close)  # which its own stop() leaves out
        self._seams.callback(server.stop)
        _, port = server.get_host_and_port()
        return port

    def _log_to_file(self, path: Path) -> None:
        """Requests, and what the interpreter of state machines reports, are for a file and not for the screen."""
        handler = logging.FileHandler(path, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        self._seams.callback(handler.close)
        for logger in map(logging.getLogger, ("moto", "werkzeug")):
            self._seams.enter_context(patch.multiple(logger, handlers=[handler], propagate=False))
            self._seams.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.INFO)
