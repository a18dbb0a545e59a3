-- The database that pg_cron keeps its jobs in; NULL when its library is not loaded.
SELECT current_setting('cron.database_name', true) AS name
