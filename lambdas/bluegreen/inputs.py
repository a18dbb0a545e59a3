"""The input of an execution, held against the schema that is documented for it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from aws_lambda_powertools.utilities.validation import SchemaValidationError, validate

from .errors import InputInvalid


@cache
def schema(machine: str) -> dict[str, Any]:
    """``statemachine/<machine>-input.schema.json``, which is packaged beside this module."""
    text = resources.files(__package__).joinpath(f"{machine}-input.schema.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def validated(machine: str, given: Any, hint: str = "") -> dict[str, Any]:
    """The input, if it is what the schema says. Raises ``InputInvalid`` naming the field, and with a hint at what is
    expected: all fields, where the caller has no better one."""
    try:
        validate(event=given, schema=schema(machine))
    except SchemaValidationError as error:
        message = str(error.validation_message or error).replace("data.", "input.").replace("data ", "input ")
        hint = hint or f"Fields of the input: {', '.join(schema(machine)['properties'])}."
        raise InputInvalid(f"{message}. {hint}") from error
    return dict(given)
