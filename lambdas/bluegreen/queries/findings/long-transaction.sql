-- Transactions that have written and are old already; a slot waits for all of them.
SELECT pid, coalesce(usename, '?') AS role, coalesce(datname, '?') AS database, coalesce(state, '?') AS state,
       date_trunc('second', now() - xact_start)::text AS age
FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND usename <> ALL (:aws_roles::text[]) AND now() - xact_start > make_interval(secs => :long_s::float)
