-- The DDL by which green followed blue since the clone.
SELECT statement FROM bluegreen.repair ORDER BY noted_at
