SELECT slot_name AS name, coalesce(plugin, 'physical') AS plugin,
       CASE WHEN active THEN 'active' ELSE 'not active' END AS activity,
       pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn)) AS retained
FROM pg_replication_slots
WHERE NOT temporary AND slot_name <> ALL (:our_slots::text[])
