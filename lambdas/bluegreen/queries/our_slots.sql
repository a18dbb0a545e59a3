-- Slots of these names: who reads them, what has not been confirmed, and how much of the log the server keeps for them.
SELECT slot_name, active, wal_status, safe_wal_size,
       pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint AS lag_bytes,
       greatest(0, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0))::bigint AS retained_bytes
FROM pg_replication_slots WHERE slot_name = ANY (:slots::text[])
