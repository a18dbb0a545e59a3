"""DynamoDB: requests that wait for an answer, and what was answered. An item is gone some time after it was of use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from .deciding import Answer, Request

KEPT_AFTER_EXPIRY_S = 90 * 86_400
"""Then DynamoDB deletes the item. What was decided is in the release's record by then."""

_TEXTS = (
    "question",
    "cluster_name",
    "requested_by",
    "subject",
    "text",
    "approvers_needed",
    "expires_at_s",
    "verified_only",
)


@dataclass(frozen=True, slots=True)
class Approvals:
    """The table; its key is the release and the time at which it asked."""

    dynamodb: Any
    table: str

    def open(self, request: Request, retry: int) -> Request | None:
        """Keeps a request with its newest token, and what was answered before; None when a later try was here.

        A state that is tried again has a new token, and the older one is dead. ``retry`` counts the tries.
        """
        asked = {name: getattr(request, name) for name in _TEXTS}
        values = {
            "asked": {"S": json.dumps(asked)},
            "task_token": {"S": request.task_token},
            "retry": {"N": str(retry)},
            "delete_after": {"N": str(request.expires_at_s + KEPT_AFTER_EXPIRY_S)},
        }
        unheard = "answers = if_not_exists(answers, :answers) REMOVE heard"
        try:
            item = self._update(
                request,
                f"SET {', '.join(f'#{name} = :{name}' for name in values)}, {unheard}",
                "attribute_not_exists(#retry) OR #retry <= :retry",
                {f":{name}": value for name, value in values.items()} | {":answers": {"S": "[]"}},
                {f"#{name}": name for name in values},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return _request(item)

    def find(self, release_id: str, request: str) -> Request | None:
        """A request; None when there is none, or it is long over."""
        key = {"release_id": {"S": release_id}, "request": {"S": request}}
        item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return _request(item) if item else None

    def record(self, seen: Request, answer: Answer, decision: str | None) -> Request | None:
        """Adds an answer, and the decision if it makes one; None when somebody else answered meanwhile."""
        values = {
            ":seen": {"S": _written(seen.answers)},
            ":answers": {"S": _written((*seen.answers, answer))},
        }
        change = "SET answers = :answers"
        if decision is not None:
            values[":decision"] = {"S": decision}
            change += ", decision = :decision"
        try:
            unanswered = "answers = :seen AND attribute_not_exists(decision) AND attribute_not_exists(is_over)"
            item = self._update(seen, change, unanswered, values)
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return _request(item)

    def close(self, release_id: str) -> None:
        """Notes with all requests of a release that it has ended: whoever answers late is told so, and is not asked."""
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="release_id = :release_id",
            ExpressionAttributeValues={":release_id": {"S": release_id}},
            ConsistentRead=True,
        )
        for item in (each for page in pages for each in page["Items"]):
            values = {":yes": {"BOOL": True}}
            with suppress(self.dynamodb.exceptions.ConditionalCheckFailedException):  # it has been deleted
                self._update(_request(item), "SET is_over = :yes", "attribute_exists(answers)", values)

    def note_heard(self, request: Request, heard: str) -> None:
        """Keeps whether the release took the decision from this token."""
        values = {":heard": {"S": heard}, ":token": {"S": request.task_token}}
        try:
            self._update(request, "SET heard = :heard", "task_token = :token", values)
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return  # it asked again meanwhile, and is told by whoever asks

    def _update(
        self, request: Request, change: str, condition: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> dict[str, Any]:
        item: dict[str, Any] = self.dynamodb.update_item(
            TableName=self.table,
            Key={"release_id": {"S": request.release_id}, "request": {"S": request.request}},
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
            **({"ExpressionAttributeNames": names} if names else {}),
        )["Attributes"]
        return item


def _written(answers: Sequence[Answer]) -> str:
    return json.dumps([asdict(answer) for answer in answers])


def _request(item: dict[str, Any]) -> Request:
    return Request(
        release_id=item["release_id"]["S"],
        request=item["request"]["S"],
        task_token=item["task_token"]["S"],
        answers=tuple(Answer(**each) for each in json.loads(item["answers"]["S"])),
        decision=item["decision"]["S"] if "decision" in item else None,
        heard=item["heard"]["S"] if "heard" in item else None,
        is_over="is_over" in item,
        **json.loads(item["asked"]["S"]),
    )
