-- Jobs of pg_cron that will run in these databases.
SELECT coalesce(j.jobname, j.jobid::text) AS job, j.jobid AS id, j.username AS role,
       j.database AS writes_to
FROM cron.job j WHERE j.active AND j.database = ANY (:databases::text[]) ORDER BY j.jobid
