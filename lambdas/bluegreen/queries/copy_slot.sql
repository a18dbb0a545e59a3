-- Another slot that begins where this one stands; unlike a new one it waits for no transaction.
SELECT lsn::text AS lsn FROM pg_copy_logical_replication_slot(:slot, :copy)
