"""Blue/green releases of an Aurora PostgreSQL cluster: the steps that the state machine takes, as a library.

``model``, ``lsn`` and ``errors`` hold what is known, and touch nothing outside.
``postgres`` is the only importer of pg8000. ``aurora`` (RDS), ``dns`` (Route 53), ``secrets`` (Secrets Manager),
``records`` (DynamoDB) and ``warming`` (Lambda) are given their boto3 clients, one service each. Everything else is a
concern of the procedure, built on these.
"""
