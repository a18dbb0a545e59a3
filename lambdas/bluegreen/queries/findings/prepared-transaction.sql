SELECT gid, owner, database, date_trunc('second', now() - prepared)::text AS age FROM pg_prepared_xacts
