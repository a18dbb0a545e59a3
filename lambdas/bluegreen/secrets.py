"""Secrets Manager: the release role's login, and the replication role's for as long as a release runs."""

from __future__ import annotations

import json
import secrets as entropy
from typing import Any

from .errors import AwsRefused
from .model import RELEASE_TAG, Plan
from .postgres import Credentials

UNREADABLE = frozenset(
    {"AccessDeniedException", "DecryptionFailure", "InvalidRequestException", "ResourceNotFoundException"}
)
"""Codes of GetSecretValue that another attempt meets again; an invalid request is one for a secret being deleted."""


class CachedLogin:
    """A login that is read once and kept in memory while the function is warm; asked again after a rotation."""

    def __init__(self, client: Any, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id
        self._login: Credentials | None = None

    def __call__(self, fresh: bool) -> Credentials:
        if self._login is None or fresh:
            try:
                self._login = read_login(self._client, self._secret_id)
            except self._client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in UNREADABLE:
                    raise
                raise AwsRefused(f"The secret {self._secret_id} cannot be read: {code}") from error
            except (ValueError, KeyError, TypeError):  # without the cause, which may quote from the secret
                raise AwsRefused(f"The secret {self._secret_id} is no JSON object with username and password") from None
        return self._login


def read_login(client: Any, secret_id: str) -> Credentials:
    """Reads a secret of the form ``{"username": …, "password": …}``, as RDS and its rotation functions write it."""
    fields = json.loads(client.get_secret_value(SecretId=secret_id)["SecretString"])
    return Credentials(fields["username"], fields["password"])


def create_replication_login(client: Any, plan: Plan) -> Credentials:
    """Makes the replication role's secret, or reads the one that an earlier attempt made."""
    login = Credentials(plan.replication_role, entropy.token_urlsafe(32))
    try:
        client.create_secret(
            Name=plan.replication_secret,
            Description=f"Login of green's subscriptions on blue during release {plan.release_id}; deleted at its end",
            SecretString=json.dumps({"username": login.username, "password": login.password}),
            Tags=[{"Key": RELEASE_TAG, "Value": plan.release_id}],
        )
    except client.exceptions.ResourceExistsException:
        return read_login(client, plan.replication_secret)
    return login


def delete_replication_login(client: Any, plan: Plan) -> None:
    """Deletes the replication role's secret at once: its role is gone as well, so there is nothing to recover."""
    try:
        client.delete_secret(SecretId=plan.replication_secret, ForceDeleteWithoutRecovery=True)
    except client.exceptions.ResourceNotFoundException:
        return
