"""Changes on green: scripts of SQL are read from S3 (``scripts``), taken apart by PostgreSQL's own parser
(``parsing``), held against what replication and the comparison tolerate (``rules``), and run on green
(``applying``), where each transaction is proven harmless by the catalog before it commits (``queries/changes/install_changes.sql``).
"""
