"""Where the functions run, what they reach from there, and who may connect to the clusters."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.config import GATEWAYS, ClusterConfig

_INTERFACES = {
    "ec2": ec2.InterfaceVpcEndpointAwsService.EC2,
    "events": ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE,
    "rds": ec2.InterfaceVpcEndpointAwsService.RDS,
    "secretsmanager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "states": ec2.InterfaceVpcEndpointAwsService.STEP_FUNCTIONS,
    "sts": ec2.InterfaceVpcEndpointAwsService.STS,
}


class Network(Construct):
    """The private subnets of the clusters' VPC, the functions' own security group, and endpoints for what they call.

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
        self._make_endpoints(config)

    def _make_endpoints(self, config: ClusterConfig) -> None:
        """Those that the configuration asks for, for the functions alone; one that the VPC has makes its name known
        there already, and a second one is refused."""
        interfaces = [name for name in config.vpc_endpoints if name not in GATEWAYS]
        if interfaces:
            admitted = ec2.SecurityGroup(
                self,
                "Endpoints",
                vpc=self.vpc,
                description=f"Endpoints for functions that release {config.name}",
                allow_all_outbound=False,
            )
            admitted.add_ingress_rule(self.functions, ec2.Port.tcp(443), "Functions of the release")
            for name in interfaces:
                ec2.InterfaceVpcEndpoint(
                    self, name, vpc=self.vpc, service=_INTERFACES[name], security_groups=[admitted], open=False
                )
        for name in sorted({*config.vpc_endpoints} & {*GATEWAYS}):
            ec2.CfnVPCEndpoint(
                self,
                name,
                vpc_id=config.vpc_id,
                service_name=f"com.amazonaws.{config.region}.{name}",
                vpc_endpoint_type="Gateway",
                route_table_ids=list(config.route_table_ids),
            )
