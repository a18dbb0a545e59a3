-- How many sessions of others are at work or wait for something, and how many are taken for usual when nobody says so:
-- Aurora sets max_worker_processes to twice the number of vCPUs, 8 at least.
SELECT count(*) AS active, current_setting('max_worker_processes')::int AS usual
FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND usename IS DISTINCT FROM current_user
