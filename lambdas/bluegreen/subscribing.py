"""How one database subscribes to another: what green does for good, and blue for trial (``preflight/trials.py``)."""

from __future__ import annotations

from .model import Plan
from .postgres import Credentials
from .quoting import conninfo, identifier, literal
from .session import Session

KEEP_OUT_OF_LOGS = (
    "SET LOCAL log_statement = 'none'; SET LOCAL log_duration = off; SET LOCAL log_min_duration_statement = -1;"
    " SET LOCAL log_min_duration_sample = -1; SET LOCAL log_transaction_sample_rate = 0;"
    " SET LOCAL log_min_error_statement = 'panic'; SET LOCAL pg_stat_statements.track_utility = off;"
    " SET LOCAL pgaudit.log = 'none'"
)
"""For the one statement that holds a clear-text password. Settings of absent extensions are harmless placeholders."""


def create_subscription(session: Session, plan: Plan, database: str, login: Credentials, tls: str) -> None:
    """Makes the release's subscription to a database of blue, disabled, within the transaction of the caller.

    The server of the session connects to blue for it, and finds out whether it can.
    """
    name = identifier(plan.sql_name)
    blue = conninfo(
        host=plan.blue.host,
        port=plan.blue.port,
        dbname=database,
        user=login.username,
        password=login.password,
        sslmode="require" if tls == "verify-full" else "disable",
        connect_timeout=10,
        application_name=plan.sql_name,
    )
    (version,) = session.run("SHOW server_version_num")
    streaming = ", streaming = parallel" if int(version["server_version_num"]) >= 160000 else ""
    session.run(KEEP_OUT_OF_LOGS)
    session.run(
        f"CREATE SUBSCRIPTION {name} CONNECTION {literal(blue)} PUBLICATION {name} WITH (copy_data = false,"
        f" create_slot = false, enabled = false, slot_name = {literal(plan.slot(database))},"
        f" disable_on_error = true{streaming})"
    )
