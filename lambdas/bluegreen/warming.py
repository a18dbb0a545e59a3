"""Warming: the functions of the freeze are started, with secrets read and connections open, before it begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import errors
from .errors import AwsUnavailable
from .model import State

COMPARING = "VerifyCutover"
"""The state whose warm-up compares what blue has changed. Starting functions takes seconds, in which blue changes much:
so it is warmed once more when all are warm, and the freeze finds little."""


def warm(lambda_client: Any, function_names: Sequence[str], state: State) -> int:
    """Calls each function with ``{"warm": true}`` beside plan and green, all at once; returns how many answered."""
    payload = json.dumps({"warm": True, "plan": state["plan"], "green": state["green"]}).encode()

    def call(name: str) -> None:
        response = lambda_client.invoke(FunctionName=name, Payload=payload)
        if "FunctionError" in response:
            problem = json.loads(response["Payload"].read())
            kind, text = str(problem.get("errorType")), problem.get("errorMessage")
            known = getattr(errors, kind, AwsUnavailable)
            if issubclass(known, errors.Refused):
                raise known(text)
            raise AwsUnavailable(f"{name} cannot be warmed: {kind}: {text}")

    with ThreadPoolExecutor(max_workers=len(function_names)) as pool:
        answered = len(list(pool.map(call, function_names)))
    for name in function_names:
        if name.endswith(f"-{COMPARING}"):
            call(name)
    return answered
