-- How far the comparison of this database is, in rows and time, and what it found.
SELECT coalesce(sum(rows), 0)::bigint AS rows_done,
       coalesce(sum(row_estimate) FILTER (WHERE done_at IS NULL), 0)::bigint AS rows_left,
       count(*) FILTER (WHERE done_at IS NULL) AS chunks_left,
       coalesce(sum(differing_rows), 0)::bigint AS differing_rows,
       ARRAY(SELECT unnest(differences) FROM bluegreen.comparison WHERE differing_rows > 0 ORDER BY number LIMIT 20)
           AS differences,
       (SELECT count(*) FROM bluegreen.unsettled_row) AS unsettled,
       coalesce(extract(epoch FROM CASE WHEN bool_and(done_at IS NOT NULL) THEN max(done_at) ELSE clock_timestamp() END
                        - min(queued_at)), 0)::float8 AS elapsed_s
FROM bluegreen.comparison
