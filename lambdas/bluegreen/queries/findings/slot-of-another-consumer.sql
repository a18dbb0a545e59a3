-- Slots that are not ours, and who reads them: by the name that it gives itself, or as the slot's own name tells. Debezium
-- calls its slot debezium unless told otherwise; AWS DMS 16 characters, 8 digits and a UUID.
SELECT s.slot_name AS name, coalesce(s.plugin, 'physical') AS plugin,
       CASE WHEN s.active THEN 'active' ELSE 'not active' END AS activity,
       pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn)) AS retained,
       coalesce(nullif(r.application_name, '') || coalesce(' at ' || host(r.client_addr), ''),
                CASE WHEN s.slot_name ~ 'debezium' OR s.plugin = 'decoderbufs' THEN 'Debezium, by its name'
                     WHEN s.slot_name ~ '^[a-z0-9]{16}_\d{8}_[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}$'
                         THEN 'AWS DMS, by its name'
                     ELSE 'unknown' END) AS consumer
FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
WHERE NOT s.temporary AND s.slot_name <> ALL (:our_slots::text[])
