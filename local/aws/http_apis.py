"""API Gateway at work: each HTTP API listens on a port of this machine, and calls the function that its route names.

What it does is in the API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs" (payload format
2.0) and "Configure logging for HTTP APIs". Throttling is left out.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.aws.environment import Answer
from local.aws.seams import http_apis
from local.aws.seams.http_apis import APIS, Description
from local.aws.seams.patching import Seams

Invoke = Callable[[str, bytes], Answer]
"""By the function's ARN."""

# Bodies of other types come in base64.
_TEXT = re.compile(r"text/.*|application/(json|javascript|xml)")


class HttpApis:
    """The listeners of all APIs. ``invoke`` calls a function; access logs go to `folder`."""

    def __init__(self, invoke: Invoke, folder: Path) -> None:
        self._invoke = invoke
        self._folder = folder
        self._servers: list[ThreadingHTTPServer] = []

    def install(self, seams: Seams) -> None:
        """APIs that are made from now on are reached here."""
        seams.callback(self.close)
        seams.replace(http_apis, "endpoint", self._listen)

    def close(self) -> None:
        """Nobody listens any more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
        APIS.clear()

    def _listen(self, api_id: str, _region: str) -> str:
        apis = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                apis.serve(api_id, self)

            do_GET = do_POST = do_HEAD = _any  # noqa: N815 - the base class names them so

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                """The access log is that of the stage."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def serve(self, api_id: str, request: BaseHTTPRequestHandler) -> None:
        """Answers a request as the API does."""
        api = APIS[api_id]
        path, _, query = request.path.partition("?")
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        key, parameters = _route(api, request.command, path)
        event = _event(api_id, key, parameters, request, path, query, body)
        if not key:
            status, headers, answer = _message(404, "Not Found")
        elif api.routes[key].get("AuthorizationType", "NONE") != "NONE":
            status, headers, answer = _message(401, "Unauthorized")
        else:
            status, headers, answer = self._called(api.function(api.routes[key]), event)
        self._log(api, event["requestContext"] | {"status": status, "httpMethod": request.command})
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(answer)), "Connection": "close"}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(b"" if request.command == "HEAD" else answer)
        request.close_connection = True

    def _called(self, function_arn: str, event: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        answer = self._invoke(function_arn, json.dumps(event).encode())
        if answer.is_error:
            return _message(500, "Internal Server Error")
        result = json.loads(answer.payload)
        return int(result["statusCode"]), dict(result["headers"]), result["body"].encode()

    def _log(self, api: Description, context: dict[str, Any]) -> None:
        """A line for each stage that has a log, as its format says."""
        for stage in api.stages.values():
            if settings := stage.get("AccessLogSettings"):
                name = settings["DestinationArn"].split(":log-group:")[-1].strip("/").replace("/", "-")
                line = re.sub(r"\$context\.([\w.]+)", lambda match: str(_at(context, match[1])), settings["Format"])
                with (self._folder / f"{name}.log").open("a", encoding="utf-8") as log:
                    log.write(f"{line}\n")


def _route(api: Description, method: str, path: str) -> tuple[str, dict[str, str]]:
    """The key of the route that fits, and the parameters in its path; nothing when none does."""
    for key in api.routes:
        wanted, _, pattern = key.partition(" ")
        expression = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        if wanted == method and (match := re.fullmatch(expression, path)):
            return key, {name: unquote(value) for name, value in match.groupdict().items()}
    return "", {}


def _event(
    api_id: str,
    key: str,
    parameters: dict[str, str],
    request: BaseHTTPRequestHandler,
    path: str,
    query: str,
    body: bytes,
) -> dict[str, Any]:
    """The request in payload format 2.0."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name] = f"{values[name]},{value}" if name in values else value
    is_text = _TEXT.match(headers.get("content-type", "")) is not None
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": api_id,
            "domainName": headers.get("host", ""),
            "http": {
                "method": request.command,
                "path": unquote(path),
                "protocol": request.request_version,
                "sourceIp": request.client_address[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "identity": {"sourceIp": request.client_address[0]},
            "requestId": uuid.uuid4().hex,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "responseLatency": 0,
            "routeKey": key,
            "stage": "$default",
            "timeEpoch": int(1000 * time.time()),
        },
        "isBase64Encoded": bool(body) and not is_text,
    }
    if values:
        event["queryStringParameters"] = values
    if parameters:
        event["pathParameters"] = parameters
    if body:
        event["body"] = body.decode(errors="replace") if is_text else base64.b64encode(body).decode()
    return event


def _message(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()


def _at(context: dict[str, Any], path: str) -> Any:
    """A value of the context by its path; `-` for one that is not there."""
    value: Any = context
    for name in path.split("."):
        value = value.get(name, "-") if isinstance(value, dict) else "-"
    return value
