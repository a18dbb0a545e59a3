SELECT current_setting('max_slot_wal_keep_size') AS value WHERE current_setting('max_slot_wal_keep_size') <> '-1'
