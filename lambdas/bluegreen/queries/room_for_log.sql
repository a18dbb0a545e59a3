-- How much log slots may retain before one is lost, in bytes, NULL for no limit; and what their slots retain already.
SELECT nullif(current_setting('max_slot_wal_keep_size'), '-1') AS limit_shown,
       CASE WHEN current_setting('max_slot_wal_keep_size') <> '-1'
            THEN pg_size_bytes(current_setting('max_slot_wal_keep_size')) END AS limit_bytes,
       coalesce((SELECT max(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn))
                 FROM pg_replication_slots), 0)::bigint AS retained_bytes
