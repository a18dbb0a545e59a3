from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.config import ClusterConfig, ConfigError
from tests.stacks.synthesis import ROOT, run_app

Block = dict[str, Any]

HOOK = "arn:aws:lambda:eu-west-2:123456789012:function:pause-the-shop"

OPTIONAL = {
    "database_port": 5432,
    "approval_timeout_s": 86_400,
    "freeze_budget_s": 30,
    "freeze_method": "nologin",
    "freeze_hook_function_arn": "",
    "freeze_hook_in_budget": True,
    "hook_function_arn": "",
    "hook_timeout_s": 300,
    "max_attempts": 3,
    "switchover_ttl_s": 5,
    "max_lag_bytes": 16_777_216,
    "max_lag_s": 5.0,
    "functions_in_vpc": "databases",
    "isolated_subnets": False,
    "vpc_endpoints": (),
    "route_table_ids": (),
    "kms_key_arn": "",
    "database_auth": "password",
    "alarm_lag_s": 900,
    "alarm_retained_bytes": 53_687_091_200,
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
    assert [(record.name, record.endpoint, record.type) for record in config.records] == [
        ("db.shop.internal", "writer", "CNAME"),
        ("db-ro.shop.internal", "reader", "CNAME"),
    ]


def test_optional_settings_have_their_documented_defaults(block: Block) -> None:
    config = ClusterConfig.from_context("shop", {key: block[key] for key in block if key not in OPTIONAL})
    assert {key: getattr(config, key) for key in OPTIONAL} == OPTIONAL


def test_the_example_of_cdk_json_shows_every_setting_and_its_default(block: Block) -> None:
    assert {key: tuple(shown) if isinstance(shown := block[key], list) else shown for key in OPTIONAL} == OPTIONAL
    assert set(block) | {"name"} == set(ClusterConfig.__dataclass_fields__)


def test_a_rehearsal_has_records_of_its_own_and_they_are_names(block: Block) -> None:
    def refused(**record: str) -> str:
        record = {"zone_id": "Z0123456789ABCDEFGHIJ", "name": "r.shop.internal", "endpoint": "writer"} | record
        return refusal({**block, "rehearsal_records": [record]})

    assert refused(type="A").startswith('clusters.shop.rehearsal_records[0].type: expected "CNAME"')
    assert refused(name=block["writer_record"]).startswith("clusters.shop.rehearsal_records[0].name: expected one that")


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
        ("more_records", {"name": "db-ro.shop.internal"}),
        ("more_records", "db-ro.shop.internal"),
        ("more_records", [{}] * 50),
        ("approver_emails", ["nobody"]),
        ("approval_timeout_s", 0),
        ("approval_timeout_s", True),
        ("approvers_needed", 0),
        ("approvers_needed", 3),
        ("approval_page_url", "http://approvals.shop.example"),
        ("approval_page_url", "https://approvals.shop.example/releases"),
        ("approval_jwt_issuer", "login.shop.example"),
        ("approval_jwt_audience", "releases"),
        ("approval_jwt_audience", ["releases", "releases"]),
        ("approval_identity_claim", ""),
        ("freeze_budget_s", 601),
        ("freeze_budget_s", 30.0),
        ("freeze_method", "readonly"),
        ("freeze_hook_function_arn", "pause-the-shop"),
        ("freeze_hook_function_arn", f"{HOOK} "),
        ("hook_function_arn", "pause-the-shop"),
        ("hook_timeout_s", 0),
        ("hook_timeout_s", 901),
        ("freeze_hook_in_budget", "no"),
        ("freeze_hook_in_budget", 1),
        ("switchover_ttl_s", -1),
        ("max_lag_bytes", 1.5),
        ("max_lag_s", 0),
        ("max_lag_s", "5"),
        ("verify_rows_per_s", -1),
        ("verify_max_active_sessions", True),
        ("functions_in_vpc", "none"),
        ("isolated_subnets", "yes"),
        ("vpc_endpoints", ["route53"]),
        ("vpc_endpoints", ["rds", "rds"]),
        ("route_table_ids", ["rt-0a1b"]),
        ("kms_key_arn", "alias/shop"),
        ("database_auth", "token"),
        ("database_tls", "require"),
        ("event_source", "aws.ec2"),
    ],
)
def test_a_wrong_value_is_refused_by_its_full_name(block: Block, key: str, value: object) -> None:
    message = refusal({**block, key: value})
    assert message.startswith(f"clusters.shop.{key}: expected ")
    assert message.endswith(f", found {value!r}")


RECORD = {"zone_id": "Z2", "name": "db.shop.example", "endpoint": "writer"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zone_id": "/hostedzone/Z2"}, "zone_id: expected the id of a Route 53 hosted zone"),
        ({"name": "DB.shop.example"}, "name: expected a host name"),
        ({"name": "db.*.example"}, "name: expected a host name"),
        ({"name": "db.shop.example."}, "name: expected a host name"),
        ({"name": 5}, "name: expected a host name"),
        ({"endpoint": "Writer"}, 'endpoint: expected "writer" or "reader", found \'Writer\''),
        ({"type": "ALIAS"}, 'type: expected "CNAME" or "A", found \'ALIAS\''),
        ({"region": "Ireland"}, "region: expected a Region of secondary_regions"),
        ({"region": "eu-west-1", "endpoint": "reader"}, "region: expected one of secondary_regions"),
        ({"typ": "A"}, "typ: no such setting; did you mean type?"),
    ],
)
def test_a_wrong_record_is_refused_by_its_full_name(block: Block, change: Block, said: str) -> None:
    message = refusal({**block, "more_records": [RECORD, {**RECORD, "name": "db2.shop.example", **change}]})
    assert message.startswith(f"clusters.shop.more_records[1].{said}")


def test_a_record_that_lacks_something_or_is_no_block_is_refused(block: Block) -> None:
    missing = refusal({**block, "more_records": [{"zone_id": "Z2", "name": "db.shop.example"}]})
    assert missing == 'clusters.shop.more_records[0].endpoint: missing; expected "writer" or "reader"'
    assert refusal({**block, "more_records": ["db"]}).startswith("clusters.shop.more_records[0]: expected a block")


def test_odd_names_and_the_same_name_in_another_zone_are_fine(block: Block) -> None:
    names = ["db.shop.internal", "*.shop.example", "_db.shop.example"]
    config = ClusterConfig.from_context("shop", {**block, "more_records": [{**RECORD, "name": name} for name in names]})
    assert [record.name for record in config.more_records] == names


def test_a_record_that_is_there_twice_is_refused(block: Block) -> None:
    primary = {"zone_id": block["hosted_zone_id"], "name": block["writer_record"], "endpoint": "reader"}
    for records in ([primary], [RECORD, {**RECORD, "type": "A"}]):
        message = refusal({**block, "more_records": records})
        assert message.startswith(f"clusters.shop.more_records[{len(records) - 1}].name: expected one that is not")


def test_a_record_of_another_region_is_one_of_readers(block: Block) -> None:
    record = {**RECORD, "region": "eu-west-1"}
    regions = {"secondary_regions": ["eu-west-1"]}
    config = ClusterConfig.from_context(
        "shop", {**block, **regions, "more_records": [{**record, "endpoint": "reader"}]}
    )
    assert config.more_records[0].region == "eu-west-1"
    assert "for a record whose endpoint is reader" in refusal({**block, **regions, "more_records": [record]})
    assert "secondary_regions: expected other Regions" in refusal({**block, "secondary_regions": [block["region"]]})


def test_a_pattern_that_leaves_green_out_is_refused(block: Block) -> None:
    assert "expected a pattern that matches shop-<release id>" in refusal({**block, "cluster_pattern": "store-*"})


def test_every_subnet_needs_its_zone(block: Block) -> None:
    message = refusal({**block, "availability_zones": ["eu-west-2a"]})
    assert message.startswith("clusters.shop.availability_zones: expected one for each of the 2 subnets")


def test_zones_of_another_region_are_refused(block: Block) -> None:
    message = refusal({**block, "region": "eu-west-1"})
    assert message.startswith("clusters.shop.availability_zones: expected zones of eu-west-1, found 'eu-west-2a'")


@pytest.mark.parametrize("key", ["freeze_hook_function_arn", "hook_function_arn"])
@pytest.mark.parametrize("arn", [HOOK, f"{HOOK}:live", f"{HOOK}:$LATEST"])
def test_a_hook_is_a_function_of_the_region(block: Block, arn: str, key: str) -> None:
    assert getattr(ClusterConfig.from_context("shop", {**block, key: arn}), key) == arn
    elsewhere = refusal({**block, key: arn.replace("eu-west-2", "us-east-1")})
    assert elsewhere.startswith(f"clusters.shop.{key}: expected a function of eu-west-2")


def test_the_method_hook_needs_a_function(block: Block) -> None:
    message = refusal({**block, "freeze_method": "hook"})
    assert message == 'clusters.shop.freeze_hook_function_arn: missing; freeze_method is "hook"'


@pytest.mark.parametrize("name", ["", "Shop", "1shop", "shop-", "shop--eu", "a" * 26])
def test_a_name_that_cannot_begin_the_names_of_clusters_is_refused(block: Block, name: str) -> None:
    assert refusal(block, name).startswith(f"clusters.{name}: expected a name")


def test_a_block_has_to_be_a_block() -> None:
    assert refusal(["shop"]).startswith("clusters.shop: expected a block of settings")


def test_the_limits_of_the_execution_input_admit_every_configured_default(block: Block) -> None:
    limits = json.loads((ROOT / "statemachine" / "release-input.schema.json").read_text())["properties"]
    for key in limits.keys() & OPTIONAL.keys():
        if "enum" in limits[key]:
            assert OPTIONAL[key] in limits[key]["enum"]
        else:
            assert limits[key].get("minimum", 0) <= OPTIONAL[key] <= limits[key].get("maximum", float("inf")), key
        assert key in block


def test_the_app_ends_with_one_line_about_a_wrong_setting(tmp_path: Path, block: Block) -> None:
    run = run_app(tmp_path, {"clusters": {"shop": {**block, "region": "London"}}})
    assert run.returncode == 1
    assert run.stderr == "clusters.shop.region: expected an AWS Region such as \"eu-west-2\", found 'London'\n"
