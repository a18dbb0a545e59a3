"""The replication role's secret, against moto's Secrets Manager."""

from __future__ import annotations

import json
import traceback
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError

from bluegreen import secrets
from bluegreen.errors import AwsRefused
from bluegreen.model import RELEASE_TAG, Plan


@pytest.fixture
def client() -> Any:
    return boto3.client("secretsmanager")


def test_the_login_is_made_once_tagged_and_deleted_at_once(client: Any, plan: Plan) -> None:
    login = secrets.create_replication_login(client, plan)
    assert secrets.create_replication_login(client, plan) == login
    assert login.password not in repr(login)
    described = client.describe_secret(SecretId=plan.replication_secret)
    assert {"Key": RELEASE_TAG, "Value": plan.release_id} in described["Tags"]
    for _ in range(2):
        secrets.delete_replication_login(client, plan)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_secret(SecretId=plan.replication_secret)


def test_a_rotated_password_is_read_again_when_asked_for(client: Any) -> None:
    client.create_secret(Name="role", SecretString=json.dumps({"username": "u", "password": "old"}))
    login = secrets.CachedLogin(client, "role")
    assert login(False).password == "old"
    client.put_secret_value(SecretId="role", SecretString=json.dumps({"username": "u", "password": "new"}))
    assert login(False).password == "old"
    assert login(True).password == "new"
    assert login(False).password == "new"


def test_a_secret_that_cannot_be_read_is_refused_by_name_and_quoted_nowhere(client: Any) -> None:
    with pytest.raises(AwsRefused, match="secret role cannot be read: ResourceNotFoundException"):
        secrets.CachedLogin(client, "role")(False)
    for text in ("s3cret", '"s3cret"', '["s3cret"]', '{"password": "s3cret"}'):
        made = client.create_secret(Name="role", SecretString=text)
        with pytest.raises(AwsRefused, match="no JSON object with username and password") as raised:
            secrets.CachedLogin(client, "role")(False)
        assert "s3cret" not in "".join(traceback.format_exception(raised.value))
        client.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)


def test_a_throttled_call_is_none_of_them(client: Any) -> None:
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue")
    busy = SimpleNamespace(exceptions=client.exceptions, get_secret_value=Mock(side_effect=throttled))
    with pytest.raises(ClientError):
        secrets.CachedLogin(busy, "role")(False)
