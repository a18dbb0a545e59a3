-- Whether pg_stat_activity says of every session what it is; without this right the sessions of others look like none.
SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS is_allowed
