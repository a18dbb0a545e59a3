-- Extensions that PostgreSQL has removed from a version between this one and the target (its release notes).
SELECT e.extname AS name, removed.since
FROM pg_extension e JOIN (VALUES ('adminpack', 17), ('old_snapshot', 17)) AS removed (name, since) ON removed.name = e.extname
WHERE :target >= removed.since AND current_setting('server_version_num')::int / 10000 < removed.since
