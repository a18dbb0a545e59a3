-- Whether this is an instance that only reads.
SELECT pg_is_in_recovery() AS is_reader
