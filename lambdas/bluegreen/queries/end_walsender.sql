-- Ends whoever reads a slot.
SELECT pg_terminate_backend(active_pid) AS signalled FROM pg_replication_slots
WHERE slot_name = :slot AND active_pid IS NOT NULL
