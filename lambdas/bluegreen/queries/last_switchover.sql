-- The last freeze of this cluster: whether another one was opened in its place, and it was never given back since.
SELECT split_part(switchover_id, '/', 1) AS release_id, opened_at IS NOT NULL AND unfrozen_at IS NULL AS is_replaced
FROM bluegreen.freeze_record WHERE frozen_at IS NOT NULL ORDER BY frozen_at DESC LIMIT 1
