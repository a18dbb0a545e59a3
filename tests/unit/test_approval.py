"""Asking and answering: what is mailed, who may decide, what becomes of it when functions die or people hurry."""

from __future__ import annotations

import dataclasses
import json
import string
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen.approval.deciding import Answer, Request, judge, output
from bluegreen.approval.names import cleaned_name, same_person
from bluegreen.approval.store import KEPT_AFTER_EXPIRY_S
from bluegreen.errors import InputInvalid
from bluegreen.model import Plan
from tests.unit.asking import ASKED_AT, NOW_S, Desk


@pytest.fixture
def desk(plan: Plan) -> Desk:
    return Desk(plan)


@pytest.fixture
def desk_of_two(plan: Plan) -> Desk:
    return Desk(dataclasses.replace(plan, approvers_needed=2, requested_by="Rita Requester"))


def answer(decision: str = "approve", name: str = "Ann") -> Answer:
    return Answer(decision, name, False, "", "2026-11-23T22:06:00Z", "page")


VERIFIED = dataclasses.replace(answer(), is_verified=True)


def asked(needed: int = 1, *answers: Answer, **more: Any) -> Request:
    request = Request(
        "20261123-0405-abcdef", ASKED_AT, "approval", "shop", "Rita", "Approve?", "", needed, 100, "token", answers
    )
    return dataclasses.replace(request, **more)


@pytest.mark.parametrize(
    ("request_", "answered", "now_s", "outcome"),
    [
        (asked(), answer(), 99.9, "decided"),
        (asked(), answer("reject"), 0, "decided"),
        (asked(), answer(), 100.0, "expired"),
        (asked(), answer("reject"), 100.0, "expired"),
        (asked(decision="reject"), answer(), 0, "already decided"),
        (asked(decision="reject"), answer(), 200, "already decided"),
        (asked(is_over=True), answer(), 0, "over"),
        (asked(is_over=True), answer("reject"), 200, "over"),
        (asked(decision="reject", is_over=True), answer(), 0, "already decided"),
        (asked(), answer("try_again"), 0, "unknown decision"),
        (asked(), answer(""), 0, "unknown decision"),
        (asked(), answer(name="  rITA "), 0, "requester"),
        (asked(), answer("reject", "Rita"), 0, "decided"),
        (asked(question="correction"), answer("try_again", "Rita"), 0, "decided"),
        (asked(question="correction"), answer(), 0, "unknown decision"),
        (asked(2), answer(), 0, "noted"),
        (asked(2, answer()), answer(name=" ANN"), 0, "same person"),
        (asked(2, answer()), answer("reject", "Ann"), 0, "decided"),
        (asked(2, answer()), answer(name="Rita"), 0, "requester"),
        (asked(2, answer()), answer(name="Bob"), 0, "decided"),
        (asked(verified_only=True), answer(), 0, "not verified"),
        (asked(verified_only=True), VERIFIED, 0, "decided"),
        (asked(verified_only=True), answer("reject"), 0, "decided"),
        (asked(2, VERIFIED, verified_only=True), answer(name="Bob"), 0, "not verified"),
        (asked(question="correction", verified_only=True), answer("try_again"), 0, "decided"),
    ],
)
def test_what_an_answer_amounts_to(request_: Request, answered: Answer, now_s: float, outcome: str) -> None:
    assert judge(request_, answered, now_s) == outcome


def test_the_mail_says_what_was_found_and_how_to_answer_and_holds_no_token(desk: Desk) -> None:
    desk.ask()
    (mail,) = desk.leads.mails
    assert mail.subject == "Approve?"
    assert mail.question == "Green is in step."
    assert mail.link.startswith(f"https://approvals.example/{desk.plan.release_id}?request=2026")
    assert "until 2026-11-23 22:06 UTC" in mail.body
    assert "aws lambda invoke --region eu-west-2 --function-name shop-Decide" in mail.body
    assert f"eu-west-2#/v2/executions/details/{desk.plan.execution_arn}\n{desk.plan.execution_arn}\n" in mail.body
    assert "token-1" not in mail.body
    assert "token-1" not in repr(desk.request)


def test_a_request_is_kept_until_long_after_it_expires(desk: Desk) -> None:
    desk.ask()
    (row,) = desk.rows()
    assert desk.request.expires_at_s == int(NOW_S) + desk.plan.approval_timeout_s
    assert int(row["delete_after"]["N"]) == desk.request.expires_at_s + KEPT_AFTER_EXPIRY_S


def test_a_request_made_twice_is_one_request_and_its_newest_token_counts(desk: Desk) -> None:
    desk.ask("token-1")
    desk.ask("token-1")
    desk.ask("token-2", retry=1)
    assert desk.ask("token-1", retry=0)["is_superseded"], "a call that was slow comes after the one that replaced it"
    assert len(desk.rows()) == 1
    assert len({mail.link for mail in desk.leads.mails}) == 1
    assert desk.command("approve", "Ann")["heard"] == "yes"
    assert set(desk.releases.heard) == {"token-2"}


def test_a_release_that_has_ended_is_answered_by_nobody_and_asks_nobody(desk: Desk) -> None:
    desk.ask()
    seen = desk.request
    desk.approvals.close(desk.plan.release_id)
    desk.approvals.close("another")
    said = desk.command("approve", "Ann")
    assert (said["outcome"], said["heard"]) == ("over", None)
    assert "has ended meanwhile" in said["message"]
    assert desk.approvals.record(seen, answer(), "approve") is None, "also when the answer was on its way"
    assert desk.releases.heard == {}
    assert desk.ask("token-2", retry=1)["is_superseded"], "a function that is late"
    assert len(desk.leads.mails) == 1
    assert len(desk.rows()) == 1


def test_a_decision_for_a_function_that_died_goes_to_the_try_that_follows_without_another_mail(desk: Desk) -> None:
    desk.ask("token-1")
    desk.releases.waiting.clear()
    said = desk.command("approve", "Ann")
    assert said["heard"] == "gone"
    assert "no longer waiting" in said["message"]
    desk.ask("token-2", retry=1)
    assert desk.releases.heard["token-2"]["decision"] == "approve"
    assert desk.request.heard == "yes"
    assert len(desk.leads.mails) == 1


def test_a_decision_that_could_not_be_handed_over_is_by_whoever_answers_next(desk: Desk) -> None:
    desk.ask()
    desk.releases.failure = ClientError({"Error": {"Code": "ThrottlingException"}}, "SendTaskSuccess")
    with pytest.raises(ClientError):
        desk.command("reject", "Ann")
    assert desk.request.decision == "reject"
    assert desk.request.heard is None
    desk.releases.failure = None
    said = desk.command("approve", "Bob")
    assert (said["outcome"], said["heard"]) == ("already decided", "yes")
    assert desk.releases.heard["token-1"]["decision"] == "reject"


def test_the_release_gets_decision_names_and_comments(desk: Desk) -> None:
    desk.ask()
    desk.command("approve", " Ann ", comment="looks\r\nfine")
    given = desk.releases.heard["token-1"]
    assert given["decision"] == "approve"
    assert given["approver"] == "Ann"
    assert given["said"] == "Approved by Ann (name not verified): “looks fine”."
    assert given["answers"] == [
        {
            "decision": "approve",
            "name": "Ann",
            "is_verified": False,
            "comment": "looks\nfine",
            "at": "2026-11-23T22:05:00Z",
            "way": "command line",
        }
    ]


def test_two_approvers_are_two_people_and_not_the_one_who_asked(desk_of_two: Desk) -> None:
    desk_of_two.ask()
    assert "2 people have to approve, all but Rita Requester." in desk_of_two.leads.mails[0].body
    outcomes = [desk_of_two.command("approve", name)["outcome"] for name in ("rita requester", "Ann", "ann ")]
    assert outcomes == ["requester", "noted", "same person"]
    assert desk_of_two.releases.heard == {}
    assert desk_of_two.command("approve", "Bob", comment="go")["outcome"] == "decided"
    given = desk_of_two.releases.heard["token-1"]
    assert given["approver"] == "Ann, Bob"
    assert [each["name"] for each in given["answers"]] == ["Ann", "Bob"]


def test_where_people_sign_in_the_command_line_rejects_and_approves_nothing(plan: Plan) -> None:
    """Else one person approves on the page, and again by the command line under another name."""
    desk = Desk(dataclasses.replace(plan, approvers_needed=2, requested_by="rita@shop.example"), "email")
    desk.ask()
    (mail,) = desk.leads.mails
    assert "Or reject by the AWS CLI:" in mail.body
    assert mail.command
    assert mail.command[1]["decision"] == "reject"
    assert '"approve"' not in mail.body
    desk.post("approve", "", claims={"email": "ann@shop.example", "email_verified": "true"})
    said = desk.command("approve", "Bob")
    assert (said["outcome"], said["heard"]) == ("not verified", None)
    assert "on the page alone" in said["message"]
    assert len(desk.request.answers) == 1
    assert desk.command("reject", "Bob")["outcome"] == "decided"


def test_one_rejection_ends_what_another_has_approved(desk_of_two: Desk) -> None:
    desk_of_two.ask()
    desk_of_two.command("approve", "Ann")
    desk_of_two.command("reject", "Rita Requester", comment="not tonight")
    given = desk_of_two.releases.heard["token-1"]
    assert (given["decision"], given["approver"]) == ("reject", "Rita Requester")
    assert given["said"].endswith("Rita Requester (name not verified): “not tonight”.")


def test_two_who_answer_at_once_come_one_after_the_other(desk_of_two: Desk) -> None:
    """The second one judges again, knowing of the first."""
    desk_of_two.ask()
    record = desk_of_two.approvals.record
    before = desk_of_two.request
    assert record(before, answer(name="Ann"), None)
    assert record(before, answer(name="Bob"), "approve") is None, "Bob has not seen Ann's"
    assert desk_of_two.command("approve", "Bob")["outcome"] == "decided"
    assert record(before, answer("reject", "Cy"), "reject") is None
    assert len(desk_of_two.request.answers) == 2


def test_a_correction_is_answered_by_try_again(desk_of_two: Desk) -> None:
    desk_of_two.ask(question="correction", subject="Changes failed", text="line 2: no")
    (mail,) = desk_of_two.leads.mails
    assert mail.question == "line 2: no"
    assert '"decision": "try_again"' in mail.body
    assert desk_of_two.command("approve", "Ann")["outcome"] == "unknown decision"
    assert desk_of_two.command("try_again", "Rita Requester")["outcome"] == "decided"
    assert desk_of_two.releases.heard["token-1"]["decision"] == "try_again"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"approver": ""}, "payload.approver"),
        ({"approver": "x" * 101}, "payload.approver: a name has at most 100"),
        ({"approver": "..."}, "payload.approver"),
        ({"approver": "a\nb"}, "invisible"),
        ({"comment": "x" * 1001}, "at most 100"),
        ({"comment": None}, "payload.comment"),
        ({"decision": "yes"}, "payload.decision"),
        ({"request": "2026-11-23T22:05:00Z"}, "no release asks"),
        ({"release_id": 5}, "payload.release_id"),
        ({"task_token": "x"}, "payload.task_token"),
    ],
)
def test_a_wrong_command_is_explained_and_changes_nothing(desk: Desk, changed: dict[str, Any], said: str) -> None:
    desk.ask()
    before = desk.rows()
    with pytest.raises(InputInvalid, match=said):
        desk.command("approve", "Ann", **changed)
    assert desk.rows() == before


def test_an_output_is_small_enough_for_a_state(desk_of_two: Desk) -> None:
    desk_of_two.ask()
    for name in ("A", "B"):
        desk_of_two.command("approve", name * 100, comment="\u00e9" * 1000)
    assert len(json.dumps(output(desk_of_two.request))) < 32_000


@pytest.mark.parametrize(
    "unseen",
    [
        *(0x0, 0x34F, 0x378, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180F, 0x200B, 0x2028, 0x2029, 0x202E, 0x2800),
        *(0x3164, 0xE000, 0xFE00, 0xFE0F, 0xFFA0, 0xE0100, 0xE01EF),
    ],
)
def test_nobody_is_two_people_by_characters_that_show_nothing(desk_of_two: Desk, unseen: int) -> None:
    """In the middle, as white space around a name is nothing."""
    other = f"Ann{chr(unseen)} Example"
    desk_of_two.ask()
    desk_of_two.command("approve", "Ann Example")
    with pytest.raises(InputInvalid, match="invisible"):
        desk_of_two.command("approve", other)
    assert same_person(other, "Ann Example"), "also where requested_by holds it"


@pytest.mark.parametrize(
    "other",
    [
        *(
            "ANN  EXAMPLE O'NEIL",
            "\uff21nn Example O\u2019Neil",
            "A\u0144n Example O\u02bcNeil",
            "An\u0301n Example ONeil",
        ),
        *(
            "Ann\u00a0Example-O'Neil",
            "Ann Examp1e O'Nei1",
            "Ann Example 0'Neil",
            "Ann Exarnple O'NeiI",
            "Ann Example\u2010O'Neil",
        ),
        *("Ann Example O\u00b7Neil.", "\u00c4nn \u30fbExample+ _O'Ne\u0131l"),
    ],
)
def test_nobody_is_two_people_by_case_marks_punctuation_or_letters_that_look_alike(plan: Plan, other: str) -> None:
    desk = Desk(dataclasses.replace(plan, approvers_needed=2, requested_by="Rita"))
    desk.ask()
    assert desk.command("approve", "Ann Example O'Neil")["outcome"] == "noted"
    assert desk.command("approve", other)["outcome"] == "same person"


@pytest.mark.parametrize("name", ["Ann b O'Neil b", "ann b oneil b", "ANN B-O\u02bcNEIL-B", "Ann .b.O\u2018Nei1.b."])
def test_who_asked_is_not_another_person_by_other_apostrophes_or_brackets(plan: Plan, name: str) -> None:
    desk = Desk(dataclasses.replace(plan, approvers_needed=2, requested_by="Ann <b>O\u2019Neil</b>"))
    desk.ask()
    assert desk.command("approve", name)["outcome"] == "requester"


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("\u0410nn", False),  # CYRILLIC CAPITAL LETTER A
        ("Ann \u039fsman", False),  # GREEK CAPITAL LETTER OMICRON
        ("\u0410\u03bd\u03bd", False),
        ("\ua4eenn", False),  # LISU LETTER A
        ("\ua4ee\ua4e0", False),
        ("\u13aann", False),  # CHEROKEE LETTER GO
        ("\u2c80nn", False),  # COPTIC CAPITAL LETTER ALFA
        ("\U000102a0nn", False),  # CARIAN LETTER A
        ("\U00010422nn", False),  # DESERET CAPITAL LETTER OW
        ("\u0251nn", False),  # LATIN SMALL LETTER ALPHA
        ("\u0261ina", False),  # LATIN SMALL LETTER SCRIPT G
        ("\u01c0lse", False),  # LATIN LETTER DENTAL CLICK
        ("|lse", False),
        ("Ann\U0001d159", False),  # MUSICAL SYMBOL NULL NOTEHEAD
        ("Ann\ufffc", False),  # OBJECT REPLACEMENT CHARACTER
        ("\u24b6nn", False),  # CIRCLED LATIN CAPITAL LETTER A
        ("Ann\u00b4s", False),  # ACUTE ACCENT, which NFKC makes a blank of
        ("Ann \u2163", False),  # ROMAN NUMERAL FOUR
        ("Ann \u0661", False),  # ARABIC-INDIC DIGIT ONE
        ("A\u05b0nn", False),  # HEBREW POINT SHEVA
        ("\u5c71\u7530\u0301", False),
        ("\u5c71\u7530 Hanako", False),
        ("...", False),
        ("\ufb03" * 34, False),  # a hundred and two letters, three by three
        ("\u5c71\u7530 \u82b1\u5b50\u30a8\u30df", True),
        ("\uae40\ucca0\uc218 \u91d1", True),
        ("\u0410\u043d\u043d\u0430 2", True),
        ("\u0386\u03bd\u03bd\u03b1", True),
        ("\u0645\u062d\u0645\u062f \u0639\u0644\u064a", True),
        ("\u092a\u094d\u0930\u093f\u092f\u093e", True),
        ("\u0e2a\u0e21\u0e0a\u0e32\u0e22", True),
        ("Nguy\u1ec5n V\u0103n \u0110\u1ee9c", True),
        ("\u00deorsteinn \u0141uk\u0259", True),
        ("Zo\u00eb O\u2019Neill-Stra\u00dfe", True),
        ("Ann ann+x@shop.example", True),
        *((f"Ann{sign}Bob", False) for sign in ',;:/\\()[]<>{}&#!?"\uff0c\u3001\uff08\u060c'),
        ("Ann (verified), Bob", False),
        ("\u30b5\u30c8\u30a6\u30fb\u30bf\u30ed\u30a6", True),
        ("\u9ad8\ufa11", True),
        ("\u3127", False),  # BOPOMOFO LETTER I
        ("\u04bd\u0430", False),  # CYRILLIC SMALL LETTER ABKHASIAN CHE
        ("\u04d4\u043b\u0430", False),  # CYRILLIC CAPITAL LIGATURE A IE
        ("\u051b\u0430", False),  # CYRILLIC SMALL LETTER QA
        ("\u0492\u0430\u043b\u044b\u043c \u04b0\u043b\u044b \u04e8\u0442\u0435\u0433\u0435\u043d", True),
        ("\u0407\u0436\u0430\u043a\u0435\u0432\u0438\u0447 \u040e\u0451\u0452\u0453", True),
    ],
)
def test_a_name_is_of_one_script_in_everyday_use(name: str, is_taken: bool) -> None:
    assert cleaned_name(name) == (name if is_taken else None)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("\u0421\u043e\u0440", "Cop", True),  # all of it Cyrillic
        ("\u0391\u039d\u039d\u0391", "ANNA", True),  # all of it Greek
        ("\u30cb\u30ed", "\u4e8c\u53e3", True),
        ("\u06a9\u0627\u0638\u0645\u06cc", "\u0643\u0627\u0638\u0645\u064a", True),
        ("\u05d0\u05b0\u05d1", "\u05d0\u05d1", True),
        ("\u0e01\u0e34", "\u0e01\u0e34\u0e34", True),  # a vowel set twice
        ("\u0e01\u0e34", "\u0e01\u0e35", False),
        ("\u304b", "\u304c", False),
        ("Kai", "Kal", False),
        ("Ann", "Anna", False),
        ("ann@shop.example", "ann@shoe.example", False),
        ("Sophie", "\u0405\u043e\u0440\u04bb\u0456\u0435", True),
        ("Joseph", "\u0408\u043e\u0455\u0435\u0440\u04bb", True),
        ("Yana", "\u04ae\u0430\u0438\u0430", False),
        ("YAHOH", "\u04ae\u0410\u041d\u041e\u04a2", True),
        ("Max", "\u039c\u03b1\u03c7", True),
        ("Uno", "\u054d\u0578\u0585", True),
        ("\u0413\u0410\u041f", "\u0393\u0391\u03a0", True),  # Cyrillic and Greek
        ("\u0e41\u0e01", "\u0e40\u0e40\u0e01", True),
        ("\u0906\u0936\u093e", "\u0905\u093e\u0936\u093e", True),
        ("\u0913\u092e", "\u0905\u094b\u092e", True),
        ("\u0905\u092e", "\u0906\u092e", False),
        ("\u05f0\u05d0\u05f2", "\u05d5\u05d5\u05d0\u05d9\u05d9", True),
        ("\u0b94", "\u0b92\u0bb3", True),
        ("\u9ad9\u6a4b \ufa11", "\u9ad8\u6a4b \u5d0e", True),
        ("Ian Lee", "lan lee", True),
        ("Ian Lee", "Lan Lee", False),
        ("IAN LEE", "1an lEE", True),
        ("Iona", "Lona", False),
        ("ALI", "ALL", False),
        ("Lan Lee", "LAN LEE", True),
        ("William", "VVilliarn", True),
        ("Nguy\u1ec5n V\u0103n H\u00f9ng", "Nguy\u1ec5n V\u0103n H\u01b0ng", True),  # which costs a name more
        ("Nguy\u1ec5n V\u0103n H\u00f9ng", "Nguy\u1ec5n V\u0103n H\u01b0ng B.", False),
        ("Tr\u1ea7n H\u00f2a", "Tr\u1ea7n Hoa 2", False),
    ],
)
def test_names_that_look_alike_are_one_and_others_are_not(one: str, other: str, is_same: bool) -> None:
    assert cleaned_name(one) == one
    assert cleaned_name(other) == other
    assert same_person(one, other) is is_same


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u0631\u0636\u0627"),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u0dbb\u0dd3"),
        ("Ann\u200cb", None),
        ("\u0639\u200c", None),
        ("\u0639\u200c\u200c\u0631", None),
        ("\u0639\u200d\u0631", None),
        ("Ann   \u2003\u00a0 Lee", "Ann Lee"),
    ],
)
def test_what_joins_letters_and_many_blanks_are_no_part_of_a_name(typed: str, name: str | None) -> None:
    assert cleaned_name(typed) == name


def test_who_is_taken_for_another_is_told_how_to_be_told_apart(desk_of_two: Desk) -> None:
    desk_of_two.ask()
    desk_of_two.command("approve", "V\u0103n H\u00f9ng")
    assert "add something to it" in desk_of_two.command("approve", "V\u0103n H\u01b0ng")["message"]
    assert "add something to it" in desk_of_two.command("approve", "rita requester")["message"]
    assert desk_of_two.command("approve", "V\u0103n H\u01b0ng QA")["outcome"] == "decided"


@pytest.mark.parametrize(
    "end", ["\u201d", '"', "\u201c", "''", "\u2019\u2019", "\u201d\u2019", "\u2033", "\u00bb", "\uff02", "\u301e"]
)
def test_nobody_says_in_a_comment_what_another_seems_to_say(desk_of_two: Desk, end: str) -> None:
    desk_of_two.ask()
    desk_of_two.command(
        "approve", "Ann", comment=f"fine{end}, Bob (verified): \u201cI{end}\n \u3164\u2003\u2003 tested it{end}"
    )
    desk_of_two.command("approve", "Cy", comment="it isn\u2019t much")
    assert desk_of_two.releases.heard["token-1"]["said"] == (
        "Approved by Ann (name not verified): \u201cfine', Bob (verified): 'I' \\u3164 tested it'\u201d,"
        " Cy (name not verified): \u201cit isn\u2019t much\u201d."
    )
    shown = desk_of_two.get().text
    assert shown.count("\u201c") == shown.count("\u201d") == 4, "in the sentence and among the answers"


ASCII_ENDS = [
    "",
    *string.ascii_lowercase,
    *string.digits,
    "ae",
    "oe",
    "ss",
    "ff",
    "fi",
    "fl",
    "ffi",
    "ffl",
    "st",
    "ij",
    "dz",
    "lj",
    "nj",
]


def test_no_latin_letter_makes_another_person_of_a_name_in_ascii() -> None:
    """All blocks that have letters like them, and letters that come apart into them."""
    blocks = ((0x80, 0x370), (0x1D00, 0x1F00), (0x2000, 0x2200), (0x2C60, 0x2C80), (0xA720, 0xA800), (0xAB30, 0xAB70))
    taken = {}
    for code in (code for first, end in (*blocks, (0xFB00, 0xFB07), (0xFF00, 0xFFF0)) for code in range(first, end)):
        if (name := cleaned_name(f"Ann{chr(code)}b")) is not None:
            assert cleaned_name(name) == name, hex(code)
            taken[code] = [ascii_ for ascii_ in ASCII_ENDS if same_person(name, f"Ann{ascii_}b")]
    assert len(taken) > 500
    assert [hex(code) for code, same in taken.items() if not same] == []
