-- Whether the jobs of pg_cron are in this database.
SELECT to_regclass('cron.job') IS NOT NULL AS is_installed
