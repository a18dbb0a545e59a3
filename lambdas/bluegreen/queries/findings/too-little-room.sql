-- Limits that leave no room for two slots, a sender and, on green, which gets blue's parameters, an apply worker for
-- each database beside those in use.
SELECT setting, value, least(free, value) AS free, needed, value - free + needed AS wanted
FROM (
    SELECT name AS setting, current_setting(name)::int AS value, current_setting(name)::int - used AS free, needed
    FROM (VALUES
        ('max_replication_slots',
         (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> ALL (:our_slots::text[]))::int,
         2 * cardinality(:databases::text[])),
        ('max_wal_senders',
         (SELECT count(*) FROM pg_stat_replication WHERE application_name <> :release)::int,
         cardinality(:databases::text[])),
        ('max_logical_replication_workers', 0, cardinality(:databases::text[])),
        ('max_worker_processes', current_setting('max_logical_replication_workers')::int, 1)
    ) AS limits (name, used, needed)
) s
WHERE free < needed
