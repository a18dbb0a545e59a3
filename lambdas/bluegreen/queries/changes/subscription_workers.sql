-- How many processes apply what a subscription brings.
SELECT count(*)::int AS workers FROM pg_stat_subscription WHERE subname = :name AND pid IS NOT NULL
