-- The parts of a script that ran or run, in their order.
SELECT number, sha256, attempts, pid, ended_at IS NOT NULL AND failure IS NULL AS is_done, failed_statement, failure, is_told,
       row_counts, notices, extract(epoch FROM ended_at - started_at)::float8 AS seconds
FROM bluegreen.change WHERE key = :key ORDER BY number
