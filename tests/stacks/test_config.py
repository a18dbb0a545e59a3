from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, ConfigError
from tests.stacks.synthesis import ROOT, run_app

Block = dict[str, Any]

OPTIONAL = {
    "database_port": 5432,
    "approval_timeout_s": 86_400,
    "freeze_budget_s": 30,
    "max_attempts": 3,
    "switchover_ttl_s": 5,
    "max_lag_bytes": 16_777_216,
    "max_lag_s": 5.0,
    "database_tls": "verify-full",
    "event_source": "release.pipeline",
}


def refusal(block: object, name: str = "shop") -> str:
    with pytest.raises(ConfigError) as raised:
        ClusterConfig.from_context(name, block)
    return str(raised.value)


def test_the_example_of_cdk_json_is_valid(block: Block) -> None:
    config = ClusterConfig.from_context("shop", block)
    assert config.databases == ("app", "crm")
    assert config.writer_record == "db.shop.internal"


def test_optional_settings_have_their_documented_defaults(block: Block) -> None:
    config = ClusterConfig.from_context("shop", {key: block[key] for key in block if key not in OPTIONAL})
    assert {key: getattr(config, key) for key in OPTIONAL} == OPTIONAL


def test_the_example_of_cdk_json_shows_every_setting_and_its_default(block: Block) -> None:
    assert {key: block[key] for key in OPTIONAL} == OPTIONAL
    assert set(block) | {"name"} == set(ClusterConfig.__dataclass_fields__)


@pytest.mark.parametrize("key", ["region", "vpc_id", "subnet_ids", "cluster_pattern", "databases", "approver_emails"])
def test_a_missing_setting_is_named(block: Block, key: str) -> None:
    assert refusal({each: block[each] for each in block if each != key}).startswith(f"clusters.shop.{key}: missing")


def test_an_unknown_setting_is_refused_with_the_nearest_one(block: Block) -> None:
    message = refusal({**block, "freeze_budget": 30})
    assert message == "clusters.shop.freeze_budget: no such setting; did you mean freeze_budget_s?"


def test_an_unknown_setting_like_no_other_is_refused_with_all_there_are(block: Block) -> None:
    assert "expected one of region, vpc_id" in refusal({**block, "colour": "green"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("region", "London"),
        ("region", None),
        ("vpc_id", "subnet-0a1b"),
        ("subnet_ids", "subnet-0a1b"),
        ("subnet_ids", []),
        ("subnet_ids", ["subnet-0a1b", "subnet-0a1b"]),
        ("availability_zones", ["eu-west-2", "eu-west-2"]),
        ("database_security_group_id", ["sg-0a1b"]),
        ("database_port", "5432"),
        ("database_port", 80),
        ("cluster_pattern", "*"),
        ("cluster_pattern", "shop*"),
        ("cluster_pattern", "1shop-*"),
        ("cluster_pattern", "shop--*"),
        ("databases", []),
        ("databases", ["app", ""]),
        ("databases", ["app", "app"]),
        ("databases", ["a" * 64]),
        ("hosted_zone_id", "/hostedzone/Z0123"),
        ("writer_record", "DB.shop.internal"),
        ("writer_record", "db.shop.internal."),
        ("writer_record", "localhost"),
        ("writer_record", "-db.shop.internal"),
        ("approver_emails", ["nobody"]),
        ("approval_timeout_s", 0),
        ("approval_timeout_s", True),
        ("freeze_budget_s", 601),
        ("freeze_budget_s", 30.0),
        ("switchover_ttl_s", -1),
        ("max_lag_bytes", 1.5),
        ("max_lag_s", 0),
        ("max_lag_s", "5"),
        ("database_tls", "require"),
        ("event_source", "aws.ec2"),
    ],
)
def test_a_wrong_value_is_refused_by_its_full_name(block: Block, key: str, value: object) -> None:
    message = refusal({**block, key: value})
    assert message.startswith(f"clusters.shop.{key}: expected ")
    assert message.endswith(f", found {value!r}")


def test_a_pattern_that_leaves_green_out_is_refused(block: Block) -> None:
    assert "expected a pattern that matches shop-<release id>" in refusal({**block, "cluster_pattern": "store-*"})


def test_every_subnet_needs_its_zone(block: Block) -> None:
    message = refusal({**block, "availability_zones": ["eu-west-2a"]})
    assert message.startswith("clusters.shop.availability_zones: expected one for each of the 2 subnets")


def test_zones_of_another_region_are_refused(block: Block) -> None:
    message = refusal({**block, "region": "eu-west-1"})
    assert message.startswith("clusters.shop.availability_zones: expected zones of eu-west-1, found 'eu-west-2a'")


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "shop-", "shop--eu", "a" * 26])
def test_a_name_that_cannot_begin_the_names_of_clusters_is_refused(block: Block, name: str) -> None:
    assert refusal(block, name).startswith(f"clusters.{name}: expected a name")


def test_a_block_has_to_be_a_block() -> None:
    assert refusal(["shop"]).startswith("clusters.shop: expected a block of settings")


def test_the_limits_of_the_execution_input_admit_every_configured_default(block: Block) -> None:
    limits = json.loads((ROOT / "statemachine" / "release-input.schema.json").read_text())["properties"]
    for key in limits.keys() & OPTIONAL.keys():
        assert limits[key].get("minimum", 0) <= OPTIONAL[key] <= limits[key].get("maximum", float("inf")), key
        assert key in block


def test_the_app_ends_with_one_line_about_a_wrong_setting(tmp_path: Path, block: Block) -> None:
    run = run_app(tmp_path, {"clusters": {"shop": {**block, "region": "London"}}})
    assert run.returncode == 1
    assert run.stderr == "clusters.shop.region: expected an AWS Region such as \"eu-west-2\", found 'London'\n"
