-- Settings that let the server give up a slot: by what it retains, or from 18 on by how long nobody has read it.
SELECT s.name AS setting, current_setting(s.name) AS value, o.off
FROM pg_settings s
JOIN (VALUES ('max_slot_wal_keep_size', '-1'), ('idle_replication_slot_timeout', '0')) AS o (name, off) USING (name)
WHERE s.setting <> o.off
