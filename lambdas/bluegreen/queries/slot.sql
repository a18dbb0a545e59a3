-- One replication slot, and from where it can send.
SELECT slot_name, confirmed_flush_lsn::text AS confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = :slot
