SELECT current_user AS me WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')
