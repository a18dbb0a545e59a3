"""Lambda: an invocation reaches our runtime. moto's own needs Docker, or answers with what a test has queued."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable
from typing import Any, cast

from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID

from local.aws.environment import Answer, Function
from local.aws.permissions.calls import asked_for
from local.aws.permissions.guard import Caller, Guard

from .patching import Seams


def install(seams: Seams, invoke: Callable[[Function, bytes], Answer]) -> None:
    """`invoke` takes the function and the event, and returns when the function has ended."""

    def invoke_function(
        backend: Any, name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
    ) -> bytes:
        function = described(backend.get_function(name, qualifier))
        event = body.encode() if isinstance(body, str) else body
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            threading.Thread(target=invoke, args=(function, event), daemon=True).start()
            return b""
        answer = invoke(function, event)
        if answer.is_error:
            # AWS says Unhandled whatever the error is; moto has a branch with Handled.
            response_headers["x-amz-function-error"] = "Unhandled"
        return answer.payload

    def with_layers(original: Any, name: str, resource: Any, *where: Any, **more: Any) -> Any:
        """CloudFormation's functions lose their layers in moto; a reference to one is the layer itself there."""
        function = original(name, resource, *where, **more)
        layers = resource["Properties"].get("Layers", [])
        function.layers = function._get_layers_data([layer.arn for layer in layers])
        return function

    seams.replace(LambdaBackend, "invoke", invoke_function)
    seams.wrap(LambdaFunction, "create_from_cloudformation_json", with_layers)


class Direct:
    """A client of Lambda for those who are in this process: a request to ourselves takes longer than most functions.

    The guard is asked as it is for a request.
    """

    def __init__(self, region: str, guard: Guard, caller: Caller) -> None:
        self._region, self._guard, self._caller = region, guard, caller
        self._backend = lambda_backends[DEFAULT_ACCOUNT_ID][region]

    def invoke(self, *, FunctionName: str, Payload: bytes | str = b"{}") -> dict[str, Any]:  # noqa: N803 (as in boto3)
        """Waits for the answer, and gives it as boto3 does."""
        headers: dict[str, str] = {}
        asked = asked_for("lambda", "Invoke", {"FunctionName": FunctionName}, self._region, DEFAULT_ACCOUNT_ID)
        if reason := self._guard.refusal(self._caller, asked):
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": reason}}, "Invoke")
        try:
            payload = self._backend.invoke(FunctionName, None, Payload, {}, headers)
        except JsonRESTError as error:
            raise ClientError({"Error": {"Code": error.error_type, "Message": error.message}}, "Invoke") from error
        self._guard.measure(FunctionName.rpartition(":")[2], len(Payload), len(payload or b""))
        answer: dict[str, Any] = {"StatusCode": 200, "Payload": io.BytesIO(cast(bytes, payload))}
        return answer | ({"FunctionError": headers["x-amz-function-error"]} if headers else {})


def _packages(function: LambdaFunction) -> tuple[str, ...]:
    """What the function's layers have in the folder that Lambda puts into Python's path."""
    backend = lambda_backends[DEFAULT_ACCOUNT_ID][function.region]
    return tuple(sorted({name for layer in function.layers for name in _packages_of(backend, layer["Arn"])}))


def _packages_of(backend: LambdaBackend, arn: str) -> set[str]:
    version = backend.layers_versions_by_arn(arn)
    if version is None:
        return set()
    with zipfile.ZipFile(io.BytesIO(version.code_bytes)) as archive:
        parts = [name.split("/") for name in archive.namelist()]
    return {part[1] for part in parts if part[0] == "python" and len(part) > 2 and not part[1].endswith(".dist-info")}


def described(function: LambdaFunction) -> Function:
    """What the runtime needs to know of a deployed function."""
    return Function(
        packages=_packages(function),
        name=function.function_name,
        arn=function.function_arn,
        handler=function.handler or "",
        timeout_s=float(function.timeout),
        memory_mb=int(function.memory_size),
        environment=tuple(sorted(function.environment_vars.items())),
        code_sha256=function.code_sha_256,
        code=function.code_bytes,
    )


def find(region: str, name: str) -> Function:
    """A deployed function by its name or ARN."""
    return described(lambda_backends[DEFAULT_ACCOUNT_ID][region].get_function(name, None))


def deployed(region: str) -> list[Function]:
    """All functions of the Region."""
    return [described(function) for function in lambda_backends[DEFAULT_ACCOUNT_ID][region].list_functions()]
