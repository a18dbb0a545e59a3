"""The page of a report: whole, hostile texts as texts, and no secret in it or in the document."""

from __future__ import annotations

import html
import json
import re

from bluegreen.report.page import page
from bluegreen.report.record import MOST_TRIES
from tests.pages import read
from tests.unit.histories import APPROVED, STATE, TOKEN, History, release
from tests.unit.reporting import failing, full, written


def test_no_token_password_or_dsn_is_in_either_document() -> None:
    planted = {
        "Error": "DatabaseUnavailable",
        "Cause": f"postgresql://app:hunter2@blue/app, password=hunter2, PASSWORD 'hunter2', task token: {TOKEN}",
    }
    history = release("RequestApproval")
    told = APPROVED | {"failure": planted, "replication_user": {"secret": "hunter2"}, "lock": {"explanation": TOKEN}}
    history.task("ReleaseLock", errors=("SqlError",), state=told)
    made = written(history)
    for document in (json.dumps(made), page(made)):
        assert "hunter2" not in document
        assert "pa55" not in document
        assert TOKEN[:120] not in document
        assert "(removed)" in document


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = page(full())
    reader = read(text)
    assert reader.suspicious == []
    assert "http" not in text.replace("http-equiv", ""), "nothing is fetched"
    assert reader.seen["h1"] == 1
    assert reader.seen["svg"] > 10
    assert "None" not in reader.rows, "every head says what it is the head of"
    for told in (
        "Writes refused for",
        "200 ms",
        "1,234",
        "Ada",
        "What clients saw",
        "Bytes behind blue",
        "db.shop.internal",
    ):
        assert told in text


def test_hostile_texts_are_texts() -> None:
    text = page(full())
    assert "<script" not in text
    assert html.escape(STATE["plan"]["requested_by"]) in text
    assert html.escape(STATE["plan"]["reason"]) in text
    assert "\u202e" not in text
    odd = written(failing("Half \ud800 a <pair>", STATE))
    assert "<pair>" not in page(odd).encode().decode()


def test_a_wait_of_hours_is_drawn_shorter_and_said_in_full() -> None:
    text = page(full())
    assert 'class="cut"' in text
    assert "4 h" in text
    widths = [float(width) for width in re.findall(r'class="work"[^>]*width="([\d.]+)"', text)]
    assert max(widths) > 100, "the rest is not squashed"


def test_a_long_history_makes_a_page_of_reasonable_size() -> None:
    history = History()
    for _ in range(1_500):
        history.task("CompareTables", 10, ("ReplicationLagging",) * 3, STATE)
    history.task("CloneBlue", 1, ("GreenNotReady",) * 500, STATE)
    assert len(history.events) > 13_000
    made = written(history)
    assert len(page(made)) < 1_000_000
    (clone,) = (span for span in made["timeline"] if span["state"] == "CloneBlue")
    assert (clone["tries"], len(clone["failed_tries"])) == (501, MOST_TRIES)
