-- Effective settings of the server, and what already uses up the limits that the release needs room in.
SELECT current_setting('server_version_num')::int AS server_version_num,
       current_setting('wal_level') AS wal_level,
       current_setting('rds.logical_replication', true) AS rds_logical_replication,
       current_setting('max_replication_slots')::int AS max_replication_slots,
       current_setting('max_wal_senders')::int AS max_wal_senders,
       current_setting('max_logical_replication_workers')::int AS max_logical_replication_workers,
       current_setting('max_worker_processes')::int AS max_worker_processes,
       current_setting('max_replication_slots')::int
           - (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> ALL (:our_slots::text[]))::int AS free_slots,
       current_setting('max_wal_senders')::int
           - (SELECT count(*) FROM pg_stat_replication)::int AS free_wal_senders,
       pg_is_in_recovery() AS is_in_recovery
