SELECT count(*) AS count FROM pg_largeobject_metadata HAVING count(*) > 0
