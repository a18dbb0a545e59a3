-- The writer's own contact that was seen longest ago is forgotten, with all that refers to it.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'forget_contact')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), chosen AS MATERIALIZED (
    SELECT id FROM crm.contacts WHERE writer = :writer ORDER BY last_seen LIMIT 1
), note AS (
    DELETE FROM crm."Notes & Files" WHERE "Contact" IN (SELECT id FROM chosen)
    RETURNING ROW("Note No")::text AS key, revision + 1 AS revision
), conversation AS (
    DELETE FROM crm.conversations WHERE contact IN (SELECT id FROM chosen)
    RETURNING ROW(id, contact, held_at)::text AS key, revision + 1 AS revision
), member AS (
    DELETE FROM crm.members WHERE contact IN (SELECT id FROM chosen)
    RETURNING ROW(campaign, contact)::text AS key, revision + 1 AS revision
), contact AS (
    DELETE FROM crm.contacts WHERE id IN (SELECT id FROM chosen)
    RETURNING ROW(id)::text AS key, revision + 1 AS revision
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'delete', 'crm."Notes & Files"', key, revision, NULL FROM note
UNION ALL SELECT 'delete', 'crm.conversations', key, revision, NULL FROM conversation
UNION ALL SELECT 'delete', 'crm.members', key, revision, NULL FROM member
UNION ALL SELECT 'delete', 'crm.contacts', key, revision, NULL FROM contact
