-- What replication and the comparison count on, before a part of a script runs outside of transactions; as the first
-- attempt found it. Replication goes on meanwhile, so what blue may change is not among it.
UPDATE bluegreen.change c
SET facts = (SELECT jsonb_agg(f) FROM bluegreen.facts(:subscription::text) f WHERE f.kind NOT IN ('rows', 'subscription'))
WHERE c.key = :key AND c.number = :number AND c.facts IS NULL
