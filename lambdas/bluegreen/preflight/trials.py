"""What is found by doing it: the freeze, and what a release makes on blue, each rolled back; and the log meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import DatabaseUnavailable, SqlError
from ..freeze_methods import try_freeze
from ..lsn import Lsn
from ..model import Plan
from ..postgres import Databases
from ..quoting import identifier
from ..session import INSUFFICIENT_PRIVILEGE, Session
from ..subscribing import create_subscription
from .catalogue import BY_ID
from .findings import Found

MUCH_WRITTEN_MB_S = 4.0
"""Worth a note, and no more: on two busy cores one apply worker took 1.7 to 3.5 MB/s of single-row transactions, 8,000
to 12,000 of them a second, and of larger ones it takes more. So no figure decides before green is there."""

VOLUME_BYTES = 128 << 40
"""The least that an Aurora volume can grow to (Aurora User Guide, "Amazon Aurora size limits"), log included."""


def refused_freeze(home: Session, plan: Plan) -> Iterator[Found]:
    """What stands in the way of the freeze; a role that we may not alter with the grant that we lack."""
    taken, texts = try_freeze(home, plan)
    (me,) = home.run("SELECT current_user AS name")
    supers = {row["name"] for row in home.run("SELECT rolname AS name FROM pg_roles WHERE rolsuper")}

    def fix(text: str) -> str | None:
        for role in taken.roles:
            if text.startswith(f"blue cannot be frozen: role {role} ("):
                who = identifier(role)
                if role in supers:
                    return f"ALTER ROLE {who} NOSUPERUSER;"
                return f"GRANT {who} TO {identifier(me['name'])} WITH ADMIN OPTION;"
        return None

    for text in texts:
        yield BY_ID["freeze-refused"].found(plan.blue.identifier, {"error": text, "fix": fix(text)})


def refused_preparation(session: Session, plan: Plan, database: str) -> Iterator[Found]:
    """What of the release's own a database of blue does not let us make: role, schema, publication.

    A publication of all tables is no burden on them: it takes no lock of theirs, and others never see it. The names are
    others than the release's, which may have made its own: a function may be called twice.
    """
    name = identifier(f"{plan.sql_name}_trial")
    wanted = {
        "replication role": f"CREATE ROLE {name} LOGIN; GRANT rds_replication TO {name}",
        "schema": f"CREATE SCHEMA {name}",
        "publication": f"CREATE PUBLICATION {name} FOR ALL TABLES",
    }
    if database != plan.home:
        del wanted["replication role"]
    with session.trial(lock=plan.sql_name):
        for what, sql in wanted.items():
            session.run("SAVEPOINT trial")
            try:
                session.run(sql)
            except SqlError as error:
                session.run("ROLLBACK TO trial")
                fix = _become_powerful(session) if error.sqlstate == INSUFFICIENT_PRIVILEGE else None
                yield BY_ID["preparation-refused"].found(database, {"what": what, "error": error, "fix": fix})


def refused_subscription(databases: Databases, plan: Plan) -> Iterator[Found]:
    """Why blue cannot subscribe to itself, as green will to it.

    Blue has green's engine, parameters, subnets and security groups; but what a host sends to itself no security group
    looks at, so those are read (``rds.py``).
    """
    home = databases.on(plan.blue, plan.home)
    login = next(iter(databases.credentials(plan.blue)))  # it has just been used for the session
    if login.is_token:  # which does for replication only where rds.iam_auth_for_replication is on, and green needs none
        return
    with home.trial(lock=plan.sql_name):
        try:
            create_subscription(home, plan, plan.home, login, databases.tls)
        except (SqlError, DatabaseUnavailable) as error:
            home.run("ROLLBACK")  # raises when it was our own connection that broke
            lacks_right = isinstance(error, SqlError) and error.sqlstate == INSUFFICIENT_PRIVILEGE
            fix = _become_powerful(home) if lacks_right else None
            yield BY_ID["subscription-refused"].found(plan.blue.identifier, {"error": error, "fix": fix})


def _become_powerful(session: Session) -> str:
    """The statement that gives our role the rights of those who administer the server."""
    (row,) = session.run(
        "SELECT current_user AS me, EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') AS is_rds"
    )
    me = identifier(row["me"])
    return f"GRANT rds_superuser TO {me};" if row["is_rds"] else f"ALTER ROLE {me} SUPERUSER;"


def much_log(home: Session, plan: Plan, first: Lsn, seconds: float, data_bytes: int) -> Iterator[Found]:
    """Whether the log, at the rate at which it came to be while we looked, is more than green and the room can take."""
    rate_mb_s = (Lsn.parse(home.one("insert_lsn")["lsn"]) - first) / 1e6 / seconds
    row = {"rate": f"{rate_mb_s:.1f}"}
    if rate_mb_s >= MUCH_WRITTEN_MB_S:
        yield BY_ID["much-written"].found(plan.blue.identifier, row)
    room = home.one("room_for_log")
    limits = {"an Aurora volume": VOLUME_BYTES - data_bytes - room["retained_bytes"]}
    if room["limit_bytes"] is not None:
        limits["max_slot_wal_keep_size"] = room["limit_bytes"]
    what, left_bytes = min(limits.items(), key=lambda limit: limit[1])
    if rate_mb_s * 1e6 * plan.approval_timeout_s > left_bytes:
        hours = f"{plan.approval_timeout_s / 3600:.1f}"
        row |= {"hours": hours, "room": f"{max(0, left_bytes) / 1e9:.1f} GB", "what": what}
        yield BY_ID["log-outgrows-room"].found(plan.blue.identifier, row)
