"""EC2 and Route 53 with ids of our choice: the configuration names a VPC, subnets, a security group and a zone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from moto.ec2.models import security_groups, subnets, vpcs
from moto.route53.models import HostedZoneIdentifier


@contextmanager
def next_ids(vpc: str = "", subnet: str = "", security_group: str = "", hosted_zone: str = "") -> Iterator[None]:
    """Within this context, what is created gets the id given for its kind. For one thread."""
    with (
        patch.object(vpcs, "random_vpc_id", lambda: vpc),
        patch.object(subnets, "random_subnet_id", lambda: subnet),
        patch.object(security_groups, "random_security_group_id", lambda: security_group),
        patch.object(HostedZoneIdentifier, "generate", lambda *_args, **_kwargs: hosted_zone),
    ):
        yield
