"""Putting seams in, and taking them out again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch


class Seams(ExitStack):
    """The replacements in force; leaving restores moto as it was, in the opposite order."""

    def replace(self, owner: Any, name: str, replacement: Any) -> None:
        """`owner.name` becomes `replacement`; AttributeError when moto has no such name any more."""
        self.enter_context(patch.object(owner, name, replacement))

    def wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        """`owner.name(*args)` becomes `wrapper(original, *args)`; owner is a class or a module."""
        original = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return wrapper(original, *args, **kwargs)

        self.replace(owner, name, wrapped)
