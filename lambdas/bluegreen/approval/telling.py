"""What people are told of their answers, in sentences."""

from __future__ import annotations

from .answering import Taken
from .deciding import Request, said


def sentence(taken: Taken) -> str:
    """What became of an answer."""
    request = taken.request
    match taken.outcome:
        case "decided":
            return f"{said(request)} {consequence(request)}"
        case "already decided":
            return f"This was decided before. {said(request)} {consequence(request)}"
        case "noted":
            more = "one more person has" if request.missing == 1 else f"{request.missing} more people have"
            return f"Your approval is noted; {more} to approve before the release goes on."
        case "over":
            return "The release has ended meanwhile, so nobody can answer it any more."
        case "expired":
            return "The request has expired, so nobody can answer it any more; the release is given up and cleans up."
        case "not verified":
            return (
                "This release is approved on the page alone, where people sign in. Rejecting it is possible here too."
            )
        case "requester":
            return (
                f"{request.requested_by} asked for this release, and so cannot approve it: somebody else has to."
                f" Rejecting it is possible.{_way_out(request)}"
            )
        case "same person":
            return f"You have approved already: another person has to.{_way_out(request)}"
        case "unknown decision":
            return "That is no answer to this request."


def _way_out(request: Request) -> str:
    """Two people may have names that count as one; claims of tokens are compared as they are."""
    if request.verified_only:
        return ""
    return " If your name only looks like that one's, add something to it: a second name, an initial, your team."


def consequence(request: Request) -> str:
    """What the release makes of what was decided."""
    if request.heard == "gone":
        return (
            "But the release is no longer waiting: it was stopped, has failed, or the time was over. Should it ask the"
            " same again, it takes this answer."
        )
    if request.heard is None:
        return "But the release was not told yet: send the answer again."
    return {
        "approve": "The release goes on: blue stops taking writes soon.",
        "try_again": "The release goes on with the scripts as they are in S3 now.",
    }.get(str(request.decision), "The release ends, and what it made is removed.")
