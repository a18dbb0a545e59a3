-- The last freeze of a release, whether it was ended or not; one that was aborted before it began counts.
SELECT split_part(switchover_id, '/', 2)::int AS attempt, opened_at IS NOT NULL AS is_open,
       frozen_at IS NOT NULL AND unfrozen_at IS NULL AS is_frozen, opening_at IS NOT NULL AS may_be_open
FROM bluegreen.freeze_record WHERE starts_with(switchover_id, :release_id || '/')
ORDER BY attempt DESC LIMIT 1
