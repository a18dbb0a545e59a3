"""The configuration of one released database: a block of `clusters` in cdk.json, checked as a whole.

Everything that can be known to be wrong is refused at synthesis, with the key's full name and what it should be:
after the deployment the same mistake would show in the middle of a release.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any


class ConfigError(Exception):
    """A key of cdk.json is missing, unknown or wrong; the message names it and says what is expected."""


Check = Callable[[Any], bool]


def _text(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _list(check: Check) -> Check:
    return lambda value: isinstance(value, list) and value != [] and all(map(check, value))


def _different(check: Check) -> Check:
    return lambda value: _list(check)(value) and len(set(value)) == len(value)


def _whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most  # not isinstance: True is no number here


def _setting(expected: str, check: Check, default: Any = MISSING) -> Any:
    """A field of ClusterConfig that carries its own check; the sentence for a wrong value says `expected`."""
    return field(default=default, metadata={"expected": expected, "check": check})


_NAME = re.compile(r"(?=.{1,25}$)[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HOST = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
_REGION = r"[a-z]{2}(-[a-z]+)+-\d"
_ZONE_ID = r"Z[0-9A-Z]{1,31}"


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """A record that moves with a release; its keys are those of `bluegreen.model.RecordKey`."""

    zone_id: str = _setting('the id of a Route 53 hosted zone, "Z…"', _text(_ZONE_ID))
    name: str = _setting(
        'a host name of lower-case letters, digits and hyphens without a final dot; its first label may be "*"',
        _text(rf"(?=.{{1,253}}$)(\*\.)?{_HOST}"),
    )
    endpoint: str = _setting('"writer" or "reader"', _text("writer|reader"))
    type: str = _setting('"CNAME" or "A"', _text("CNAME|A"), "CNAME")
    region: str = _setting(
        "a Region of secondary_regions, whose secondary's readers are meant, or \"\" for the primary cluster's",
        _text(rf"|{_REGION}"),
        "",
    )


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One database that is released. A setting without a default has to be in cdk.json."""

    name: str
    region: str = _setting('an AWS Region such as "eu-west-2"', _text(_REGION))
    vpc_id: str = _setting('the id of a VPC, "vpc-…"', _text(r"vpc-[0-9a-z]+"))
    # Private subnets with a route out: Route 53 has no endpoint inside a VPC.
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
    # Those that move with the writer record.
    more_records: tuple[RecordConfig, ...] = _setting(
        "a list of at most 49 records", lambda value: isinstance(value, list) and len(value) <= 49, ()
    )
    # Those of the secondaries of a global database: the functions may do there what they may do in `region`.
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
    freeze_budget_s: int = _setting("seconds, from 1 to 600", _whole(1, 600), 30)
    max_attempts: int = _setting("a number from 1 to 10", _whole(1, 10), 3)
    freeze_method: str = _setting(
        '"nologin", "revoke_connect" or "hook"', _text("nologin|revoke_connect|hook"), "nologin"
    )
    # The customer's own function, which stops and starts the application.
    freeze_hook_function_arn: str = _setting(
        'the ARN of a function, "arn:aws:lambda:…:function:…", or "" for none',
        _text(r"|arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}(:[\w$-]{1,128})?"),
        "",
    )
    freeze_hook_in_budget: bool = _setting(
        "true or false: whether the time to stop the application counts in the freeze budget",
        lambda value: type(value) is bool,
        default=True,
    )
    # Where the scripts lie that change green.
    changes_bucket: str = _setting(
        'the name of an S3 bucket, or "" for none', _text(r"|[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), ""
    )
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
        if self.freeze_method == "hook" and not self.freeze_hook_function_arn:
            raise ConfigError(f'{where}.freeze_hook_function_arn: missing; freeze_method is "hook"')
        if self.freeze_hook_function_arn and self.freeze_hook_function_arn.split(":")[3] != self.region:
            raise ConfigError(
                f"{where}.freeze_hook_function_arn: expected a function of {self.region}, as Step Functions calls no "
                f"other, found {self.freeze_hook_function_arn!r}"
            )


def _checked(kind: type, where: str, block: object) -> dict[str, Any]:
    """The settings of a block as the fields of `kind` want them; raises ConfigError naming the wrong key."""
    if not isinstance(block, Mapping):
        raise ConfigError(f"{where}: expected a block of settings, found {block!r}")
    settings = {each.name: each for each in fields(kind) if each.metadata}
    for key in block:
        if key not in settings:
            near = difflib.get_close_matches(key, settings, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(settings)}"
            raise ConfigError(f"{where}.{key}: no such setting; {hint}")
    values: dict[str, Any] = {}
    for key, setting in settings.items():
        expected, check = setting.metadata["expected"], setting.metadata["check"]
        if key in block:
            value = block[key]
            if not check(value):
                raise ConfigError(f"{where}.{key}: expected {expected}, found {value!r}")
            values[key] = tuple(value) if isinstance(value, list) else value
        elif setting.default is MISSING:
            raise ConfigError(f"{where}.{key}: missing; expected {expected}")
    return values
