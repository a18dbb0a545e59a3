"""What the tests of preflight share: names that are the same in every run, looking, and running what is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pg8000.native

from bluegreen import preflight
from bluegreen.postgres import Databases
from bluegreen.preflight.findings import Found
from tests.integration.conftest import Lab

BLUE = "shop-blue"


def known(found: Found) -> str:
    """An object as the tests can know it beforehand: without sizes, ages and process ids."""
    text = str(found).split(" (shop-blue/")[0] if found.id == "freeze-refused" else str(found)
    for pattern, stand_in in (
        (r"\b[\d.]+ (bytes|kB|MB|GB)\b", "N"),
        (r"\b\d\d:\d\d:\d\d\b", "S"),
        (r"until [\d-]+", "until D"),
        (r"process \d+", "process P"),
        (r"pg_temp_\d+", "pg_temp"),
    ):
        text = re.sub(pattern, stand_in, text)
    return text


def found_by(databases: Databases, lab: Lab) -> dict[str, tuple[Found, ...]]:
    report = preflight.look_at_blue(databases, lab.plan)
    return {finding.id: finding.objects for finding in report.findings}


def run_fixes(lab: Lab, found: dict[str, tuple[Found, ...]]) -> None:
    """Runs every fix that is a statement, where it says."""
    for objects in found.values():
        for each in objects:
            if each.fix.endswith(";"):
                lab.blue_server.execute("postgres" if each.place == BLUE else each.place, each.fix)


@contextmanager
def ended(connection: pg8000.native.Connection) -> Iterator[pg8000.native.Connection]:
    """A connection that the server will have ended when this one closes it."""
    yield connection
    with suppress(pg8000.native.InterfaceError):
        connection.close()
