-- Transactions that were prepared and can be committed by anybody at any time.
SELECT gid, owner, database FROM pg_prepared_xacts ORDER BY prepared
