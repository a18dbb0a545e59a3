SELECT extname AS name FROM pg_extension WHERE extname = 'pg_cron'
