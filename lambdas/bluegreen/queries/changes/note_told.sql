-- A failure is told once; asked again, the part runs again.
UPDATE bluegreen.change SET is_told = true WHERE key = :key AND failure IS NOT NULL
