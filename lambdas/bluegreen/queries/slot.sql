-- One replication slot.
SELECT slot_name, database, active, active_pid, wal_status, confirmed_flush_lsn::text AS confirmed_flush_lsn
FROM pg_replication_slots WHERE slot_name = :slot
