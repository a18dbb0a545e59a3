-- Lets a slot forget what comes before a position; one that stands there or beyond already stays.
SELECT pg_replication_slot_advance(slot_name, :upto::pg_lsn)::text AS advanced
FROM pg_replication_slots WHERE slot_name = :slot AND confirmed_flush_lsn < :upto::pg_lsn
