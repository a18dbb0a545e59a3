-- Where replication into this clone began, if it was adopted already.
SELECT start_lsn::text AS start_lsn FROM bluegreen.adoption WHERE release_id = :release_id
