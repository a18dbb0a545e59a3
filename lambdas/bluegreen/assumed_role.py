"""AWS STS: a session in green's account, by the role that makes green there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.credentials import DeferredRefreshableCredentials


@dataclass(frozen=True, slots=True)
class _Assumed:
    """What botocore asks for credentials, before all others that it knows."""

    credentials: DeferredRefreshableCredentials
    METHOD: str = "assumed-for-green"
    CANONICAL_NAME: str = "assumed-for-green"

    def load(self) -> DeferredRefreshableCredentials:
        """The credentials of the role."""
        return self.credentials


def session_in(role_arn: str, external_id: str, release_id: str, sts: Any) -> Session:
    """A session by the role of green's account, which CloudTrail shows there under the name of the release.

    The role is assumed with the first call, and again before its credentials end: after an hour, the longest for a role
    that is assumed by a role (IAM User Guide, "Role chaining"). A refusal is a ``ClientError`` of that call.
    """

    def assume() -> dict[str, str]:
        external = {"ExternalId": external_id} if external_id else {}
        given = sts.assume_role(RoleArn=role_arn, RoleSessionName=release_id, **external)["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    made = botocore.session.get_session()
    given = _Assumed(DeferredRefreshableCredentials(assume, method="assumed-for-green"))
    made.get_component("credential_provider").insert_before("env", given)
    return Session(botocore_session=made)
