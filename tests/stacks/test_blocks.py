"""Two blocks of cdk.json that could get into each other's way are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from stacks.blocks import CA_BUNDLE, ENDINGS, configured, regions_with_roots
from stacks.config import ConfigError
from tests.stacks.synthesis import Assembly

Block = dict[str, Any]

ZONES = ["eu-west-1a", "eu-west-1b"]


def made(block: Block, name: str, **more: Any) -> Block:
    own = {"cluster_pattern": f"{name}-*", "writer_record": f"{name}.internal", "more_records": []}
    return {**block, "rehearsal_records": [], **own, **more}


def refusal(**blocks: Block) -> str:
    with pytest.raises(ConfigError) as raised:
        configured({name.replace("_", "-"): block for name, block in blocks.items()})
    return str(raised.value)


def test_databases_that_share_nothing_are_fine_in_whatever_order(block: Block) -> None:
    blocks = {name: made(block, name) for name in ("shop", "shopping", "eu-shop")}
    assert [config.name for config in configured(blocks)] == list(blocks)


@pytest.mark.parametrize("blocks", [None, {}, []])
def test_there_has_to_be_a_block(blocks: object) -> None:
    with pytest.raises(ConfigError, match="clusters: expected a block for each database"):
        configured(blocks)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_block_is_not_called_like_something_of_another(block: Block, ending: str, turned: bool) -> None:
    other = f"shop-{ending}"
    blocks = {"shop": made(block, "shop"), other: made(block, other, region="eu-west-1", availability_zones=ZONES)}
    with pytest.raises(ConfigError, match=f"clusters.{other}: expected another name, .* something of clusters.shop is"):
        configured(dict(reversed(blocks.items())) if turned else blocks)


def test_every_ending_of_a_name_is_known(assembly: Assembly) -> None:
    """What a stack names after its block in lower case, as a block of another could be named."""
    kinds = {
        "AWS::StepFunctions::StateMachine": "StateMachineName",
        "AWS::Events::Rule": "Name",
        "AWS::ApiGatewayV2::Api": "Name",
    }
    names = {properties.get(key, "") for kind, key in kinds.items() for properties in assembly.of_type(kind).values()}
    endings = {name.removeprefix("bluegreen-shop-") for name in names if name.startswith("bluegreen-shop-")}
    assert endings | {"green-account"} == set(ENDINGS), json.dumps(sorted(names))


@pytest.mark.parametrize(
    "more",
    [
        {"writer_record": "shop.internal"},
        {"more_records": [{"zone_id": "Z0123456789ABCDEFGHIJ", "name": "shop.internal", "endpoint": "reader"}]},
        {"rehearsal_records": [{"zone_id": "Z0123456789ABCDEFGHIJ", "name": "shop.internal", "endpoint": "writer"}]},
    ],
)
def test_a_record_is_moved_by_one_block_only(block: Block, more: Block) -> None:
    said = refusal(shop=made(block, "shop"), till=made(block, "till", **more))
    assert said.startswith("clusters.till: expected records of its own, found 'shop.internal' in hosted zone Z0")
    assert "which clusters.shop moves" in said


def test_a_name_in_another_zone_is_another_record(block: Block) -> None:
    till = made(block, "till", writer_record="shop.internal", hosted_zone_id="Z1")
    assert len(configured({"shop": made(block, "shop"), "till": till})) == 2


@pytest.mark.parametrize("pattern", ["shop-*", "shop-eu-*"])
def test_patterns_that_overlap_are_refused_in_whatever_order(block: Block, pattern: str) -> None:
    shop, other = made(block, "shop"), made(block, "shop-eu", cluster_pattern=pattern)
    for said in (refusal(shop=shop, shop_eu=other), refusal(shop_eu=other, shop=shop)):
        assert ".cluster_pattern: expected a pattern that has nothing in common with that of clusters.shop" in said
        assert "in eu-west-2" in said


def test_regions_keep_clusters_apart_but_not_global_ones(block: Block) -> None:
    shop = made(block, "shop")
    away = made(block, "shop-eu", region="eu-west-1", availability_zones=ZONES)
    assert len(configured({"shop": shop, "shop-eu": away})) == 2
    assert "in eu-west-1" in refusal(shop={**shop, "secondary_regions": ["eu-west-1"]}, shop_eu=away)
    globally = {**shop, "secondary_regions": ["us-east-1"]}, {**away, "secondary_regions": ["us-east-2"]}
    assert "among global clusters" in refusal(shop=globally[0], shop_eu=globally[1])


def test_only_the_local_run_goes_without_tls(block: Block) -> None:
    blocks = {"shop": {**block, "database_tls": "disable"}}
    assert refusal(**blocks).startswith("clusters.shop.database_tls: expected \"verify-full\", found 'disable'")
    assert len(configured(blocks, local=True)) == 1


@pytest.mark.parametrize("region", ["il-central-1", "ca-west-1", "us-gov-west-1"])
def test_a_region_whose_servers_nobody_could_verify_is_refused_with_the_way_out(block: Block, region: str) -> None:
    said = refusal(shop={**block, "region": region, "availability_zones": [f"{region}a", f"{region}b"]})
    assert said.startswith(f"clusters.shop.region: {region} is not among the Regions whose roots are in lambdas/")
    assert f"{region}/{region}-bundle.pem" in said


def test_regions_with_roots_are_those_of_the_bundle() -> None:
    """As another parser reads it."""
    authorities = x509.load_pem_x509_certificates(CA_BUNDLE.read_bytes())
    names = {each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for each in authorities}
    assert regions_with_roots() == {str(name).split()[2] for name in names}
    assert "eu-west-2" in regions_with_roots()
