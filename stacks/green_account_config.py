"""The configuration of a green in another account: the block `green_account` of a database's block in cdk.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from stacks.settings import different, setting, text

_ARN = r"arn:aws[a-z-]*"


@dataclass(frozen=True, slots=True)
class GreenAccountConfig:
    """Another account, in which green is made: what there is for it."""

    blue_account_id: str = setting("the number of the account of blue and this stack, of 12 digits", text(r"\d{12}"))
    # The stack BlueGreen-<block>-green-account makes it there.
    role_arn: str = setting(
        'the ARN of a role in green\'s account, "arn:aws:iam::…:role/…"',
        text(rf"{_ARN}:iam::\d{{12}}:role/[\w+=,.@-]{{1,57}}"),
    )
    db_subnet_group: str = setting("the name of a DB subnet group there", text(r"[A-Za-z0-9 ._-]{1,255}"))
    security_group_ids: tuple[str, ...] = setting(
        'a list of different ids of security groups there, "sg-…"', different(text(r"sg-[0-9a-z]+"))
    )
    cidr_blocks: tuple[str, ...] = setting(
        'a list of different IPv4 address ranges of green\'s subnets, such as "10.1.0.0/24"',
        different(text(r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}")),
    )
    kms_key_id: str = setting(
        'the ARN of a key that green gets, or "" for blue\'s', text(rf"|{_ARN}:kms:.+:key/.+"), ""
    )
    external_id: str = setting(
        'what the role wants to be told, of 2 to 256 characters, or ""', text(r"|[\w+=,.@:/-]{2,256}"), ""
    )
    monitoring_role_arn: str = setting('the ARN of a role there, or ""', text(rf"|{_ARN}:iam::\d{{12}}:role/.+"), "")
    performance_insights_kms_key_id: str = setting('the ARN of a key, or ""', text(rf"|{_ARN}:kms:.+:key/.+"), "")
    associated_roles: tuple[str, ...] = setting(
        'a list of "<feature>=<ARN of a role there>", such as "s3Import=arn:aws:iam::…:role/…"',
        lambda value: value == [] or different(text(rf"\w+={_ARN}:iam::\d{{12}}:role/.+"))(value),
        (),
    )

    @property
    def account_id(self) -> str:
        """The number of green's account."""
        return self.role_arn.split(":")[4]

    @property
    def reader_role_arn(self) -> str:
        """The role beside it that only looks."""
        return f"{self.role_arn}-reader"

    @property
    def passed_roles(self) -> list[str]:
        """What green is given of roles: blue's are of another account."""
        associated = [each.partition("=")[2] for each in self.associated_roles]
        return list(dict.fromkeys(filter(None, [self.monitoring_role_arn, *associated])))

    def for_the_plan(self) -> dict[str, Any]:
        """The keys of `bluegreen.accounts.GreenAccount`."""
        plan = asdict(self)
        del plan["blue_account_id"]
        return plan | {"associated_roles": dict(each.split("=", 1) for each in self.associated_roles)}
