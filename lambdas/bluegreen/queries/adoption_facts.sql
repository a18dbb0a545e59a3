-- What the clone says of itself.
SELECT aurora_volume_logical_start_lsn()::text AS start_lsn
