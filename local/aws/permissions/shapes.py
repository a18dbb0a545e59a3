"""A call's parameters against the service's model, as far as botocore leaves that to the service: upper bounds,
patterns, and the values of enumerations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import regex


def violations(shape: Any, value: Any) -> list[str]:
    """What the model forbids about a value, each with its place; nothing when there is no shape."""
    return list(_violations(shape, value, "")) if shape is not None else []


def _violations(shape: Any, value: Any, where: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            for name, inner in value.items():
                if inner is not None and name in shape.members:
                    yield from _violations(shape.members[name], inner, f"{where}.{name}".lstrip("."))
        case "list":
            yield from _out_of_bounds(shape, len(value), where)
            for number, inner in enumerate(value):
                yield from _violations(shape.member, inner, f"{where}[{number}]")
        case "map":
            yield from _out_of_bounds(shape, len(value), where)
            for key, inner in value.items():
                yield from _violations(shape.key, key, where)
                yield from _violations(shape.value, inner, f"{where}.{key}")
        case "string":
            yield from _wrong_text(shape, str(value), where)
        case "blob":
            yield from _out_of_bounds(shape, len(value), where)
        case "integer" | "long" | "float" | "double" if value is not None:
            yield from _out_of_bounds(shape, float(value), where)


def _wrong_text(shape: Any, text: str, where: str) -> Iterator[str]:
    yield from _out_of_bounds(shape, len(text), where)
    pattern = shape.metadata.get("pattern")
    if pattern and not _expression(pattern).search(text):
        yield f"{where} does not match {pattern}"
    if shape.enum and text not in shape.enum:
        yield f"{where} is none of {', '.join(shape.enum)}"


def _out_of_bounds(shape: Any, size: float, where: str) -> Iterator[str]:
    bounds: Mapping[str, Any] = shape.metadata
    if size < float(bounds.get("min", size)):
        yield f"{where} is less than {bounds['min']}"
    if size > float(bounds.get("max", size)):
        yield f"{where} is more than {bounds['max']}"


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> Any:
    """Models write Java's expressions, which `regex` reads and `re` does not; AWS means the whole text."""
    return regex.compile(f"^(?:{pattern})$")
