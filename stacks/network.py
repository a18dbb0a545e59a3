"""Where the functions run, and who may connect to the clusters."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.config import ClusterConfig


class Network(Construct):
    """The private subnets of the clusters' VPC and the functions' own security group in it.

    All of it comes from identifiers in the configuration: looking a VPC up would need an account at synthesis.
    """

    def __init__(self, scope: Construct, identifier: str, config: ClusterConfig) -> None:
        super().__init__(scope, identifier)
        port = ec2.Port.tcp(config.database_port)
        database = ec2.SecurityGroup.from_security_group_id(self, "Database", config.database_security_group_id)
        self.vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=config.vpc_id,
            availability_zones=list(config.availability_zones),
            private_subnet_ids=list(config.subnet_ids),
        )
        cdk.Annotations.of(self.vpc).acknowledge_warning(
            "@aws-cdk/aws-ec2:noSubnetRouteTableId", "Nothing here changes routes."
        )
        self.functions = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self.vpc,
            description=f"Functions that release {config.name}",
            allow_all_outbound=False,
        )
        self.functions.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "APIs of AWS")
        self.functions.add_egress_rule(
            ec2.Peer.security_group_id(config.database_security_group_id), port, "Blue and green clusters"
        )
        database.add_ingress_rule(self.functions, port, "Functions of the release")
        for cidr in config.green_account.cidr_blocks if config.green_account else ():
            self.functions.add_egress_rule(ec2.Peer.ipv4(cidr), port, "Green clusters in another account")
            database.add_ingress_rule(ec2.Peer.ipv4(cidr), port, "Replication to green in another account")
        # Green subscribes to blue, and the two share this group.
        database.add_ingress_rule(database, port, "Replication between blue and green")
