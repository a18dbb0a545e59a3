"""Secrets Manager: the release role's login, and the replication role's for as long as a release runs."""

from __future__ import annotations

import json
import secrets as entropy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .errors import AwsRefused
from .model import RELEASE_TAG, Cluster, Plan
from .postgres import Credentials

UNREADABLE = frozenset(
    {"AccessDeniedException", "DecryptionFailure", "InvalidRequestException", "ResourceNotFoundException"}
)
"""Codes of GetSecretValue that another attempt meets again; an invalid request is one for a secret being deleted."""


class CachedLogin:
    """The logins that a secret holds, the one that is kept in memory while the function is warm first.

    A rotation gives the database a password first and calls it the current one afterwards, so in between only the
    pending version gets in. It gives it to one cluster: a clone of that from before still has the previous one.
    """

    def __init__(self, client: Any, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id
        self._login: Credentials | None = None

    def __call__(self, _cluster: Cluster) -> Iterator[Credentials]:
        known = self._login
        if known:
            yield known
        current = self._login = self._read("AWSCURRENT")
        if current != known:
            yield current
        for stage, successor in (("AWSPENDING", None), ("AWSPREVIOUS", current)):
            with suppress(AwsRefused):  # most of the time there is no such version, or one without a value
                login = self._read(stage)
                if login not in (known, current):
                    yield replace(login, successor=successor)

    def _read(self, stage: str) -> Credentials:
        try:
            return read_login(self._client, self._secret_id, stage)
        except self._client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in UNREADABLE:
                raise
            raise AwsRefused(f"The secret {self._secret_id} cannot be read: {code}") from error
        except (ValueError, KeyError, TypeError):  # without the cause, which may quote from the secret
            raise AwsRefused(f"The secret {self._secret_id} is no JSON object with username and password") from None


def read_login(client: Any, secret_id: str, stage: str = "AWSCURRENT") -> Credentials:
    """Reads a secret of the form ``{"username": …, "password": …}``, as RDS and its rotation functions write it."""
    fields = json.loads(client.get_secret_value(SecretId=secret_id, VersionStage=stage)["SecretString"])
    return Credentials(fields["username"], fields["password"])


def create_replication_login(client: Any, plan: Plan, kms_key_arn: str = "") -> Credentials:
    """Makes the replication role's secret, or reads the one that an earlier attempt made.

    It is encrypted with the account's key for secrets where there is no other.
    """
    key = {"KmsKeyId": kms_key_arn} if kms_key_arn else {}
    login = Credentials(plan.replication_role, entropy.token_urlsafe(32))
    try:
        client.create_secret(
            Name=plan.replication_secret,
            Description=f"Login of green's subscriptions on blue during release {plan.release_id}; deleted at its end",
            SecretString=json.dumps({"username": login.username, "password": login.password}),
            Tags=[{"Key": RELEASE_TAG, "Value": plan.release_id}],
            **key,
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
