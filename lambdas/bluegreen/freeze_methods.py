"""How applications are kept from connecting: one interface, and the methods that a release can choose from.

A method only says which statements to run; ``freeze.py`` decides when, in which transaction, and on which side. What
it takes is kept exactly (``Taken``), in the freeze record, so that an abort gives back that and nothing else, and so
that green is opened with that and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, Self

from .errors import SqlError
from .model import Plan
from .quoting import identifier
from .session import Row, Session

AWS_ROLES = ("rdsadmin", "rdsrepladmin", "rdsproxyadmin", "rdstopmgr", "rds_ad")
"""Roles of AWS itself that can log in. No customer may alter them, and none writes to the application's tables."""


@dataclass(frozen=True, slots=True)
class ConnectGrant:
    """One entry for CONNECT in a database's access list. ``grantee`` is None for PUBLIC."""

    database: str
    owner: str
    grantor: str
    grantee: str | None
    is_grantable: bool
    is_kept: bool
    """Whether it is of the release, its replication, or AWS, and so stays."""

    def __str__(self) -> str:
        return f"CONNECT on database {self.database} of {self.grantee or 'PUBLIC'}, granted by {self.grantor}"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a freeze takes: the roles that can connect no more, and the grants that were taken from them for it."""

    roles: tuple[str, ...] = ()
    grants: tuple[ConnectGrant, ...] = ()

    @classmethod
    def of(cls, record: Row) -> Self:
        """From a row of ``bluegreen.freeze_record``."""
        return cls(tuple(record["roles"]), tuple(ConnectGrant(**grant) for grant in record["grants"]))

    def to_record(self) -> dict[str, Any]:
        """As ``bluegreen.freeze_record`` has it."""
        return {"roles": list(self.roles), "grants": [asdict(grant) for grant in self.grants]}

    @property
    def names(self) -> set[str]:
        """All roles that have to exist where it is given back."""
        concerned = {name for grant in self.grants for name in (grant.owner, grant.grantor, grant.grantee)}
        return {name for name in (*self.roles, *concerned) if name is not None}

    def without(self, names: Collection[str]) -> Self:
        """What is left of it when these roles are left out."""
        return replace(
            self,
            roles=tuple(role for role in self.roles if role not in names),
            grants=tuple(g for g in self.grants if not {g.owner, g.grantor, g.grantee} & set(names)),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One statement, or several that belong together, and in words what it is about."""

    subject: str
    sql: str


class FreezeMethod(Protocol):
    """Keeps applications from connecting to one cluster, and lets them in again."""

    def look(self, session: Session, plan: Plan) -> Taken:
        """What a freeze would take now."""

    def freeze(self, taken: Taken) -> list[Change]:
        """The changes that take it, for one transaction."""

    def prove(self, session: Session, plan: Plan) -> list[str]:
        """The roles that could connect all the same; none after a freeze."""

    def unfreeze(self, taken: Taken) -> list[Change]:
        """The changes that give back exactly what was taken, for one transaction."""


def login_roles(session: Session, plan: Plan) -> list[str]:
    """Roles that a client could log in with, but the release's own, its replication's, and those of AWS."""
    return [row["name"] for row in session.query("login_roles", spared=_spared(plan))]


def _spared(plan: Plan) -> list[str]:
    return [plan.replication_role, *AWS_ROLES]


class NoLogin:
    """Takes LOGIN from every role. Superusers are refused as well, and it is the same in every database."""

    def look(self, session: Session, plan: Plan) -> Taken:
        return Taken(roles=tuple(login_roles(session, plan)))

    def freeze(self, taken: Taken) -> list[Change]:
        return [_alter(role, "NOLOGIN") for role in taken.roles]

    def prove(self, session: Session, plan: Plan) -> list[str]:
        return login_roles(session, plan)

    def unfreeze(self, taken: Taken) -> list[Change]:
        return [_alter(role, "LOGIN") for role in taken.roles]


def _alter(role: str, attribute: str) -> Change:
    return Change(f"role {role}", f"ALTER ROLE {identifier(role)} {attribute}")


class RevokeConnect:
    """Takes the right to connect to any database from PUBLIC and from everybody but the release and AWS.

    An access list names for each entry who granted it, and only in that one's name can it be revoked or made again
    [PostgreSQL: GRANT, notes]; so each statement runs as the grantor. What was granted with a grant option that is
    revoked goes with it (CASCADE), so grants are revoked from the leaves on and made again from the owner on.

    The release has its right to connect mostly by way of PUBLIC, and so have green's apply workers, which run as its
    role: it gets one of its own first, and loses it last. A list that was empty (NULL: the defaults) cannot become
    empty again by any statement; it then holds what the defaults say, which is the same.
    """

    def look(self, session: Session, plan: Plan) -> Taken:
        grants = tuple(ConnectGrant(**row) for row in session.query("connect_grants", spared=_spared(plan)))
        return Taken(tuple(self.prove(session, plan)), ordered(grants))

    def freeze(self, taken: Taken) -> list[Change]:
        keep = [
            _as(
                owner,
                f"CONNECT on database {database} of the release",
                f"{_GRANT} {identifier(database)} TO {_RELEASE}",
            )
            for database, owner in _owners(taken)
        ]
        return keep + [
            _as(grant.grantor, str(grant), f"{_REVOKE} {identifier(grant.database)} FROM {_grantee(grant)} CASCADE")
            for grant in reversed(taken.grants)
            if not grant.is_kept
        ]

    def prove(self, session: Session, plan: Plan) -> list[str]:
        return [row["name"] for row in session.query("connecting_roles", spared=_spared(plan))]

    def unfreeze(self, taken: Taken) -> list[Change]:
        own = [
            _as(owner, _own(database), f"{_REVOKE} {identifier(database)} FROM {_RELEASE} CASCADE")
            for database, owner in _owners(taken)
        ]
        return own + [
            _as(
                grant.grantor,
                str(grant),
                f"{_GRANT} {identifier(grant.database)} TO {_grantee(grant)}"
                + (" WITH GRANT OPTION" if grant.is_grantable else ""),
            )
            for grant in taken.grants
        ]


_GRANT, _REVOKE = "GRANT CONNECT ON DATABASE", "REVOKE CONNECT ON DATABASE"
_RELEASE = "SESSION_USER"  # the statement itself runs as the grantor


def _owners(taken: Taken) -> list[tuple[str, str]]:
    return sorted({(grant.database, grant.owner) for grant in taken.grants})


def _own(database: str) -> str:
    return f"the release's own CONNECT on database {database}"


def _grantee(grant: ConnectGrant) -> str:
    return "PUBLIC" if grant.grantee is None else identifier(grant.grantee)


def _as(role: str, subject: str, sql: str) -> Change:
    return Change(subject, f"SET LOCAL ROLE {identifier(role)}; {sql}; RESET ROLE")


def ordered(grants: Iterable[ConnectGrant]) -> tuple[ConnectGrant, ...]:
    """The order in which they can be made: what the owner granted, then what was granted by those who may since then.

    >>> of_lead = ConnectGrant("app", "owner", "owner", "lead", is_grantable=True, is_kept=False)
    >>> of_clerk = ConnectGrant("app", "owner", "lead", "clerk", is_grantable=False, is_kept=False)
    >>> ordered([of_clerk, of_lead]) == (of_lead, of_clerk)
    True
    """
    placed: list[ConnectGrant] = []
    waiting = list(grants)
    while waiting:
        able = {(grant.database, grant.grantee) for grant in placed if grant.is_grantable}
        ready = [grant for grant in waiting if grant.grantor == grant.owner or (grant.database, grant.grantor) in able]
        if not ready:  # a list that no sequence of grants makes; the recheck finds that it cannot be made again
            ready = waiting
        placed += ready
        waiting = [grant for grant in waiting if grant not in ready]
    return tuple(placed)


_METHODS: dict[str, FreezeMethod] = {
    "nologin": NoLogin(),
    "revoke_connect": RevokeConnect(),
    "hook": NoLogin(),  # the customer's function stops the application; who connects nevertheless has to be refused
}


def method_of(plan: Plan) -> FreezeMethod:
    """The method that the release was planned with."""
    return _METHODS[plan.freeze_method]


def perform(session: Session, changes: Iterable[Change]) -> None:
    """Makes changes in one round trip, within the transaction of the caller."""
    if statements := "; ".join(change.sql for change in changes):
        session.run(statements)


def refusals(session: Session, changes: Sequence[Change]) -> list[str]:
    """Why changes cannot be made, tried within a transaction that the caller rolls back.

    They are tried all at once, as they will be made; only when that is refused each by itself, to name who it is.
    """
    session.run("SAVEPOINT trial")
    try:
        perform(session, changes)
    except SqlError:
        session.run("ROLLBACK TO trial")
    else:
        return []
    refused = []
    for change in changes:
        session.run("SAVEPOINT trial")
        try:
            session.run(change.sql)
        except SqlError as error:
            session.run("ROLLBACK TO trial")
            refused.append(f"{change.subject} ({error})")
    return refused


def try_freeze(on_blue: Session, plan: Plan) -> tuple[Taken, list[str]]:
    """Freezes blue and unfreezes it, for trial; returns what a freeze takes, and what stands in its way."""
    method = method_of(plan)
    with on_blue.trial(lock=plan.sql_name):
        taken = method.look(on_blue, plan)
        findings = [f"blue cannot be frozen: {text}" for text in refusals(on_blue, method.freeze(taken))]
        if not findings:
            findings = [f"role {name} could connect to blue all the same" for name in method.prove(on_blue, plan)]
            findings += [f"blue could not be given back: {text}" for text in refusals(on_blue, method.unfreeze(taken))]
        if not findings and method.look(on_blue, plan) != taken:
            findings = ["after an abort, who may connect to blue would not be who may now"]
    return taken, findings
