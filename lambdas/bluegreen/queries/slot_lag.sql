-- Bytes of write-ahead log that green has not confirmed, and whether the slot still has it.
SELECT wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint AS lag_bytes,
       confirmed_flush_lsn::text AS confirmed_flush_lsn
FROM pg_replication_slots WHERE slot_name = :slot
