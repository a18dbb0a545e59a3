"""Where the reports of releases lie."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.config import ClusterConfig


def report_bucket(scope: Construct, config: ClusterConfig) -> s3.Bucket:
    """A bucket that stays when the stack goes: a report may be asked for when nothing else of a release is left.

    Versions, because a report may be written again, with what clients measured or by a recovery.
    """
    days = config.report_retention_days
    return s3.Bucket(
        scope,
        "Reports",
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=True,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=cdk.Duration.days(days) if days else None,
                noncurrent_version_expiration=cdk.Duration.days(90),
            )
        ],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
