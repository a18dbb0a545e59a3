-- The writer's own two contacts that were seen longest ago are seen again, with a note each; a user, shared by all
-- writers, is inserted or updated.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'follow_up')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), contact AS (
    UPDATE crm.contacts AS r
    SET last_seen = clock_timestamp(), family = format('Renamed %s', :number), phone = NULL, score = score * 1.1,
        revision = revision + 1, tx = :tx
    WHERE id IN (SELECT id FROM crm.contacts WHERE writer = :writer ORDER BY last_seen LIMIT 2)
    RETURNING id, ROW(id)::text AS key, revision, md5(r::text) AS digest
), note AS (
    INSERT INTO crm."Notes & Files" AS r ("Contact", body, file, "Filed At", tx)
    SELECT id, repeat('note ', :number % 100), NULL, '23:59:59.999999-08', :tx FROM contact
    RETURNING "Note No", ROW("Note No")::text AS key, revision, md5(r::text) AS digest
), named AS (
    INSERT INTO crm."user" AS r (name, "desc", tx) VALUES (format('user %s', 1 + :number % 40), NULL, :tx)
    ON CONFLICT (name) DO UPDATE SET "desc" = format('seen %s', :number), revision = r.revision + 1, tx = :tx
    RETURNING ROW(name)::text AS key, revision, md5(r::text) AS digest
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', 'crm.contacts', key, revision, digest FROM contact
UNION ALL SELECT 'put', 'crm."Notes & Files"', key, revision, digest FROM note
UNION ALL SELECT 'put', 'crm."user"', key, revision, digest FROM named
UNION ALL SELECT 'draw', 'crm."Notes & Files_Note No_seq"', "Note No"::text, NULL, NULL FROM note
