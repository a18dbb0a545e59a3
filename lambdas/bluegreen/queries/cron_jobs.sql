-- Jobs of pg_cron that will run in these databases.
SELECT coalesce(j.jobname, j.jobid::text) AS job, j.username AS role, j.database
FROM cron.job j WHERE j.active AND j.database = ANY (:databases::text[]) ORDER BY j.jobid
