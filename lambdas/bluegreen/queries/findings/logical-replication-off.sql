SELECT current_setting('wal_level') AS wal_level, coalesce(current_setting('rds.logical_replication', true), 'absent') AS value
WHERE current_setting('wal_level') <> 'logical'
   OR coalesce(current_setting('rds.logical_replication', true), '') NOT IN ('1', 'on')
