-- Notes that a statement is done, if that is not noted yet.
UPDATE bluegreen.repair SET done_at = clock_timestamp() WHERE statement = :statement AND done_at IS NULL RETURNING statement
