"""What is done on green by SQL around its engine upgrade."""

from __future__ import annotations

from bluegreen.adoption import drop_copied_slots
from bluegreen.extensions import update_extensions
from tests.integration.conftest import APP, CRM, Lab


def test_copied_slots_of_everybody_are_dropped_and_extensions_are_brought_to_what_the_server_has(lab: Lab) -> None:
    """The server stands for a green that has just been cloned, and then for one that was upgraded."""
    green = lab.blue_server
    for database, slot in ((APP, "ours"), (CRM, "theirs"), ("postgres", "elsewhere")):
        green.execute(database, "SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=slot)
    green.execute(CRM, "SELECT pg_create_physical_replication_slot('physical')")
    drop_copied_slots(lab.databases, lab.plan, lab.plan.blue)
    drop_copied_slots(lab.databases, lab.plan, lab.plan.blue)
    assert green.execute(CRM, "SELECT slot_name FROM pg_replication_slots") == [["physical"]]

    for database, version in ((APP, "0.8.4"), (CRM, "of nobody")):
        green.execute(database, "CREATE EXTENSION vector")
        green.execute(database, f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'vector'")
    told = update_extensions(lab.databases, lab.plan, lab.plan.blue)
    assert told[APP] == {"updated": ["vector 0.8.4 to 0.8.5"], "left": []}
    (left,) = told[CRM]["left"]
    assert left.startswith("vector of nobody to 0.8.5: ")
    assert "SQLSTATE 22023" in left
    assert update_extensions(lab.databases, lab.plan, lab.plan.blue)[APP] == {"updated": [], "left": []}
