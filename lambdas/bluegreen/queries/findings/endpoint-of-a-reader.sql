SELECT 'in recovery' AS state WHERE pg_is_in_recovery()
