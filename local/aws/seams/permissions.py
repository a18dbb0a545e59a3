"""IAM: moto answers everybody, or looks at actions alone. Here each call is checked against the policies of the caller.

A function signs with an access key that is its name, a state machine's task with that of its machine; the policies are
those of the role that the deployed stack gave it. One key is an administrator's; any other one, and a request that is
not signed, is refused. What an assumed role of another account may do is checked by that role.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from moto.awslambda.models import lambda_backends
from moto.core.model import OperationModel
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.events.models import events_backends
from moto.iam.models import Role, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.rds.models import rds_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from moto.sts.models import sts_backends

from local.aws.environment import ADMINISTRATOR
from local.aws.permissions.calls import UnknownCallError, asked_for
from local.aws.permissions.guard import Caller, Guard
from local.aws.permissions.policies import Statement, statements_of
from local.aws.permissions.shapes import violations

from .patching import Seams
from .rds_global import global_clusters

_MODELS = {"states": "stepfunctions", "monitoring": "cloudwatch"}
_PREFIXES = {"monitoring": "cloudwatch"}
_SIGNED = re.compile(r"Credential=([^/,]+)/\d+/([^/,]*)/([^/,]+)/aws4_request")
_REFUSED = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}
_STRANGER = {"ec2": "AuthFailure", "query": "InvalidClientTokenId", "rest-xml": "InvalidClientTokenId"}
_OWN = "/moto-api/"
"""The server's own paths, which belong to no service."""


@dataclass(frozen=True)
class Refusal:
    """What a caller is told."""

    code: str
    message: str


_UNSIGNED = Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")


def install(seams: Seams, guard: Guard) -> None:
    """Each request to the server passes the guard."""

    def checked(original: Any, application: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        signed = _SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
        if environ["PATH_INFO"].startswith(_OWN) or (signed and signed[1] == ADMINISTRATOR):
            answer: Iterable[bytes] = original(application, environ, start_response)
            return answer
        if signed is None:
            return _answer(_UNSIGNED, "query", "", start_response)
        request = _copy(environ)
        service = signed[3]
        model = get_service_model(_MODELS.get(service, service))
        protocol = determine_request_protocol(model, request.content_type)
        if (caller := caller_of(signed[1])) is None:
            return _answer(_stranger(signed[1], service, protocol), protocol, service, start_response)
        operation, parameters = _parsed(request, model)
        error = _objection(guard, caller, service, signed[2], operation, parameters)
        if error is not None:
            return _answer(error, protocol, service, start_response)
        return list(original(application, environ, start_response))

    seams.wrap(DomainDispatcherApplication, "__call__", checked)


def _objection(
    guard: Guard, caller: Caller, service: str, region: str, operation: OperationModel, parameters: Mapping[str, Any]
) -> Refusal | None:
    wrong = violations(operation.input_shape, parameters)
    if wrong:
        return Refusal("ValidationException", f"{operation.name}: {'; '.join(wrong)}")
    prefix = _PREFIXES.get(service, service)
    protocol = str(operation.service_model.protocol)
    if "taskToken" in parameters:
        if (machine := machine_of_token(str(parameters["taskToken"]))) is None:
            return None  # Step Functions knows no such token, and says so
        parameters = {**parameters, "stateMachineArn": machine}
    try:
        asked = asked_for(prefix, operation.name, parameters, region, account_of(caller))
    except UnknownCallError as error:
        return None if caller.is_unlimited else Refusal("NotImplemented", str(error))
    reason = guard.refusal(caller, asked)
    return None if reason is None else Refusal(_REFUSED.get(protocol, "AccessDeniedException"), reason)


def _stranger(access_key: str, service: str, protocol: str) -> Refusal:
    code = "InvalidAccessKeyId" if service == "s3" else _STRANGER.get(protocol, "UnrecognizedClientException")
    return Refusal(code, f"{access_key} is nobody's access key; an administrator has {ADMINISTRATOR}")


def machine_of_token(token: str) -> str | None:
    """The ARN of the state machine of which an execution gave out a task token, whether that still waits or not."""
    for backend in list(stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID].values()):
        for machine in list(backend.state_machines):
            for execution in list(machine.executions):
                worker = getattr(execution, "exec_worker", None)
                if worker and worker.env.callback_pool_manager.get(token) is not None:
                    return str(machine.arn)
    return None


def deployed() -> list[Caller]:
    """Everybody who has a role in this account, and the roles of others, as far as it is one with limits."""
    found: dict[str, Caller | None] = {}
    for lambdas in list(lambda_backends[DEFAULT_ACCOUNT_ID].values()):
        found |= {each.function_name: caller_with(each.function_name, each.role) for each in lambdas.list_functions()}
    for backend in list(stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID].values()):
        found |= {each.name: caller_with(each.name, each.roleArn) for each in backend.state_machines}
    for events in list(events_backends[DEFAULT_ACCOUNT_ID].values()):
        for bus in events.event_buses.values():
            targets = (target for rule in bus.rules.values() for target in rule.targets if target.get("RoleArn"))
            found |= {caller_name(target): caller_with(caller_name(target), target["RoleArn"]) for target in targets}
    for account in set(iam_backends) - {DEFAULT_ACCOUNT_ID}:
        roles: list[Role] = list(iam_backends[account]["aws"].roles.values())
        found |= {f"{account}/{role.name}": caller_with(f"{account}/{role.name}", role.arn) for role in roles}
    callers = [caller for caller in found.values() if caller is not None]
    return [each for each in callers if not each.is_unlimited]


def caller_name(target: Mapping[str, Any]) -> str:
    """What the role is known by with which a rule starts its target; rules of one target share it."""
    return f"events/{target['Arn'].rpartition(':')[2]}"


def account_of(caller: Caller) -> str:
    """The account that a caller's calls are about: its own, which the name of an assumed role begins with."""
    account, _, rest = caller.name.partition("/")
    return account if rest and account.isdigit() else DEFAULT_ACCOUNT_ID


def caller_of(access_key: str) -> Caller | None:
    """The function, state machine or assumed role with this access key, who may do nothing if its role is not there;
    None for nobody."""
    for backends in (lambda_backends, stepfunctions_parser_backends):
        for backend in list(backends[DEFAULT_ACCOUNT_ID].values()):
            if (role := _role_in(backend, access_key)) is not None:
                return caller_with(access_key, role) or Caller(access_key, ())
    for account in list(sts_backends):
        assumed = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
        if assumed is not None:
            found = re.fullmatch(r"arn:[^:]+:iam::(\d+):role/(.+)", assumed.role_arn)
            name = f"{found[1]}/{found[2].rpartition('/')[2]}" if found else assumed.role_arn
            return caller_with(name, assumed.role_arn) or Caller(name, ())
    return None


def _role_in(backend: Any, name: str) -> str | None:
    if hasattr(backend, "state_machines"):
        return next((str(each.roleArn) for each in list(backend.state_machines) if each.name == name), None)
    with suppress(Exception):  # moto's ways of not having a function are several
        return str(backend.get_function(name).role)
    return None


def caller_with(name: str, role_arn: str) -> Caller | None:
    """Who acts as a role that exists; None when it does not: somebody of elsewhere."""
    account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    if account not in iam_backends:
        return None
    roles: list[Role] = list(iam_backends[account]["aws"].roles.values())
    role = next((each for each in roles if each.name == role_name), None)
    return None if role is None else Caller(name, tuple(_statements(role)))


def _statements(role: Role) -> Iterator[Statement]:
    for document in role.policies.values():
        yield from _parsed_policy(document if isinstance(document, str) else json.dumps(document))
    for attached in role.managed_policies.values():
        yield from _parsed_policy(next(each.document for each in attached.versions if each.is_default))


@lru_cache(maxsize=1024)
def _parsed_policy(document: str) -> tuple[Statement, ...]:
    return tuple(statements_of(json.loads(document)))


def tags_of(resource: str) -> Mapping[str, str]:
    """The tags of a cluster, a secret and the like that exists; none for what does not, or knows no tags here."""
    parts = resource.split(":", 6)
    if len(parts) < 6 or parts[-1].endswith("*"):
        return {}
    service, region, account = parts[2:5]
    tags: list[dict[str, str]] = []
    with suppress(Exception):  # it does not exist
        if ":global-cluster:" in resource:
            tags = global_clusters()[parts[-1]].tags
        elif service == "rds":
            tags = rds_backends[account][region].list_tags_for_resource(resource)
        elif service == "secretsmanager":
            tags = secretsmanager_backends[account][region].secrets[resource].tags or []
    return {tag["Key"]: tag["Value"] for tag in tags}


def _copy(environ: dict[str, Any]) -> Request:
    """The request, to be read beforehand; whoever answers it reads it again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return Request({**environ, "wsgi.input": io.BytesIO(body)})


def _parsed(request: Request, model: Any) -> tuple[OperationModel, Mapping[str, Any]]:
    operation, uri_parameters = get_service_router(model.service_name).match(request)
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](operation)
    parsed: Mapping[str, Any] = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": uri_parameters,
        }
    )
    return operation, parsed


def _answer(error: Refusal, protocol: str, service: str, start_response: Any) -> list[bytes]:
    code, message = escape(error.code), escape(error.message)
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    body = {
        "query": f"<ErrorResponse>{inner}<RequestId>local</RequestId></ErrorResponse>",
        "rest-xml": inner if service == "s3" else f"<ErrorResponse>{inner}</ErrorResponse>",
        "ec2": f"<Response><Errors>{inner}</Errors><RequestID>local</RequestID></Response>",
    }.get(protocol, json.dumps({"__type": error.code, "message": error.message}))
    data = body.encode()
    start_response("403 Forbidden", [("Content-Length", str(len(data))), ("x-amzn-errortype", error.code)])
    return [data]
