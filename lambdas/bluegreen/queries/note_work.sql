-- What came out for a chunk.
UPDATE bluegreen.comparison
SET done_at = clock_timestamp(), rows = :rows, differing_rows = :differing_rows, differences = :differences::text[]
WHERE number = :number
