-- What was decided of this switchover, if anything.
SELECT outcome, decided_at::text AS decided_at FROM bluegreen.opening WHERE switchover_id = :switchover_id
