-- Statements that wait for a sentinel.
SELECT statement, owner, column_default, not_before_beat AS beat FROM bluegreen.repair WHERE done_at IS NULL
ORDER BY noted_at
