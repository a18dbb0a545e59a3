-- What came of a part of a script that ran outside of transactions; NULL when it did what it should.
UPDATE bluegreen.change SET ended_at = clock_timestamp(), failure = :failure::text, failed_statement = 0
WHERE key = :key AND number = :number
