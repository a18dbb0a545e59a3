"""Settings in cdk.json: each with its own check, and a sentence that says what is expected where a value is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any


class ConfigError(Exception):
    """A key of cdk.json is missing, unknown or wrong; the message names it and says what is expected."""


Check = Callable[[Any], bool]


def text(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def listed(check: Check) -> Check:
    return lambda value: isinstance(value, list) and value != [] and all(map(check, value))


def different(check: Check) -> Check:
    return lambda value: listed(check)(value) and len(set(value)) == len(value)


def whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most  # not isinstance: True is no number here


def setting(expected: str, check: Check, default: Any = MISSING) -> Any:
    """A field of ClusterConfig that carries its own check; the sentence for a wrong value says `expected`."""
    return field(default=default, metadata={"expected": expected, "check": check})


def checked(kind: type, where: str, block: object) -> dict[str, Any]:
    """The settings of a block as the fields of `kind` want them; raises ConfigError naming the wrong key."""
    if not isinstance(block, Mapping):
        raise ConfigError(f"{where}: expected a block of settings, found {block!r}")
    settings = {each.name: each for each in fields(kind) if each.metadata}
    for key in block:
        if key not in settings:
            near = difflib.get_close_matches(key, settings, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(settings)}"
            raise ConfigError(f"{where}.{key}: no such setting; {hint}")
    values: dict[str, Any] = {}
    for key, setting in settings.items():
        expected, check = setting.metadata["expected"], setting.metadata["check"]
        if key in block:
            value = block[key]
            if not check(value):
                raise ConfigError(f"{where}.{key}: expected {expected}, found {value!r}")
            values[key] = tuple(value) if isinstance(value, list) else value
        elif setting.default is MISSING:
            raise ConfigError(f"{where}.{key}: missing; expected {expected}")
    return values
