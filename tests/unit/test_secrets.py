"""The replication role's secret, against moto's Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from bluegreen import secrets
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
