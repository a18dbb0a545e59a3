from __future__ import annotations

import os
from pathlib import Path

import pytest

from stacks import node


def test_the_node_of_the_virtual_environment_is_found_without_one_on_the_path() -> None:
    environ: dict[str, str] = {"PATH": ""}
    node.use_node(environ)
    assert os.access(environ["JSII_NODE"], os.X_OK)


def test_a_node_named_by_the_user_is_left_alone() -> None:
    environ = {"JSII_NODE": "/opt/node/bin/node"}
    node.use_node(environ)
    assert environ == {"JSII_NODE": "/opt/node/bin/node"}


def test_the_node_on_the_path_does_when_the_environment_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "_from_wheel", lambda: None)
    program = tmp_path / "node"
    program.touch(mode=0o755)
    environ = {"PATH": str(tmp_path)}
    node.use_node(environ)
    assert environ["JSII_NODE"] == str(program)


def test_without_any_node_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node, "_from_wheel", lambda: None)
    with pytest.raises(node.NodeNotFoundError, match=r"requirements\.lock"):
        node.use_node({"PATH": str(tmp_path)})
