-- What the server said while a part of a script ran.
UPDATE bluegreen.change SET notices = :notices::jsonb WHERE key = :key AND number = :number
