"""What a release knows: frozen dataclasses, JSON only at the edges."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Self

from .accounts import GreenAccount

State = Mapping[str, Any]
"""The state machine's data as a handler receives it: names and small figures, snake_case, never a secret."""

RELEASE_TAG = "bluegreen:release"
"""The tag on every AWS resource that a release makes; its value is the release's id."""

LAMBDA_LIMIT_S = 900
"""The longest that any function may run on Lambda."""

NOT_SAID = "not said"
"""What an input leaves out that only people read."""

SCHEMA = "bluegreen"
"""The schema on blue, and so on its clone, that holds sentinel, freeze record and opening."""


def release_id(execution_arn: str, started_at: str) -> str:
    """A short name that is the same for every attempt of one execution, fit for identifiers of RDS and PostgreSQL.

    >>> release_id("arn:aws:states:eu-west-2:1:execution:bluegreen-shop:a", "2026-11-23T04:05:06.789Z")
    '20261123-0405-cfa0c9'
    """
    started = datetime.fromisoformat(started_at)
    return f"{started:%Y%m%d-%H%M}-{hashlib.sha256(execution_arn.encode()).hexdigest()[:6]}"


def major(version: str) -> int:
    """The major version of PostgreSQL in a version as RDS names it.

    >>> major("16.4")
    16
    """
    return int(version.split(".")[0])


Endpoint = Literal["writer", "reader"]
"""Which endpoint of a cluster is meant: the one that follows the writer, or the one that spreads over the readers."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where an Aurora cluster is reached: its writer, and its readers when it has an endpoint for them."""

    identifier: str
    host: str
    port: int
    reader_host: str | None = None
    secondary_readers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The reader endpoints of its secondaries, by Region, as far as records lead there."""


@dataclass(frozen=True, slots=True, order=True)
class Secondary:
    """A secondary cluster of blue's global database; green's in the same Region is named as green is."""

    region: str
    identifier: str


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Which record of Route 53 is meant, what type it has to be, and which endpoint of the cluster it leads to.

    A CNAME record holds the endpoint's name as its only value, an A record the endpoint's addresses.
    """

    zone_id: str
    name: str
    type: str
    endpoint: Endpoint
    region: str = field(default="", kw_only=True)
    """The Region of the secondary whose reader endpoint is meant; empty for the primary cluster's."""


@dataclass(frozen=True, slots=True)
class Record(RecordKey):
    """A record by which applications find the cluster, as it was when it was read; in the plan: before the release."""

    ttl_s: int
    values: tuple[str, ...]

    @classmethod
    def of(cls, state: State) -> Self:
        """The record as the plan's JSON has it."""
        return cls(**{**state, "values": tuple(state["values"])})


Globalize = Literal["before_cutover", "after_cutover", "never"]
BlueEnd = Literal["keep", "stop", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """A script of SQL in S3, or all whose keys begin with a prefix that ends in ``/``, and the database it is for."""

    database: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything is touched. It travels through the state machine as ``$.plan``."""

    release_id: str
    cluster_name: str
    execution_arn: str
    requested_by: str
    reason: str
    blue: Cluster
    green_identifier: str
    databases: tuple[str, ...]
    records: tuple[Record, ...]
    """The records that move, the writer record by which blue was found first; in a rehearsal those of the rehearsal."""
    switchover_ttl_s: int
    approval_timeout_s: int
    freeze_budget_s: int
    max_attempts: int
    max_lag_bytes: int
    max_lag_s: float
    freeze_method: str = "nologin"
    """``nologin``, ``revoke_connect``, or ``hook``: the customer's function first, then as ``nologin``."""
    freeze_hook_function_arn: str = ""
    freeze_hook_in_budget: bool = True
    """Whether the freeze budget counts from the moment at which the customer's function is called."""
    freeze_hook_timeout_s: int = LAMBDA_LIMIT_S
    hook_function_arn: str = ""
    """The customer's function that is called before the freeze and after the opening; empty for none."""
    hook_timeout_s: int = LAMBDA_LIMIT_S
    verify_workers: int = 4
    """How many functions compare rows at a time before the approval; each has one session on blue, one on its readers
    if there are any, and two on green."""
    verify_rows_per_s: int = 0
    """How many rows they may read in a second, all together; 0 for no limit."""
    verify_max_active_sessions: int = 0
    """They stand back while more sessions of others are at work on blue; 0 stands for its max_worker_processes."""
    mode: str = "release"
    """``release``; ``rehearsal``: all of it but the freeze and the flip, then green is removed; or ``check``: blue is
    looked at, and nothing else."""
    last_rehearsal: Mapping[str, Any] = field(default_factory=dict)
    """The figures of the newest rehearsal of this cluster (``rehearsal.py``); empty when there was none."""
    accept: tuple[str, ...] = ()
    """The warnings about blue (``preflight/catalogue.py``) that are known and no reason not to release."""
    repair_drift: bool = False
    """Whether tables and columns that are created on blue during the release are created on green as well."""
    engine_version: str = ""
    """The version that green is upgraded to, as RDS names it (``18.4``); empty for blue's own."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """New values for green's cluster parameter group; the others are blue's."""
    changes: tuple[Change, ...] = ()
    """Scripts that are run on green, in this order, each once."""
    globalize: Globalize = "before_cutover"
    """When green gets secondary clusters in the Regions in which blue has some."""
    blue_global_cluster: str = ""
    """The global cluster of which blue is the primary; empty when it is in none."""
    secondaries: tuple[Secondary, ...] = ()
    """Blue's secondary clusters."""
    blue_end: BlueEnd = "keep"
    """What becomes of blue when it has been kept for ``retain_blue_h``."""
    retain_blue_h: int = 0
    """Hours from the end of the release until blue's end; it is fenced meanwhile."""
    green_account: GreenAccount | None = None
    """Where green is made when that is not blue's account."""
    approvers_needed: int = 1
    """How many different people have to approve, none of them ``requested_by``."""
    attempt: int = 1
    """Which try at the switchover this is, from 1; each has its own freeze record and its own verdict."""

    @classmethod
    def of(cls, state: State) -> Self:
        """The plan of a running release."""
        fields = dict(state["plan"])
        fields["blue"] = Cluster(**fields["blue"])
        fields["records"] = tuple(map(Record.of, fields["records"]))
        fields["databases"] = tuple(fields["databases"])
        fields["secondaries"] = tuple(Secondary(**each) for each in fields.get("secondaries", ()))
        fields["accept"] = tuple(fields.get("accept", ()))
        fields["green_account"] = GreenAccount.of(fields["green_account"]) if fields.get("green_account") else None
        fields["changes"] = tuple(Change(**change) for change in fields.get("changes", ()))
        return cls(**fields)

    def to_state(self) -> dict[str, Any]:
        """The plan as JSON for the state machine."""
        lists = {
            "databases": list(self.databases),
            "accept": list(self.accept),
            "changes": list(map(asdict, self.changes)),
            "secondaries": list(map(asdict, self.secondaries)),
        }
        return asdict(self) | lists

    @property
    def has_own_groups(self) -> bool:
        """Whether green's parameter groups are its own, and not blue's."""
        return bool(self.engine_version or self.parameters)

    @property
    def home(self) -> str:
        """The database that holds what concerns the whole cluster: the freeze record and the opening."""
        return self.databases[0]

    @property
    def sql_name(self) -> str:
        """The name of the release's publication and subscription in each database."""
        return f"bluegreen_{self.release_id.replace('-', '_')}"

    @property
    def replication_role(self) -> str:
        """The role that green's subscriptions log in with on blue."""
        return f"bluegreen_replication_{self.release_id.replace('-', '_')}"

    @property
    def replication_secret(self) -> str:
        """The name of the secret that holds the replication role's password."""
        return f"bluegreen/{self.cluster_name}/replication/{self.release_id}"

    @property
    def green_global_cluster(self) -> str:
        """The name of the global cluster that green is made the primary of."""
        return f"{self.green_identifier}-global"

    @property
    def switchover_id(self) -> str:
        """The key of this attempt's freeze record and opening."""
        return f"{self.release_id}/{self.attempt}"

    @property
    def next_attempt(self) -> int:
        """The number of the attempt that follows an abort; this one's own when there is none."""
        return min(self.attempt + 1, self.max_attempts)

    def slot(self, database: str) -> str:
        """The replication slot of a database; slots are named per cluster, so each carries its database's place."""
        return f"{self.sql_name}_{self.databases.index(database)}"

    def recorder(self, database: str) -> str:
        """The slot, on blue and on green, that keeps what changed in a database since it was compared."""
        return f"{self.slot(database)}_recorder"


def green(state: State) -> Cluster:
    """Green, once it is reachable (``$.green`` is the result of WaitForGreen)."""
    return Cluster(**state["green"])


def green_if_any(state: State) -> Cluster | None:
    """Green, or None when a recovery found no such cluster."""
    return green(state) if state["green"] else None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far green is behind blue in one database, and whether it follows at all."""

    database: str
    lag_bytes: int
    lag_s: float | None
    """Seconds from the commit of a sentinel row on blue to its sight on green; None when it was not seen in time."""
    problems: tuple[str, ...]
    """What keeps replication from working, in words; empty when it is healthy."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or sequence by its full name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class SequenceState(NamedTuple):
    """Where a sequence stands: the next value is ``last_value`` itself while ``is_called`` is false.

    A plain tuple, because there may be ten thousand, and the application waits while they are compared.
    """

    schema: str
    name: str
    last_value: int
    is_called: bool

    @property
    def sequence(self) -> Relation:
        """Which sequence it is."""
        return Relation(self.schema, self.name)
