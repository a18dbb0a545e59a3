-- Every client session but the release's own and those of AWS, and whoever reads a logical slot.
SELECT pid, coalesce(usename, '?') AS role, coalesce(datname, '?') AS database
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
  AND usename IS DISTINCT FROM current_user
  AND coalesce(usename, '') <> ALL (:aws_roles::text[])
  AND (backend_type = 'client backend'
       OR pid IN (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical'))
