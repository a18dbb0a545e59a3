-- The first piece of work from a number on that nobody has. Its lock is held until the transaction ends, however it ends.
SELECT number, schema, name, chunk FROM bluegreen.comparison
WHERE done_at IS NULL AND number >= :first ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED
