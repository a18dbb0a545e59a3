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
from bluegreen.model import RELEASE_TAG, Cluster, Plan

BLUE = Cluster("shop-blue", "shop-blue.cluster-abc.eu-west-2.rds.amazonaws.com", 5432)


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


def test_the_replication_roles_secret_is_encrypted_with_the_customers_key_if_there_is_one(
    client: Any, plan: Plan
) -> None:
    key = "arn:aws:kms:eu-west-2:123456789012:key/1"
    secrets.create_replication_login(client, plan, key)
    assert client.describe_secret(SecretId=plan.replication_secret)["KmsKeyId"] == key


def test_the_login_in_memory_comes_first_and_what_a_rotation_has_made_of_it_after_that(client: Any) -> None:
    old, new = (json.dumps({"username": "u", "password": password}) for password in ("old", "new"))
    client.create_secret(Name="role", SecretString=old)
    logins = secrets.CachedLogin(client, "role")
    assert passwords(logins) == ["old"]
    client.put_secret_value(SecretId="role", SecretString=new)
    assert next(iter(logins(BLUE))).password == "old"
    assert passwords(logins) == ["old", "new"]
    first, second = logins(BLUE)
    assert (first.password, second.password, second.successor) == ("new", "old", first)
    client.put_secret_value(SecretId="role", SecretBinary=b"none", VersionStages=["AWSPENDING"])
    assert passwords(logins) == ["new", "old"]


def passwords(logins: secrets.CachedLogin) -> list[str]:
    return [login.password for login in logins(BLUE)]


def test_a_secret_that_cannot_be_read_is_refused_by_name_and_quoted_nowhere(client: Any) -> None:
    with pytest.raises(AwsRefused, match="secret role cannot be read: ResourceNotFoundException"):
        next(secrets.CachedLogin(client, "role")(BLUE))
    for text in ("s3cret", '"s3cret"', '["s3cret"]', '{"password": "s3cret"}'):
        made = client.create_secret(Name="role", SecretString=text)
        with pytest.raises(AwsRefused, match="no JSON object with username and password") as raised:
            next(secrets.CachedLogin(client, "role")(BLUE))
        assert "s3cret" not in "".join(traceback.format_exception(raised.value))
        client.delete_secret(SecretId=made["ARN"], ForceDeleteWithoutRecovery=True)


def test_a_throttled_call_is_none_of_them(client: Any) -> None:
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetSecretValue")
    busy = SimpleNamespace(exceptions=client.exceptions, get_secret_value=Mock(side_effect=throttled))
    with pytest.raises(ClientError):
        next(secrets.CachedLogin(busy, "role")(BLUE))
