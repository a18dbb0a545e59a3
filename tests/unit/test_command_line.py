"""What `python -m local` is asked that it cannot do: told in one line, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import cli

OWN = "that is blue's own; name another, such as eu-west-1"


@pytest.mark.parametrize("command", ["demo", "up"])
@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("eu-west-2", OWN),
        ("eu-west1", "no Region of AWS; did you mean eu-west-1?"),
        ("London", "no Region of AWS; did you mean"),
        ("../x", "no Region of AWS; did you mean eu-west-1?"),
    ],
)
def test_a_secondary_is_in_another_region_of_aws(
    command: str, region: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--secondary-region", region]) == 2
    assert f"--secondary-region {region}: {said}" in told(capsys)


@pytest.mark.parametrize(("command", "option"), [("demo", "--changes"), ("up", "--load")])
def test_files_are_files(command: str, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, option, str(tmp_path)]) == 2
    assert "that is a folder; name the files" in told(capsys)
    assert cli.main([command, option, str(tmp_path / "none.sql")]) == 2
    assert "none.sql: there is no such file" in told(capsys)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich folds long lines where the terminal ends, also in the middle of a path."""
    monkeypatch.setenv("COLUMNS", "500")


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """Both streams, on one line."""
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).replace("\n", " ").split())
