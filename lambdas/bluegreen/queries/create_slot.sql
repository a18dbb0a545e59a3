-- Waits until every transaction that was open when it started has ended; statement_timeout bounds that.
SELECT lsn::text AS lsn FROM pg_create_logical_replication_slot(:slot, 'pgoutput')
