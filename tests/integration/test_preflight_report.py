"""What becomes of findings: a release's end or its result, and the command line."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from bluegreen import preflight
from bluegreen.errors import BlueUnfit
from local.cli import main
from tests.integration.conftest import APP, CRM, Lab, with_plan


def test_what_is_not_accepted_stops_a_release_and_what_is_goes_on_with_it(lab: Lab) -> None:
    lab.blue_server.execute(APP, "CREATE UNLOGGED TABLE kept (a int); SELECT lo_create(1)")
    with pytest.raises(BlueUnfit) as raised:
        preflight.look_at_blue(lab.databases, with_plan(lab, accept=("large-object",))).result(lab.plan)
    assert "1 warning" in str(raised.value)
    assert 'ALTER TABLE "public"."kept" SET LOGGED;' in str(raised.value)
    assert "large-object" not in str(raised.value)
    plan = with_plan(lab, accept=("large-object", "unlogged-table"))
    result = preflight.look_at_blue(lab.databases, plan).result(plan)
    assert result["accepted"] == {"unlogged-table": 1, "large-object": 1}
    assert result["notes"] == {"sequence-near-its-end": 4}
    checked = preflight.look_at_blue(lab.databases, with_plan(lab, mode="check", accept=())).result(lab.plan)
    assert (checked["is_fit"], checked["subject"]) == (False, "Check of shop: not fit for a release")
    assert [finding["id"] for finding in checked["findings"]] == [*result["accepted"], *result["notes"]]
    assert "WARNING unlogged-table" in checked["text"]


def test_the_command_line_shows_a_table_and_tells_by_its_status(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    blue, login = lab.blue_server, f"bluegreen_release:{lab.passwords['bluegreen_release']}"
    at = f"postgresql://{login}@{blue.address}:{blue.port}"
    dsns = [f"{at}/{quote(database, safe='')}" for database in (APP, CRM)]
    assert main(["check", *dsns]) == 0
    assert "1 note." in capsys.readouterr().out
    blue.execute(CRM, 'CREATE UNLOGGED TABLE "[red]" (a int)')
    assert main(["check", *dsns]) == 1
    shown = capsys.readouterr().out
    assert "unlogged-table" in shown
    assert '"[red]" SET' in shown
    assert ":x:" in shown, "no emoji"
    assert main(["check", "--json", "--accept", "unlogged-table", *dsns]) == 0
    (warning, _) = json.loads(capsys.readouterr().out)
    assert warning["objects"][0]["fix"] == 'ALTER TABLE "public"."[red]" SET LOGGED;'
    assert main(["check", f"{at}/nowhere"]) == 1
    assert "database-out-of-reach" in capsys.readouterr().out
    assert main(["check", f"postgresql://nobody@{blue.address}:{blue.port}/postgres"]) == 2
