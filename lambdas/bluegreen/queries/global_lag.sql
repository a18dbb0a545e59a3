-- Seconds until a commit on the primary of a global database is stored in each of its other Regions; -1 marks the primary.
SELECT aws_region AS region, greatest(durability_lag_in_msec, rpo_lag_in_msec)::float8 / 1000 AS lag_s
FROM aurora_global_db_status()
WHERE durability_lag_in_msec >= 0
