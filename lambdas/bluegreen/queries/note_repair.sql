-- Notes on green a statement by which it follows blue: to be done now, or when a sentinel has arrived. No row when a
-- second attempt of this step was faster.
INSERT INTO bluegreen.repair (statement, owner, column_default, not_before_beat, noted_at, done_at)
SELECT s.statement, :owner, :column_default, :beat, clock_timestamp(),
       CASE WHEN :beat::bigint IS NULL THEN clock_timestamp() END
FROM (VALUES (:statement)) AS s (statement)
WHERE NOT EXISTS (SELECT FROM bluegreen.repair r WHERE r.statement = s.statement)
RETURNING statement
