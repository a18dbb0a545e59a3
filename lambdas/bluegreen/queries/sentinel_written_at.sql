-- When the latest sentinel that has reached green was written on blue, by blue's clock.
SELECT written_at::text AS written_at FROM bluegreen.sentinel WHERE release_id = :release_id
