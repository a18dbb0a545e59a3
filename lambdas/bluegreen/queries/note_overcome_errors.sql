-- Errors up to now are overcome: a subscription that meets one is disabled, and this one works again.
UPDATE bluegreen.repair SET apply_errors = coalesce((
    SELECT e.apply_error_count FROM pg_stat_subscription_stats e
    JOIN pg_subscription s ON s.oid = e.subid JOIN pg_database d ON d.oid = s.subdbid
    WHERE s.subname = :name AND s.subenabled AND d.datname = current_database()), 0)
WHERE apply_errors IS NULL
