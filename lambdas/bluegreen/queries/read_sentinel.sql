-- The latest sentinel that has reached green.
SELECT beat FROM bluegreen.sentinel WHERE release_id = :release_id
