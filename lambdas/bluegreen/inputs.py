"""The input of an execution, held against the schema that is documented for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import fastjsonschema

from .errors import InputInvalid


@cache
def schema(machine: str) -> dict[str, Any]:
    """``statemachine/<machine>-input.schema.json``, which is packaged beside this module."""
    text = resources.files(__package__).joinpath(f"{machine}-input.schema.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


@cache
def _check(machine: str) -> Callable[[Any], Any]:
    check: Callable[[Any], Any] = fastjsonschema.compile(schema(machine))
    return check


def validated(machine: str, given: Any, hint: str = "") -> dict[str, Any]:
    """The input, if it is what the schema says. Raises ``InputInvalid`` naming the field, and with a hint at what is
    expected: all fields, where the caller has no better one."""
    fields = schema(machine)["properties"]
    try:
        json.dumps(given, ensure_ascii=False).encode()
        _check(machine)(given)
    except UnicodeEncodeError as error:
        raise InputInvalid(
            f"The input holds half a character, {error.object[error.start]!r}, which is no text."
        ) from error
    except fastjsonschema.JsonSchemaValueException as error:
        message = str(error.message).replace("data.", "input.").replace("data ", "input ")
        hint = hint or f"Fields of the input: {', '.join(fields)}."
        raise InputInvalid(f"{message}. {hint}") from error
    # JSON has one kind of number, and 30.0 is an integer; the state machine's timeouts take 30 alone.
    return {name: int(value) if fields[name]["type"] == "integer" else value for name, value in given.items()}
