-- Logical slots of the whole server, with their databases.
SELECT slot_name, database FROM pg_replication_slots WHERE slot_type = 'logical' AND NOT temporary ORDER BY 1
