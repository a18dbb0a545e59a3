-- Who keeps a slot from being created: transactions that have written, and prepared ones.
SELECT 'process ' || a.pid || ', user ' || coalesce(a.usename, '?') || ', database ' || coalesce(a.datname, '?')
       || ', open for ' || date_trunc('second', now() - a.xact_start)
       || ', ' || coalesce(a.state, '?') || ', last query: ' || left(regexp_replace(a.query, '\s+', ' ', 'g'), 120) AS blocker
FROM pg_stat_activity a
WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()
UNION ALL
SELECT 'prepared transaction ' || gid || ', user ' || owner || ', database ' || database
       || ', prepared ' || date_trunc('second', now() - prepared) || ' ago'
FROM pg_prepared_xacts
