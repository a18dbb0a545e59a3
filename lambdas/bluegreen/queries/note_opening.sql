-- Says on blue when green was opened.
UPDATE bluegreen.freeze_record SET opened_at = coalesce(opened_at, :opened_at::timestamptz)
WHERE release_id = :release_id
