"""Changes on green: scripts of SQL that a release runs there.

They are read from S3 (``scripts``), taken apart by PostgreSQL's own parser (``parsing``), held against what replication
and the comparison stand (``rules``), and run on green (``applying``), where each transaction is proven harmless by the
catalog before it commits (``queries/changes/install_changes.sql``).
"""
