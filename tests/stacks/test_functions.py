"""Each function as it is deployed, against what its handler reads and calls."""

from __future__ import annotations

import json
import re
from collections import Counter
from types import SimpleNamespace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Match, Template

from bluegreen.preflight import SESSIONS_PER_DATABASE
from stacks.config import ClusterConfig
from stacks.functions import FUNCTIONS
from stacks.grants import change_record, database
from stacks.rds_grants import make_secondary
from tests.stacks.synthesis import ROOT, Assembly, text

STATES = [row.state for row in FUNCTIONS]
HANDLERS = {row.state: ROOT / "lambdas" / "handlers" / f"{row.module}.py" for row in FUNCTIONS}

# Actions that know no resource (Service Authorization Reference), or none that is known beforehand.
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments": "no resource types",
    "xray:PutTelemetryRecords": "no resource types",
    "xray:GetSamplingRules": "no resource types; asked for by a traced state machine",
    "xray:GetSamplingTargets": "no resource types; asked for by a traced state machine",
    "logs:CreateLogDelivery": "no resource types; how Step Functions sends its log",
    "logs:GetLogDelivery": "no resource types; how Step Functions sends its log",
    "logs:UpdateLogDelivery": "no resource types; how Step Functions sends its log",
    "logs:DeleteLogDelivery": "no resource types; how Step Functions sends its log",
    "logs:ListLogDeliveries": "no resource types; how Step Functions sends its log",
    "logs:PutResourcePolicy": "no resource types; how Step Functions sends its log",
    "logs:DescribeResourcePolicies": "no resource types; how Step Functions sends its log",
    "rds:DescribeAccountAttributes": "no resource types",
    "rds:DescribeOrderableDBInstanceOptions": "no resource types",
    "rds:DescribeDBEngineVersions": "no resource types",
    "rds:DescribeEngineDefaultClusterParameters": "no resource types",
    "rds:DescribeEngineDefaultParameters": "no resource types",
    "ec2:DescribeSecurityGroupRules": "no resource types that a read could be limited by",
    "logs:DescribeLogGroups": "asked for all groups; how Step Functions sends its log",
}


PREFIXES = {"stepfunctions": "states"}  # of actions, where it is not the name of boto3's client


def granted(assembly: Assembly, action: str) -> dict[str, dict[str, Any]]:
    """The functions that may do something, with the statement that says so."""
    return {
        state: statement for state in STATES for statement in assembly.allowed(state) if action in statement["Action"]
    }


def test_all_functions_run_alike(assembly: Assembly) -> None:
    template = Template.from_json(assembly.template)
    template.all_resources_properties(
        "AWS::Lambda::Function",
        {
            "Architectures": ["arm64"],
            "Runtime": "python3.13",
            "TracingConfig": {"Mode": "Active"},
            "LoggingConfig": {"LogGroup": Match.any_value()},
            "Environment": {
                "Variables": {
                    "CLUSTER_NAME": "shop",
                    "POWERTOOLS_SERVICE_NAME": "bluegreen",
                    "POWERTOOLS_METRICS_NAMESPACE": "BlueGreen",
                    "POWERTOOLS_LOG_LEVEL": "INFO",
                }
            },
        },
    )


def test_functions_that_sign_in_to_a_database_are_in_the_private_subnets_and_no_others(
    assembly: Assembly, block: dict[str, Any]
) -> None:
    """But those that take people's answers, which the internet can reach: they are kept away from the databases."""
    (group,) = assembly.of_type("AWS::EC2::SecurityGroup")
    for properties in assembly.functions.values():
        signs_in = "RELEASE_SECRET_ARN" in properties["Environment"]["Variables"]
        assert ("VpcConfig" in properties) is signs_in
        if signs_in:
            assert properties["VpcConfig"]["SubnetIds"] == block["subnet_ids"]
            assert list(map(text, properties["VpcConfig"]["SecurityGroupIds"])) == [f"<{group}>"]


def test_functions_reach_the_databases_and_apis_and_nothing_else(assembly: Assembly, block: dict[str, Any]) -> None:
    (group,) = assembly.of_type("AWS::EC2::SecurityGroup").values()
    database, port = block["database_security_group_id"], block["database_port"]
    assert {(rule["ToPort"], rule.get("DestinationSecurityGroupId")) for rule in group["SecurityGroupEgress"]} == {
        (443, None),
        (port, database),
    }
    assert "SecurityGroupIngress" not in group


def test_the_databases_admit_the_functions_and_each_other(assembly: Assembly, block: dict[str, Any]) -> None:
    database, port = block["database_security_group_id"], block["database_port"]
    (group,) = assembly.of_type("AWS::EC2::SecurityGroup")
    rules = assembly.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert {rule["GroupId"] for rule in rules} == {database}
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(port, port)}
    assert {text(rule["SourceSecurityGroupId"]) for rule in rules} == {f"<{group}>", database}


def test_every_function_has_a_role_of_its_own(assembly: Assembly) -> None:
    roles = Counter(text(properties["Role"]) for properties in assembly.functions.values())
    assert len(roles) == len(STATES)
    assert set(roles.values()) == {1}


def test_all_functions_share_one_asset(assembly: Assembly) -> None:
    assert {each["Code"]["S3Key"] for each in assembly.functions.values()} == {
        f"{assembly.asset.name.removeprefix('asset.')}.zip"
    }


def test_logs_are_kept_for_a_limited_time(assembly: Assembly) -> None:
    groups = assembly.of_type("AWS::Logs::LogGroup").values()
    assert {group["LogGroupName"] for group in groups} == {
        *(f"/aws/lambda/bluegreen-shop-{state}" for state in STATES),
        "/aws/vendedlogs/bluegreen-shop-approval",
        "/aws/vendedlogs/states/bluegreen-shop",
        "/aws/vendedlogs/states/bluegreen-shop-recovery",
        "/aws/vendedlogs/states/bluegreen-shop-decommission",
    }
    assert all(group["RetentionInDays"] == 180 for group in groups)


@pytest.mark.parametrize("state", STATES)
def test_a_function_has_every_setting_that_its_handler_reads_and_no_other(assembly: Assembly, state: str) -> None:
    source = HANDLERS[state].read_text()
    reads = set(re.findall(r'setting\("(\w+)"\)', source))
    if "databases()" in source:
        reads |= {"RELEASE_SECRET_ARN", "DATABASE_TLS"}
    common = {"CLUSTER_NAME", "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
    assert set(assembly.functions[state]["Environment"]["Variables"]) == common | reads


@pytest.mark.parametrize("state", STATES)
def test_a_function_may_use_the_services_that_its_handler_uses_and_no_other(assembly: Assembly, state: str) -> None:
    source = HANDLERS[state].read_text()
    uses = {PREFIXES.get(name, name) for name in re.findall(r'client(?:\(|, )"(\w+)"', source)}
    if "databases()" in source:
        uses.add("secretsmanager")
    if re.search(r"\b(rds_in|both_rds|greens_rds)\b", source):
        uses.add("rds")
    may = {action.split(":")[0] for statement in assembly.allowed(state) for action in statement["Action"]}
    assert may - {"xray", "iam"} == (uses if state != "WaitForSecondary" else set()), "there are no other Regions"
    passed = [statement for statement in assembly.allowed(state) if "iam:PassRole" in statement["Action"]]
    for statement in passed:
        assert statement["Action"] == ["iam:PassRole"]
        services = {"rds.amazonaws.com", "monitoring.rds.amazonaws.com"}
        assert set(statement["Condition"]["StringEquals"]["iam:PassedToService"]) == services


def test_no_permission_is_for_everything_where_a_resource_can_be_named(assembly: Assembly) -> None:
    for role in assembly.of_type("AWS::IAM::Role"):
        for statement in assembly.statements(role):
            assert not [action for action in statement["Action"] if "*" in action]
            if "*" in statement["Resource"]:
                assert set(statement["Action"]) <= WITHOUT_RESOURCE.keys(), role


def test_roles_have_no_managed_policies_but_those_of_functions_in_a_vpc(assembly: Assembly) -> None:
    policies = {
        text(arn).rsplit("/", 1)[1]
        for role in assembly.of_type("AWS::IAM::Role").values()
        for arn in role.get("ManagedPolicyArns", ())
    }
    assert policies == {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"}


def test_records_are_changed_by_the_steps_that_move_dns_and_only_the_configured_ones(assembly: Assembly) -> None:
    production, rehearsed = ["db.shop.internal", "db-ro.shop.internal"], ["rehearsal.shop.internal"]
    expected = {
        "LowerTtl": [production, rehearsed],
        "FlipDns": [production],
        "RestoreTtl": [production],
        "RestoreDns": [production, rehearsed],
        "RehearseDns": [rehearsed],
    }
    changing = {
        state: [each for each in assembly.allowed(state) if "route53:ChangeResourceRecordSets" in each["Action"]]
        for state in STATES
    }
    assert {state: statements for state, statements in changing.items() if statements} == {
        state: [
            {
                "Effect": "Allow",
                "Action": ["route53:ChangeResourceRecordSets"],
                "Resource": ["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"],
                "Condition": {
                    "ForAllValues:StringEquals": {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
                        "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
                    }
                },
            }
            for names in lists
        ]
        for state, lists in expected.items()
    }


def test_each_zone_has_a_statement_of_its_own_for_its_records(block: dict[str, Any]) -> None:
    """The zone of one record is not open for the names and types of another's."""
    more = [
        {"zone_id": "Z2", "name": "*.db.shop.example", "endpoint": "writer", "type": "A"},
        {"zone_id": block["hosted_zone_id"], "name": "db-ro.shop.internal", "endpoint": "reader"},
    ]
    stack = cdk.Stack(cdk.App())
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="handler",
        code=lambda_.Code.from_inline("-"),
    )
    shared: Any = SimpleNamespace(config=ClusterConfig.from_context("shop", {**block, "more_records": more}))
    change_record(function, shared)
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    read, *change = policy["Properties"]["PolicyDocument"]["Statement"]
    assert read["Action"] == "route53:ListResourceRecordSets"
    assert [text(zone).rsplit("/", 1)[1] for zone in read["Resource"]] == [block["hosted_zone_id"], "Z2"]
    names, types = "NormalizedRecordNames", "RecordTypes"
    allowed = {
        text(statement["Resource"]).rsplit("/", 1)[1]: {
            key.removeprefix("route53:ChangeResourceRecordSets"): value
            for key, value in statement["Condition"]["ForAllValues:StringEquals"].items()
        }
        for statement in change
    }
    assert allowed == {
        block["hosted_zone_id"]: {names: ["db.shop.internal", "db-ro.shop.internal"], types: ["CNAME"]},
        "Z2": {names: [r"\052.db.shop.example"], types: ["A"]},
    }


RETIRED = {"Null": {"aws:ResourceTag/bluegreen:retired": "false"}}
OF_A_RELEASE = {"Null": {"aws:ResourceTag/bluegreen:release": "false"}}
OF_A_RELEASE_STEPS = {"WaitForGreen", "WaitForUpgrade", "DeleteGreen"}
"""Without other Regions: what is allowed there is in test_other_regions."""


def test_only_what_a_release_has_made_can_be_changed(assembly: Assembly) -> None:
    changing = granted(assembly, "rds:ModifyDBCluster")
    assert set(changing) - {"UpgradeGreen"} == OF_A_RELEASE_STEPS | {"DeleteCluster"}
    for state, statement in changing.items():
        if state == "UpgradeGreen":
            continue  # has one more, for the groups
        assert all(resource.endswith(":shop-*") for resource in statement["Resource"])
        assert statement["Condition"] == (OF_A_RELEASE if state in OF_A_RELEASE_STEPS else RETIRED)


def test_other_regions_are_open_as_far_as_they_are_configured(block: dict[str, Any]) -> None:
    """By the clusters' pattern, as at home."""
    regions = [block["region"], "eu-west-1", "us-east-2"]
    shared: Any = SimpleNamespace(
        config=ClusterConfig.from_context("shop", {**block, "secondary_regions": regions[1:]}),
    )
    stack = cdk.Stack(cdk.App(), env=cdk.Environment(region=regions[0], account="123456789012"))
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="handler",
        code=lambda_.Code.from_inline("-"),
    )
    make_secondary(function, shared)
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    create, groups = (
        statement
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "rds:CreateDBCluster" in statement["Action"]
    )
    clusters = [arn.split(":rds:")[1] for arn in map(text, create["Resource"])]
    assert clusters == [f"{region}:123456789012:cluster:shop-*" for region in regions[1:]]
    assert set(create["Condition"]["Null"]) == {"aws:RequestTag/bluegreen:release"}
    assert not [arn for arn in map(text, groups["Resource"]) if ":cluster:" in arn]


@pytest.mark.parametrize("action", ["rds:DeleteDBCluster", "rds:DeleteDBInstance"])
def test_only_what_a_release_has_made_or_a_decommission_has_marked_can_be_deleted(
    assembly: Assembly, action: str
) -> None:
    deleting = granted(assembly, action)
    assert {state: statement["Condition"] for state, statement in deleting.items()} == {
        "DeleteGreen": {"Null": {"aws:ResourceTag/bluegreen:release": "false"}},
        "DeleteCluster": {"Null": {"aws:ResourceTag/bluegreen:retired": "false"}},
    }
    for statement in deleting.values():
        kind = {"rds:DeleteDBCluster": "cluster", "rds:DeleteDBInstance": "db"}[action]
        assert {resource.rsplit(":", 2)[1] for resource in statement["Resource"]} == {kind}
        assert all(resource.endswith(":shop-*") for resource in statement["Resource"])


def test_only_what_a_release_has_made_can_be_modified_rebooted_and_given_groups(assembly: Assembly) -> None:
    for state, statement in granted(assembly, "rds:RebootDBInstance").items():
        assert (state, statement["Condition"]) == ("WaitForUpgrade", OF_A_RELEASE)
    for state in ("UpgradeGreen", "DeleteGreen"):
        for statement in assembly.allowed(state):
            if "rds:ModifyDBCluster" not in statement["Action"]:
                continue
            kinds = {resource.rsplit(":", 2)[1] for resource in statement["Resource"]}
            if kinds <= {"cluster", "db"}:
                assert statement["Condition"] == OF_A_RELEASE
            else:
                names = {":".join(resource.rsplit(":", 2)[1:]) for resource in statement["Resource"]}
                assert names == {"cluster-pg:shop-*", "pg:shop-*", "pg:default.*"}


@pytest.mark.parametrize("action", ["rds:DeleteDBClusterParameterGroup", "rds:DeleteDBParameterGroup"])
def test_only_parameter_groups_that_a_release_has_made_can_be_deleted(assembly: Assembly, action: str) -> None:
    allowed = [
        (state, statement) for state in STATES for statement in assembly.allowed(state) if action in statement["Action"]
    ]
    assert [(state, statement["Condition"]) for state, statement in allowed] == [
        ("DeleteGreen", OF_A_RELEASE),
        ("DeleteCluster", OF_A_RELEASE),
        ("DeleteCluster", {"Null": {"aws:ResourceTag/bluegreen:made-by": "false"}}),
    ]
    for _, statement in allowed:
        assert all(resource.endswith(":shop-*") for resource in statement["Resource"])


@pytest.mark.parametrize(
    ("action", "steps"),
    [
        ("rds:StopDBCluster", {"StopCluster"}),
        ("rds:StartDBCluster", {"DeleteCluster"}),
        ("rds:DeleteGlobalCluster", {"DeleteGreen", "DeleteGlobalCluster"}),
        ("rds:ModifyGlobalCluster", {"DeleteGreen", "DeleteGlobalCluster"}),
        ("rds:RemoveFromGlobalCluster", {"DeleteGreen", "RemoveFromGlobalCluster"}),
    ],
)
def test_clusters_are_taken_out_of_service_by_these_steps_alone_and_by_their_tag(
    assembly: Assembly, action: str, steps: set[str]
) -> None:
    allowed = [
        (state, statement) for state in STATES for statement in assembly.allowed(state) if action in statement["Action"]
    ]
    assert {state for state, _ in allowed} == steps
    for state, statement in allowed:
        assert [*statement["Condition"]] == ["Null"]
        at = [resource for resource in statement["Resource"] if not resource.endswith(":shop-*")]
        # A global cluster that no release has made has any name.
        assert not at or (state != "DeleteGreen" and all(each.endswith(":global-cluster:*") for each in at))


def test_one_step_marks_what_may_be_ended_and_puts_no_other_tag_on(assembly: Assembly) -> None:
    (statement,) = (each for each in assembly.allowed("RetireCluster") if "rds:AddTagsToResource" in each["Action"])
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"aws:TagKeys": ["bluegreen:retired"]}}
    others = {state for state in granted(assembly, "rds:AddTagsToResource") if state != "RetireCluster"}
    assert others == {"CloneBlue", "UpgradeGreen", "CreateGlobalCluster", "UntagGreen", "TakeFinalSnapshot"}


def test_the_roles_of_functions_are_known_by_their_path(assembly: Assembly) -> None:
    roles = assembly.of_type("AWS::IAM::Role")
    used = {state: assembly.functions[state]["Role"]["Fn::GetAtt"][0] for state in STATES}
    assert {roles[role].get("Path") for role in used.values()} == {"/bluegreen/eu-west-2/shop/"}


def test_one_step_takes_the_tag_of_releases_off_what_carries_it_and_no_other_tag(assembly: Assembly) -> None:
    ((state, statement),) = granted(assembly, "rds:RemoveTagsFromResource").items()
    assert state == "UntagGreen"
    assert statement["Condition"] == OF_A_RELEASE | {
        "ForAllValues:StringEquals": {"aws:TagKeys": ["bluegreen:release"]}
    }
    kinds = {resource.rsplit(":", 2)[1] for resource in statement["Resource"]}
    assert kinds == {"cluster", "db", "global-cluster", "cluster-pg", "pg"}
    (put_on,) = (each for each in assembly.allowed("UntagGreen") if "rds:AddTagsToResource" in each["Action"])
    assert put_on["Condition"] == OF_A_RELEASE | {"ForAllValues:StringEquals": {"aws:TagKeys": ["bluegreen:made-by"]}}
    assert {resource.rsplit(":", 2)[1] for resource in put_on["Resource"]} == {"cluster-pg", "pg"}


def test_snapshots_are_never_deleted(assembly: Assembly) -> None:
    for action in ("rds:DeleteDBClusterSnapshot", "rds:RestoreDBClusterFromSnapshot"):
        assert granted(assembly, action) == {}


def test_the_tags_of_what_may_be_deleted_are_those_that_are_put_on() -> None:
    library = ROOT / "lambdas" / "bluegreen"
    assert 'RELEASE_TAG = "bluegreen:release"' in (library / "model.py").read_text()
    assert 'RETIRED_TAG = "bluegreen:retired"' in (library / "ending" / "decommission.py").read_text()
    assert 'MADE_BY_TAG = "bluegreen:made-by"' in (library / "rds" / "parameter_groups.py").read_text()


def test_replication_secrets_are_those_of_this_cluster(assembly: Assembly) -> None:
    for action in ("CreateSecret", "DeleteSecret", "TagResource"):
        found = granted(assembly, f"secretsmanager:{action}")
        assert found
        for statement in found.values():
            (resource,) = statement["Resource"]
            assert resource.endswith(":secret:bluegreen/shop/replication/*")


def test_warming_calls_the_functions_it_may_call(assembly: Assembly) -> None:
    names = json.loads(assembly.functions["WarmFunctions"]["Environment"]["Variables"]["WARM_FUNCTIONS"])
    (statement,) = granted(assembly, "lambda:InvokeFunction").values()
    assert {resource.rsplit(":", 1)[1] for resource in statement["Resource"]} == set(names)
    assert set(names) <= {properties["FunctionName"] for properties in assembly.functions.values()}


def test_what_waits_for_a_change_of_the_record_may_ask_for_it(assembly: Assembly) -> None:
    for state in ("LowerTtl", "WaitForDns"):
        actions = {action for statement in assembly.allowed(state) for action in statement["Action"]}
        assert "route53:GetChange" in actions


def test_the_recovery_may_look_at_the_releases_executions_and_nothing_else(assembly: Assembly) -> None:
    (statement,) = granted(assembly, "states:DescribeExecution").values()
    (resource,) = statement["Resource"]
    assert resource.endswith(":execution:bluegreen-shop:*")
    assert statement["Action"] == ["states:DescribeExecution"]


def test_the_recovery_only_looks(assembly: Assembly) -> None:
    actions = {action for statement in assembly.allowed("InspectRelease") for action in statement["Action"]}
    assert {action for action in actions if not action.startswith("xray:")} == {
        "secretsmanager:GetSecretValue",
        "rds:DescribeDBClusters",
        "dynamodb:GetItem",
        "states:DescribeExecution",
    }


def test_the_recovery_waits_longer_than_any_function_of_a_release_may_run(assembly: Assembly) -> None:
    variables = assembly.functions["InspectRelease"]["Environment"]["Variables"]
    assert int(variables["FUNCTIONS_END_AFTER_S"]) > max(each["Timeout"] for each in assembly.functions.values())
    assert int(variables["PLANNING_ENDS_AFTER_S"]) > assembly.functions["PlanRelease"]["Timeout"]


def test_planning_alone_takes_a_new_lock(assembly: Assembly) -> None:
    """The recovery of an execution without a lock waits for no other function."""
    taking = {
        state
        for state in assembly.functions
        for each in assembly.allowed(state)
        if "dynamodb:PutItem" in each["Action"] and any("Locks" in resource for resource in each["Resource"])
    }
    assert taking == {"PlanRelease", "ReportRehearsal"}, "the latter keeps figures beside the lock"


def test_preflight_counts_the_functions_that_keep_sessions_on_blue() -> None:
    """From the first that does to the opening; those that compare chunks are counted by ``verify_workers``,
    and what only a rehearsal does takes the place of what follows."""
    rows = [row for row in FUNCTIONS if database in row.grants]
    until_open = [row.state for row in rows][: [row.state for row in rows].index("OpenGreen") + 1]
    on_green_only = {"UpdateExtensions"}
    assert len(set(until_open) - {"CompareChunks", "RehearseSwitchover"} - on_green_only) == SESSIONS_PER_DATABASE
