-- Event triggers that fire, but those that belong to an extension or to AWS.
SELECT e.evtname AS name, e.evtevent AS event
FROM pg_event_trigger e JOIN pg_roles o ON o.oid = e.evtowner
WHERE e.evtenabled <> 'D' AND o.rolname <> ALL (:aws_roles::text[])
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
