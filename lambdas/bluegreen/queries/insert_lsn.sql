-- The end of the write-ahead log, including what is not flushed yet, and what is on disk, as decoding sees it.
SELECT pg_current_wal_insert_lsn()::text AS lsn, pg_current_wal_flush_lsn()::text AS flushed_lsn
