-- Notes on green a statement by which it follows blue: done now, or to be done when a sentinel has arrived.
INSERT INTO bluegreen.repair (statement, owner, column_default, not_before_beat, noted_at, done_at)
VALUES (:statement, :owner, :column_default, :beat, clock_timestamp(), CASE WHEN :beat::bigint IS NULL THEN clock_timestamp() END)
