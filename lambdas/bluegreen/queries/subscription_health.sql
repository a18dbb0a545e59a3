-- Whether the subscription of this database works. Statistics are read as JSON: their columns differ by version. Errors
-- that a repair of green has overcome do not count.
SELECT s.subenabled AS enabled,
       greatest(0, coalesce((SELECT (to_jsonb(e) ->> 'apply_error_count')::bigint FROM pg_stat_subscription_stats e WHERE e.subid = s.oid), 0)
                   - (SELECT coalesce(max(r.apply_errors), 0) FROM bluegreen.repair r)) AS apply_errors,
       (SELECT coalesce(sum(c.value::bigint), 0) FROM pg_stat_subscription_stats e, jsonb_each_text(to_jsonb(e)) c
        WHERE e.subid = s.oid AND c.key LIKE 'confl\_%')::bigint AS conflicts
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE s.subname = :name AND d.datname = current_database()
