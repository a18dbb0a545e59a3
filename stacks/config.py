"""The configuration of one released database: a block of `clusters` in cdk.json, checked as a whole.

Everything that can be known to be wrong is refused at synthesis, with the key's full name and what it should be:
after the deployment the same mistake would show in the middle of a release.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from stacks.green_account_config import GreenAccountConfig
from stacks.record_config import HOST as _HOST
from stacks.record_config import REGION as _REGION
from stacks.record_config import ZONE_ID as _ZONE_ID
from stacks.record_config import RecordConfig
from stacks.settings import ConfigError as ConfigError
from stacks.settings import checked as _checked
from stacks.settings import different as _different
from stacks.settings import listed as _list
from stacks.settings import setting as _setting
from stacks.settings import text as _text
from stacks.settings import whole as _whole

INTERFACES = ("ec2", "events", "rds", "secretsmanager", "states", "sts")
GATEWAYS = ("dynamodb", "s3")
"""What functions in the VPC may call; gateways are routes, and cost nothing."""

_NAME = re.compile(r"(?=.{1,25}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FUNCTION_ARN = (
    'the ARN of a function, "arn:aws:lambda:…:function:…", or "" for none',
    _text(r"|arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?"),
)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One database that is released. A setting without a default has to be in cdk.json."""

    name: str
    region: str = _setting('an AWS Region such as "eu-west-2"', _text(_REGION))
    vpc_id: str = _setting('the id of a VPC, "vpc-…"', _text(r"vpc-[0-9a-z]+"))
    # Private subnets of the clusters' VPC; what they need is in docs/deploying.md.
    subnet_ids: tuple[str, ...] = _setting(
        'a list of different subnet ids, "subnet-…"', _different(_text(r"subnet-[0-9a-z]+"))
    )
    availability_zones: tuple[str, ...] = _setting(
        'the availability zone of each of subnet_ids, in their order, such as "eu-west-2a"',
        _list(_text(r"[a-z]{2}(-[a-z]+)+-\d[a-z]")),
    )
    database_security_group_id: str = _setting(
        'the id of the clusters\' security group, "sg-…"', _text(r"sg-[0-9a-z]+")
    )
    # Identifiers of the clusters and instances that the application may touch.
    cluster_pattern: str = _setting(
        'a pattern of identifiers that begins with a letter and ends in "-*", such as "shop-*"',
        _text(r"[a-z][a-z0-9]*(-[a-z0-9]+)*-\*"),
    )
    databases: tuple[str, ...] = _setting(
        "a list of different database names, each of 1 to 63 characters", _different(_text(r"[^\x00]{1,63}"))
    )
    hosted_zone_id: str = _setting('the id of a Route 53 hosted zone, "Z…"', _text(_ZONE_ID))
    # The name that applications connect to, and by which blue is found: a CNAME record.
    writer_record: str = _setting(
        "a host name of lower-case letters, digits and hyphens without a final dot", _text(rf"(?=.{{1,253}}$){_HOST}")
    )
    approver_emails: tuple[str, ...] = _setting(
        "a list of different e-mail addresses", _different(_text(r"[^@\s]+@[^@\s]+\.[^@\s]+"))
    )
    # Those whom alarms reach; the approvers if there are none.
    operator_emails: tuple[str, ...] = _setting(
        "a list of different e-mail addresses",
        lambda value: value == [] or _different(_text(r"[^@\s]+@[^@\s]+\.[^@\s]+"))(value),
        (),
    )
    # What is too much for a release that goes on by itself or waits for its approval.
    alarm_lag_s: int = _setting("seconds, from 60 to 86400", _whole(60, 86_400), 900)
    alarm_retained_bytes: int = _setting(
        "bytes, from 1073741824 (1 GiB) to 140737488355328 (128 TiB)", _whole(2**30, 2**47), 50 * 2**30
    )
    # Those that move with the writer record.
    more_records: tuple[RecordConfig, ...] = _setting(
        "a list of at most 49 records", lambda value: isinstance(value, list) and len(value) <= 49, ()
    )
    # Those of the secondaries of a global database; functions that make, change or end secondaries do so there.
    secondary_regions: tuple[str, ...] = _setting(
        'a list of different AWS Regions such as "eu-west-1"',
        lambda value: value == [] or _different(_text(_REGION))(value),
        (),
    )
    # What moves in a rehearsal, in place of the others: CNAME records.
    rehearsal_records: tuple[RecordConfig, ...] = _setting(
        "a list of at most 50 records", lambda value: isinstance(value, list) and len(value) <= 50, ()
    )
    database_port: int = _setting("a port from 1150 to 65535, the range of Aurora", _whole(1150, 65_535), 5432)
    approval_timeout_s: int = _setting("seconds, from 1 to 2592000 (30 days)", _whole(1, 30 * 86_400), 86_400)
    # None of them may be the one who asked for the release.
    approvers_needed: int = _setting("1 or 2", _whole(1, 2), 1)
    # Where release leads reach the page: a proxy that signs them in, or a domain of one's own.
    approval_page_url: str = _setting(
        'an address such as "https://approvals.shop.example", or "" for that of the HTTP API itself',
        _text(rf"|https://{_HOST}(:\d{{1,5}})?"),
        "",
    )
    # The OpenID Connect provider whose tokens the page then demands.
    approval_jwt_issuer: str = _setting(
        'the issuer of JSON web tokens, "https://…", or "" for none', _text(r"|https://[^\s?#]{1,500}"), ""
    )
    approval_jwt_audience: tuple[str, ...] = _setting(
        "a list of different audiences of the tokens, of which one has to fit",
        lambda value: value == [] or _different(_text(r"\S{1,200}"))(value),
        (),
    )
    # What of the token is the approver's name.
    approval_identity_claim: str = _setting(
        'the name of a claim, such as "email"', _text(r"[A-Za-z0-9:/._-]{1,100}"), "email"
    )
    freeze_budget_s: int = _setting("seconds, from 1 to 600", _whole(1, 600), 30)
    max_attempts: int = _setting("a number from 1 to 10", _whole(1, 10), 3)
    freeze_method: str = _setting(
        '"nologin", "revoke_connect" or "hook"', _text("nologin|revoke_connect|hook"), "nologin"
    )
    # The customer's own function, which stops and starts the application.
    freeze_hook_function_arn: str = _setting(*_FUNCTION_ARN, "")
    freeze_hook_in_budget: bool = _setting(
        "true or false: whether the time to stop the application counts in the freeze budget",
        lambda value: type(value) is bool,
        default=True,
    )
    # The customer's own function that is called before the freeze and after the opening, whatever the freeze method.
    hook_function_arn: str = _setting(*_FUNCTION_ARN, "")
    hook_timeout_s: int = _setting("seconds, from 1 to 900", _whole(1, 900), 300)
    # Where the scripts lie that change green.
    changes_bucket: str = _setting(
        'the name of an S3 bucket, or "" for none', _text(r"|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), ""
    )
    green_account: GreenAccountConfig | None = field(
        default=None,
        metadata={
            "expected": "a block about another account, or null: green is in blue's",
            "check": lambda value: value is None or isinstance(value, Mapping),
        },
    )
    # From when on reports of releases are deleted; 0 keeps them.
    report_retention_days: int = _setting("days, from 0, for no end, to 36500", _whole(0, 36_500), 0)
    switchover_ttl_s: int = _setting("seconds, from 0 to 300", _whole(0, 300), 5)
    max_lag_bytes: int = _setting("bytes, from 0 to 1099511627776 (1 TiB)", _whole(0, 2**40), 16 * 2**20)
    max_lag_s: float = _setting(
        "seconds, from 0.1 to 3600", lambda value: type(value) in (int, float) and 0.1 <= value <= 3600, 5.0
    )
    # Each compares rows by one session on blue, one on its readers, and two on green.
    verify_workers: int = _setting("a number from 1 to 32", _whole(1, 32), 4)
    verify_rows_per_s: int = _setting("a number from 0, for no limit, to 1000000000", _whole(0, 10**9), 0)
    verify_max_active_sessions: int = _setting(
        "a number from 0, which stands for max_worker_processes, to 10000", _whole(0, 10_000), 0
    )
    # Those that talk to databases, or all. Route 53 has no endpoint in a VPC, so that all need a route out.
    functions_in_vpc: str = _setting('"databases" or "all"', _text("databases|all"), "databases")
    # Whether nothing leads out of the subnets but endpoints.
    isolated_subnets: bool = _setting("true or false", lambda value: type(value) is bool, default=False)
    # Endpoints that the stack makes; what the VPC has already needs none.
    vpc_endpoints: tuple[str, ...] = _setting(
        f"a list of different names, each of {', '.join((*INTERFACES, *GATEWAYS))}",
        lambda value: value == [] or _different(_text("|".join((*INTERFACES, *GATEWAYS))))(value),
        (),
    )
    # Those of subnet_ids, for endpoints that are routes.
    route_table_ids: tuple[str, ...] = _setting(
        'a list of different ids of route tables, "rtb-…"',
        lambda value: value == [] or _different(_text(r"rtb-[0-9a-z]+"))(value),
        (),
    )
    # The customer's, of which everything that the stack makes is encrypted.
    kms_key_arn: str = _setting(
        'the ARN of a key, "arn:aws:kms:…:key/…", or "" for those of AWS',
        _text(r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+"),
        "",
    )
    # How the release's role signs in: by the password in its secret, or by tokens of IAM.
    database_auth: str = _setting('"password" or "iam"', _text("password|iam"), "password")
    # What no role of the stack can go beyond, whatever its policies say.
    permissions_boundary_arn: str = _setting(
        'the ARN of a managed policy, "arn:aws:iam::…:policy/…", or "" for none',
        _text(r"|arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,512}"),
        "",
    )
    database_tls: str = _setting('"verify-full" or "disable"', _text("verify-full|disable"), "verify-full")
    event_source: str = _setting(
        'the source of the events that start a release, such as "release.pipeline" and not one of AWS, "aws.…"',
        _text(r"(?!aws\.)[A-Za-z0-9._/-]{1,256}"),
        "release.pipeline",
    )

    @classmethod
    def from_context(cls, name: str, block: object) -> ClusterConfig:
        """Checks the block `clusters.<name>`; raises ConfigError at the first thing wrong with it."""
        where = f"clusters.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{where}: expected a name of at most 25 lower-case letters, digits and single hyphens, a letter "
                "first: it becomes part of the names of clusters and functions"
            )
        values = _checked(cls, where, block)
        for key in ("more_records", "rehearsal_records"):
            values[key] = tuple(
                RecordConfig(**_checked(RecordConfig, f"{where}.{key}[{number}]", record))
                for number, record in enumerate(values.get(key, ()))
            )
        if account := values.get("green_account"):
            checked = _checked(GreenAccountConfig, f"{where}.green_account", account)
            values["green_account"] = GreenAccountConfig(**checked)
        config = cls(name, **values)
        config._check_together(where)
        return config

    @property
    def records(self) -> tuple[RecordConfig, ...]:
        """All records that move, the one by which blue is found first."""
        return (RecordConfig(self.hosted_zone_id, self.writer_record, "writer"), *self.more_records)

    def _check_together(self, where: str) -> None:
        """What one setting requires of another."""
        green = f"{self.name}-<release id>"
        if not fnmatchcase(f"{self.name}-x", self.cluster_pattern):
            raise ConfigError(
                f"{where}.cluster_pattern: expected a pattern that matches {green}, as green clusters are named, "
                f"found {self.cluster_pattern!r}"
            )
        known = {(self.hosted_zone_id, self.writer_record)}
        for key in ("more_records", "rehearsal_records"):
            for number, record in enumerate(getattr(self, key)):
                if (record.zone_id, record.name) in known:
                    raise ConfigError(
                        f"{where}.{key}[{number}].name: expected one that is not in the list yet, or is in another "
                        f"hosted zone, found {record.name!r} again"
                    )
                if key == "rehearsal_records" and record.type != "CNAME":
                    raise ConfigError(f'{where}.{key}[{number}].type: expected "CNAME", found {record.type!r}')
                if record.region and (record.region not in self.secondary_regions or record.endpoint != "reader"):
                    raise ConfigError(
                        f"{where}.{key}[{number}].region: expected one of secondary_regions, for a record whose "
                        f"endpoint is reader, found {record.region!r}"
                    )
                known.add((record.zone_id, record.name))
        if self.green_account and self.green_account.account_id == self.green_account.blue_account_id:
            raise ConfigError(
                f"{where}.green_account.role_arn: expected a role of another account than blue_account_id, found "
                f"{self.green_account.role_arn!r}"
            )
        if self.region in self.secondary_regions:
            raise ConfigError(f"{where}.secondary_regions: expected other Regions than {self.region}, the primary's")
        if len(self.availability_zones) != len(self.subnet_ids):
            raise ConfigError(
                f"{where}.availability_zones: expected one for each of the {len(self.subnet_ids)} subnets, in their "
                f"order, found {len(self.availability_zones)}"
            )
        for zone in self.availability_zones:
            if zone[:-1] != self.region:
                raise ConfigError(f"{where}.availability_zones: expected zones of {self.region}, found {zone!r}")
        if (routes := sorted({*GATEWAYS} & {*self.vpc_endpoints})) and not self.route_table_ids:
            raise ConfigError(f"{where}.route_table_ids: missing; the endpoints for {routes} are routes")
        if self.isolated_subnets and self.functions_in_vpc == "all":
            raise ConfigError(
                f'{where}.functions_in_vpc: expected "databases", since isolated_subnets is true and Route 53 has no '
                'endpoint inside a VPC, found "all"'
            )
        if self.isolated_subnets and self.secondary_regions:
            raise ConfigError(
                f"{where}.isolated_subnets: expected false, since functions that talk to databases also look at RDS in "
                "secondary_regions, to which no endpoint leads, found True"
            )
        if self.database_auth == "iam" and self.database_tls != "verify-full":
            raise ConfigError(f'{where}.database_tls: expected "verify-full": a token is sent as it is')
        if self.green_account and self.database_auth == "iam":
            raise ConfigError(
                f'{where}.database_auth: expected "password" with green_account, since a token of IAM lets in to '
                'clusters of the account that made it only, found "iam"'
            )
        if self.kms_key_arn and self.kms_key_arn.split(":")[3] != self.region:
            raise ConfigError(f"{where}.kms_key_arn: expected a key of {self.region}, found {self.kms_key_arn!r}")
        if bool(self.approval_jwt_issuer) != bool(self.approval_jwt_audience):
            raise ConfigError(
                f"{where}.approval_jwt_audience: expected with approval_jwt_issuer and not without it, found "
                f"{list(self.approval_jwt_audience)!r}"
            )
        if self.approval_jwt_issuer and not self.approval_page_url:
            raise ConfigError(
                f"{where}.approval_page_url: missing; with approval_jwt_issuer the links of mails have to lead to a "
                "proxy that signs people in: a browser sends no token, and the API itself answers it with 401"
            )
        if self.freeze_method == "hook" and not self.freeze_hook_function_arn:
            raise ConfigError(f'{where}.freeze_hook_function_arn: missing; freeze_method is "hook"')
        for key in ("freeze_hook_function_arn", "hook_function_arn"):
            if (function_arn := getattr(self, key)) and function_arn.split(":")[3] != self.region:
                raise ConfigError(
                    f"{where}.{key}: expected a function of {self.region}, as Step Functions calls no other, found "
                    f"{function_arn!r}"
                )
