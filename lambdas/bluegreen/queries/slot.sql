-- One replication slot, from where it can send, and how many bytes of log have to be read for what is new.
SELECT slot_name, confirmed_flush_lsn::text AS confirmed_flush_lsn,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)::bigint AS bytes_to_read
FROM pg_replication_slots WHERE slot_name = :slot
