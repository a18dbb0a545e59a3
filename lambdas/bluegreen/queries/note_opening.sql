-- Says on blue when green was opened.
UPDATE bluegreen.freeze_record SET opened_at = coalesce(opened_at, :opened_at::timestamptz)
WHERE switchover_id = :switchover_id
