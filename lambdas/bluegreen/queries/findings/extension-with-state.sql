-- Extensions that write their own tables, or replicate, on whichever server they are.
SELECT extname AS name FROM pg_extension
WHERE extname IN ('apg_plan_mgmt', 'bdr', 'pgactive', 'pgagent', 'pglogical', 'pgq')
