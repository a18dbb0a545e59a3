-- Making a slot writes to the log which transactions run; a temporary one is gone at an error, too.
SELECT slot_name::text AS slot
FROM pg_create_logical_replication_slot('bluegreen_' || pg_backend_pid(), 'pgoutput', true)
