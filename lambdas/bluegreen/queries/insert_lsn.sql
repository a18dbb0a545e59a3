-- The end of the write-ahead log, including what is not flushed yet.
SELECT pg_current_wal_insert_lsn()::text AS lsn, pg_current_wal_lsn()::text AS flushed_lsn
