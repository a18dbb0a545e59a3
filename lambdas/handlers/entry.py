"""What all handlers share: environment, clients, logging, metrics, and errors as the state machine knows them.

A handler parses the event, calls the library, returns a dict::

    @entry
    def handler(state: State) -> dict[str, Any]:
        return replication.create_slots(databases(), Plan.of(state))
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, cast

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from bluegreen import assumed_role, dns
from bluegreen.errors import AwsRefused, AwsUnavailable, InputInvalid
from bluegreen.model import Plan, State, green, release_id
from bluegreen.postgres import Databases
from bluegreen.priming import prime
from bluegreen.rds.global_database import Clients
from bluegreen.rds.sides import Rds
from bluegreen.secrets import CachedLogin
from bluegreen.tokens import TokenLogin

Result = dict[str, Any]
Event = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Result]

THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "PriorRequestNotComplete"}
    | {"InternalFailure", "InternalError", "ServiceUnavailable", "RequestTimeout"}
)

logger = Logger()
metrics = Metrics()


class EnvironmentIncomplete(Exception):
    """A variable that the function was deployed to have is missing; the message names it."""


def setting(name: str) -> str:
    """An environment variable that the stack sets."""
    try:
        return os.environ[name]
    except KeyError:
        raise EnvironmentIncomplete(f"The environment variable {name} is not set on this function.") from None


@cache
def client(service: str, region: str = "") -> Any:
    """A boto3 client of a Region, or of the function's own, made once per execution environment."""
    return boto3.client(service, region_name=region or None, config=_config())


def _config() -> Config:
    return Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=20)


def rds_in(region: str = "") -> Any:
    """The client of RDS of a Region, or of the function's own."""
    return client("rds", region)


@cache
def _client_in_greens_account(role_arn: str, external_id: str, release: str, service: str, region: str) -> Any:
    session = assumed_role.session_in(role_arn, external_id, release, client("sts"))
    return session.client(service, region_name=region or None, config=_config())


def in_greens_account(plan: Plan, service: str, region: str = "") -> Any:
    """A client of the account that green is in: the function's own, or one by the role there that it may assume, made
    once per release."""
    if plan.green_account is None:
        return client(service, region)
    role_arn, external_id = setting("GREEN_ROLE_ARN"), plan.green_account.external_id
    return _client_in_greens_account(role_arn, external_id, plan.release_id, service, region)


def greens_rds(plan: Plan) -> Clients:
    """RDS of the account that green is in, by Region."""
    return lambda region="": in_greens_account(plan, "rds", region)


def both_rds(plan: Plan) -> Rds:
    """RDS of the function's own Region, of blue's account and of green's."""
    return Rds(rds_in(), greens_rds(plan)())


@cache
def databases() -> Databases:
    """The release role's way into blue and green; its connections live as long as the execution environment."""
    return new_databases()


def new_databases() -> Databases:
    """The same for one call, with the login as it is now."""
    login: CachedLogin | TokenLogin
    if "RELEASE_SECRET_ARN" in os.environ:
        login = CachedLogin(client("secretsmanager"), setting("RELEASE_SECRET_ARN"))
    else:
        login = TokenLogin(client("rds"), setting("DATABASE_USER"))
    return Databases(login, setting("DATABASE_TLS"))


def prime_statements(state: State) -> None:
    """Warms a function that talks to the databases: login at hand, connections open, statements primed."""
    if "DATABASE_TLS" in os.environ:
        name = setting("AWS_LAMBDA_FUNCTION_NAME").split("-")[-1]
        prime(databases(), Plan.of(state), green(state), name)


def prime_flip(state: State) -> None:
    """Warms a function that moves the records: client made, connections open, and the records as they have to be."""
    dns.prime_flip(client("route53"), Plan.of(state), green(state))


def entry(work: Callable[[State], Result], warm: Callable[[State], None] = prime_statements) -> Handler:
    """Makes a Lambda handler of a function from state to result; ``warm`` does what the real call should find done."""

    @logger.inject_lambda_context(clear_state=True)
    @metrics.log_metrics
    @wraps(work)
    def handler(event: Event, context: LambdaContext) -> Result:
        started = time.monotonic()
        logger.append_keys(state=context.function_name.split("-")[-1])
        try:
            about(release_of(event))
            with _errors_translated():
                if event.get("warm"):
                    warm(event)
                    result = {"warm": True}
                else:
                    result = work(event)
        except Exception as error:
            _report(started, failed=type(error).__name__, reason=str(error))
            raise
        _report(started, result=result)
        return result

    return cast(Handler, handler)


def release_of(event: Any) -> str:
    """The release that a call is about; the execution when it is yet to be found out which release it made.

    People call functions by hand: raises ``InputInvalid`` for what is no payload of any.
    """
    match event:
        case {"plan": {"release_id": str(release)}} | {"release_id": str(release)}:
            return release
        case {"plan": _} | {"release_id": _}:
            raise InputInvalid("payload: expected the plan of a release, or its release_id as text.")
        case {"started_at": str(started_at), "execution_arn": str(execution_arn)}:
            try:
                return release_id(execution_arn, started_at)
            except ValueError as error:
                raise InputInvalid(f"payload.started_at: there is no time {started_at!r}.") from error
        case {"started_at": _}:
            raise InputInvalid("payload: expected started_at and execution_arn, both as text.")
        case {}:
            return str(event.get("execution_arn", "none"))
    raise InputInvalid("payload: expected an object.")


def execution_of(event: State) -> str:
    """The execution of the release: what the state machine passes, or what a person has in the state of a mail.

    >>> execution_of({"plan": {"execution_arn": "arn:…"}})
    'arn:…'
    """
    return str(event.get("execution_arn") or event["plan"]["execution_arn"])


_FIGURES = {
    "rows_left": ("VerificationRowsLeft", MetricUnit.Count),
    "rows_per_s": ("VerificationRate", MetricUnit.CountPerSecond),
    "left_s": ("VerificationTimeLeft", MetricUnit.Seconds),
    "rows": ("RowsCompared", MetricUnit.Count),
    "stood_back_s": ("StoodBack", MetricUnit.Seconds),
    "freeze_to_open_ms": ("FreezeDuration", MetricUnit.Milliseconds),
    "attempts": ("Attempts", MetricUnit.Count),
    "release_s": ("ReleaseDuration", MetricUnit.Seconds),
    "write_gap_ms": ("WriteGap", MetricUnit.Milliseconds),
}


def tell(what: str, **figures: Any) -> None:
    """A line in the log while a function is at work."""
    logger.info(what, extra=figures)


def about(release: str) -> None:
    """The release that a call is about, or turns out to be."""
    logger.append_keys(release_id=release)
    metrics.add_metadata("release_id", release)


def publish(figures: Mapping[str, float], units: Mapping[str, str], database: str) -> None:
    """Figures of one database as metrics, of the database and of the whole cluster, whose maximum is the worst."""
    told = EphemeralMetrics()
    told.add_dimension("cluster", setting("CLUSTER_NAME"))
    told.add_dimensions(cluster=setting("CLUSTER_NAME"), database=database, service=setting("POWERTOOLS_SERVICE_NAME"))
    for name, value in figures.items():
        told.add_metric(name=name, unit=units[name], value=value)
    told.flush_metrics()


def measure(figures: Result) -> None:
    """Figures of the comparison, or of a whole release, as metrics, as far as they are known."""
    for name, (metric, unit) in _FIGURES.items():
        if isinstance(value := figures.get(name), int | float):
            metrics.add_metric(name=metric, unit=unit, value=value)


def _report(started: float, **details: Any) -> None:
    milliseconds = 1000 * (time.monotonic() - started)
    metrics.add_dimension(name="cluster", value=setting("CLUSTER_NAME"))
    metrics.add_metric(name="StepDuration", unit=MetricUnit.Milliseconds, value=milliseconds)
    logger.info("failed" if "failed" in details else "done", extra={"duration_ms": round(milliseconds, 1), **details})


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        message = f"{error.operation_name}: {code}: {error.response.get('Error', {}).get('Message', '')}"
        raise (AwsUnavailable if code in THROTTLED else AwsRefused)(message) from error
    except ParamValidationError as error:  # nobody was asked: another attempt would say the same
        raise AwsRefused(str(error)) from error
    except BotoCoreError as error:
        raise AwsUnavailable(f"AWS cannot be reached: {error}") from error


def json_setting(name: str) -> Any:
    """An environment variable that holds JSON."""
    return json.loads(setting(name))
