"""What the functions may do that ask people, and take their answers."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_

from stacks.policies import Grant, Shared, allow, arn, function_name, resource_name


def requests(*actions: str) -> Grant:
    """The table of requests, in which the task tokens are."""

    def grant(function: lambda_.Function, shared: Shared) -> None:
        allow(function, [f"dynamodb:{action}" for action in actions], shared.desk.table.table_arn)
        function.add_environment("APPROVAL_TABLE", shared.desk.table.table_name)

    return grant


def sign_links(function: lambda_.Function, shared: Shared) -> None:
    """Read the key that links to the page are signed with."""
    allow(function, ["secretsmanager:GetSecretValue"], shared.desk.key.secret_arn)
    function.add_environment("APPROVAL_KEY_ARN", shared.desk.key.secret_arn)
    function.add_environment("APPROVAL_PAGE_URL", shared.desk.page_url)


def answer_release(function: lambda_.Function, shared: Shared) -> None:
    """Give a waiting release its answer; the machine is known by its name, as it calls functions itself."""
    machine = arn(function, "states", "stateMachine", resource_name(shared.config))
    allow(function, ["states:SendTaskSuccess"], machine)


def mail_leads(function: lambda_.Function, shared: Shared) -> None:
    """Publish the request, with the name of the function that takes answers by the command line."""
    allow(function, ["sns:Publish"], shared.desk.topic.topic_arn)
    function.add_environment("APPROVAL_TOPIC_ARN", shared.desk.topic.topic_arn)
    function.add_environment("DECIDE_FUNCTION", function_name(shared.config, "DecideApproval"))


def identity(function: lambda_.Function, shared: Shared) -> None:
    """By which claim of a token approvers are known; none without an issuer."""
    claim = shared.config.approval_identity_claim if shared.config.approval_jwt_issuer else ""
    function.add_environment("IDENTITY_CLAIM", claim)
