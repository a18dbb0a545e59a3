-- Two contacts are met: two conversations, a membership, and the counter of a campaign, which all writers share.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'meet_contacts')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), contact AS (
    INSERT INTO crm.contacts AS r
        (given, family, phone, channels, birthday, profile, photo, score, last_seen, keeper, writer, tx)
    SELECT 'Ann ' || n, 'O''Neill', '+44 ' || :number, '{mail,chat}', '0044-03-15 BC', '{"k": [true, "\"\\"]}',
        '\xdeadbeef', n / 7.0, clock_timestamp(), 'user ' || n, :writer, :tx
    FROM generate_series(1, 2) n
    RETURNING id, score, ROW(id)::text AS key, revision, md5(r::text) AS digest
), number AS MATERIALIZED (
    SELECT nextval('crm.ticket') AS ticket, id FROM contact
), conversation AS (
    INSERT INTO crm.conversations AS r (id, contact, held_at, channel, lasted, summary, tx)
    SELECT ticket, id, TIMESTAMPTZ '2024-12-31 23:59:59+00' + ticket % 2 * INTERVAL '1 s', 'visit',
        '00:00:00.000001', NULL, :tx
    FROM number
    RETURNING ROW(id, contact, held_at)::text AS key, revision, md5(r::text) AS digest
), member AS (
    INSERT INTO crm.members AS r (campaign, contact, tx)
    SELECT 1 + :number % 12, id, :tx FROM contact WHERE score < 0.2
    RETURNING ROW(campaign, contact)::text AS key, revision, md5(r::text) AS digest
), campaign AS (
    UPDATE crm.campaigns AS r SET members = members + 1, revision = revision + 1, tx = :tx WHERE id = 1 + :number % 12
    RETURNING ROW(id)::text AS key, revision, md5(r::text) AS digest
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', 'crm.contacts', key, revision, digest FROM contact
UNION ALL SELECT 'put', 'crm.conversations', key, revision, digest FROM conversation
UNION ALL SELECT 'put', 'crm.members', key, revision, digest FROM member
UNION ALL SELECT 'put', 'crm.campaigns', key, revision, digest FROM campaign
UNION ALL SELECT 'draw', 'crm.ticket', ticket::text, NULL, NULL FROM number
UNION ALL SELECT 'draw', 'crm."Batch Number"', nextval('crm."Batch Number"')::text, NULL, NULL
