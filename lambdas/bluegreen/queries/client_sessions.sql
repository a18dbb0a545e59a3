-- Every client session but the release's own and those of AWS; ended if asked for; a cancel would leave one able to commit.
-- One that is starting, as PostgreSQL 18 shows it, is none yet: starting_sessions.sql has it, or it will be refused.
-- Once the freeze of this switchover has ended nobody is sent away any more, however late this is asked.
SELECT pid, coalesce(usename, '?') AS role, coalesce(datname, '?') AS database,
       coalesce(application_name, '') AS application, coalesce(host(client_addr), 'local') AS client,
       CASE WHEN :terminate::boolean THEN pg_terminate_backend(pid) END AS signalled
FROM pg_stat_activity
WHERE backend_type = 'client backend'
  AND pid <> pg_backend_pid()
  AND state IS DISTINCT FROM 'starting'
  AND NOT EXISTS (SELECT FROM bluegreen.freeze_record WHERE switchover_id = :switchover_id AND unfrozen_at IS NOT NULL)
  AND usename IS DISTINCT FROM current_user
  AND coalesce(usename, '') <> ALL (:aws_roles::text[])
