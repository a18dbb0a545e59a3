"""A stack in subnets without a way out, with endpoints, whose data is encrypted with a key of the customer's."""

from __future__ import annotations

import fcntl
import json
from typing import Any

import pytest

from stacks.config import GATEWAYS, INTERFACES, ClusterConfig, ConfigError
from stacks.encryption import key_properties
from tests.stacks.physical import KINDS
from tests.stacks.synthesis import OUTPUT, Assembly, run_app, text

KEY = "arn:aws:kms:eu-west-2:123456789012:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

ENCLOSED: dict[str, Any] = {
    "isolated_subnets": True,
    "vpc_endpoints": [*INTERFACES, *GATEWAYS],
    "route_table_ids": ["rtb-0a1b2c3d4e5f60718"],
    "kms_key_arn": KEY,
}

TRACING = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]

NOT_CALLED_FROM_THE_VPC = {
    "iam": "PassRole is a permission and no call",
    "xray": "the daemon beside the function sends what it gets, outside of the function's network",
    "kms": "the services use the key",
}

ACCOUNT = "123456789012"


def of_its_own(name: str) -> dict[str, Any]:
    """What two databases of one application may not share."""
    none: list[Any] = []
    return {
        "cluster_pattern": f"{name}-*",
        "writer_record": f"db.{name}.internal",
        "more_records": none,
        "rehearsal_records": none,
    }


@pytest.fixture(scope="module")
def synthesized(assembly: Assembly, block: dict[str, Any]) -> dict[str, Assembly]:
    """Two databases in one application, in the folder of the usual synthesis, whose assets they share."""
    blocks = {
        "vault": {**block, **ENCLOSED} | of_its_own("vault"),
        "till": {**block, "functions_in_vpc": "all", "database_auth": "iam"} | of_its_own("till"),
    }
    with OUTPUT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        synthesis = run_app(OUTPUT, {"clusters": blocks, "account": ACCOUNT})
        assert synthesis.returncode == 0, synthesis.stderr
        stacks = json.loads((OUTPUT / "manifest.json").read_text())["artifacts"]
        assert {stacks[f"BlueGreen-{name}"]["environment"] for name in blocks} == {f"aws://{ACCOUNT}/eu-west-2"}
        templates = {name: json.loads((OUTPUT / f"BlueGreen-{name}.template.json").read_text()) for name in blocks}
    return {name: Assembly(template, assembly.asset, assembly.layer) for name, template in templates.items()}


@pytest.fixture(scope="module")
def enclosed(synthesized: dict[str, Assembly]) -> Assembly:
    return synthesized["vault"]


def test_databases_of_one_application_have_nothing_in_common_but_the_code(synthesized: dict[str, Assembly]) -> None:
    def names(name: str) -> set[str]:
        given = ("FunctionName", "StateMachineName", "LogGroupName", "Name")
        resources = synthesized[name].template["Resources"].values()
        found = (each.get("Properties", {}).get(key) for each in resources for key in given)
        return {each for each in found if isinstance(each, str)}

    assert names("vault")
    assert not names("vault") & names("till")
    assert "AWS::EC2::VPCEndpoint" not in {each["Type"] for each in synthesized["till"].template["Resources"].values()}
    assert KEY not in json.dumps(synthesized["till"].template)


def test_what_cloudformation_needs_is_known_of_each_type(synthesized: dict[str, Assembly]) -> None:
    types = {each["Type"] for made in synthesized.values() for each in made.template["Resources"].values()}
    assert types <= KINDS.keys()


def test_all_functions_are_in_the_subnets_where_that_is_asked_for(synthesized: dict[str, Assembly]) -> None:
    assert all("VpcConfig" in properties for properties in synthesized["till"].functions.values())


def services(assembly: Assembly, state: str) -> set[str]:
    return {action.split(":")[0] for statement in assembly.allowed(state) for action in statement["Action"]}


def test_what_functions_in_the_subnets_call_has_an_endpoint(enclosed: Assembly) -> None:
    inside = [state for state, properties in enclosed.functions.items() if "VpcConfig" in properties]
    called = {service for state in inside for service in services(enclosed, state)}
    assert called - NOT_CALLED_FROM_THE_VPC.keys() <= {*INTERFACES, *GATEWAYS}
    outside = enclosed.functions.keys() - set(inside)
    assert all("route53" not in services(enclosed, state) for state in inside)
    assert any("route53" in services(enclosed, state) for state in outside)


def test_the_end_of_a_cluster_reads_the_records_outside_of_the_subnets(enclosed: Assembly, assembly: Assembly) -> None:
    for made, plans in ((assembly, True), (enclosed, False)):
        reads = {state for state in ("PlanDecommission", "RetireCluster") if "route53" in services(made, state)}
        assert reads == ({"PlanDecommission", "RetireCluster"} if plans else {"RetireCluster"})
        records = json.loads(made.functions["PlanDecommission"]["Environment"]["Variables"]["RECORDS"])
        assert bool(records) is plans


def test_with_iam_a_token_of_the_releases_role_is_all_that_a_function_gets(synthesized: dict[str, Assembly]) -> None:
    till = synthesized["till"]
    assert not [each for each in till.of_type("AWS::SecretsManager::Secret").values() if "release-role" in each["Name"]]
    assert "ReleaseSecretArn" not in till.template["Outputs"]
    (statement,) = (each for each in till.allowed("AdoptClone") if each["Action"] != TRACING)
    assert statement["Action"] == ["rds-db:connect"]
    (user,) = statement["Resource"]
    assert user.endswith(":dbuser:*/bluegreen_release")
    variables = till.functions["AdoptClone"]["Environment"]["Variables"]
    assert variables["DATABASE_USER"] == "bluegreen_release"
    assert "RELEASE_SECRET_ARN" not in variables
    assert "rds-db" not in services(till, "FlipDns")


def test_endpoints_admit_the_functions_and_are_routes_where_they_can_be(enclosed: Assembly, assembly: Assembly) -> None:
    assert not assembly.of_type("AWS::EC2::VPCEndpoint")
    endpoints = {
        text(each["ServiceName"]).rsplit(".", 1)[1]: each for each in enclosed.of_type("AWS::EC2::VPCEndpoint").values()
    }
    assert set(endpoints) == {*INTERFACES, *GATEWAYS}
    groups = enclosed.of_type("AWS::EC2::SecurityGroup")
    (functions,) = (name for name, each in groups.items() if each["GroupDescription"].startswith("Functions"))
    (admitted,) = (name for name, each in groups.items() if each["GroupDescription"].startswith("Endpoints"))
    for name, endpoint in endpoints.items():
        if name in GATEWAYS:
            assert endpoint["RouteTableIds"] == ENCLOSED["route_table_ids"]
        else:
            assert endpoint["PrivateDnsEnabled"] is True
            assert list(map(text, endpoint["SecurityGroupIds"])) == [f"<{admitted}>"]
    rules = enclosed.of_type("AWS::EC2::SecurityGroupIngress").values()
    of_endpoints = [rule for rule in rules if text(rule["GroupId"]) == f"<{admitted}>"]
    assert [(rule["ToPort"], text(rule["SourceSecurityGroupId"])) for rule in of_endpoints] == [(443, f"<{functions}>")]


def test_everything_that_keeps_data_is_encrypted_with_the_customers_key(enclosed: Assembly) -> None:
    resources = enclosed.template["Resources"].values()
    found = set()
    for kind, properties in key_properties(KEY).items():
        for resource in (each for each in resources if each["Type"] == kind):
            assert properties.items() <= resource["Properties"].items(), resource
            found.add(kind)
    assert found >= {
        "AWS::DynamoDB::Table",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
        "AWS::SecretsManager::Secret",
    }
    assert enclosed.functions["CreateReplicationUser"]["Environment"]["Variables"]["KMS_KEY_ARN"] == KEY


def test_the_key_is_used_by_way_of_the_services_that_a_role_may_call_and_not_otherwise(enclosed: Assembly) -> None:
    def via(role: str) -> set[str]:
        statements = [each for each in enclosed.statements(role) if any("kms:" in action for action in each["Action"])]
        assert all(each["Resource"] == [KEY] for each in statements)
        return {each["Condition"]["StringEquals"]["kms:ViaService"].split(".")[0] for each in statements}

    def of(state: str) -> set[str]:
        return via(enclosed.functions[state]["Role"]["Fn::GetAtt"][0])

    assert of("AdoptClone") == {"secretsmanager"}
    assert of("FlipDns") == set()
    assert of("CompleteRelease") == {"dynamodb", "secretsmanager"}
    for machine in enclosed.of_type("AWS::StepFunctions::StateMachine").values():
        assert via(machine["RoleArn"]["Fn::GetAtt"][0]) >= {"sns"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"route_table_ids": []}, "clusters.shop.route_table_ids: missing; the endpoints for ['dynamodb', 's3'] are"),
        ({"functions_in_vpc": "all", "database_auth": "iam"}, 'clusters.shop.functions_in_vpc: expected "databases"'),
        ({"secondary_regions": ["eu-west-1"]}, "clusters.shop.isolated_subnets: expected false"),
        (
            {"kms_key_arn": KEY.replace("eu-west-2", "us-east-1")},
            "clusters.shop.kms_key_arn: expected a key of eu-west-2",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    block: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        ClusterConfig.from_context("shop", {**block, **ENCLOSED, **changes})
    assert str(raised.value).startswith(said)


def test_a_token_is_sent_over_verified_tls_alone(block: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^clusters\.shop\.database_tls: expected .verify-full.: a token"):
        ClusterConfig.from_context("shop", {**block, "database_auth": "iam", "database_tls": "disable"})
