-- What was decided of this release, if anything.
SELECT outcome, decided_at::text AS decided_at FROM bluegreen.opening WHERE release_id = :release_id
