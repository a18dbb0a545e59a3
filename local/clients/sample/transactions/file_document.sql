-- A document with a value of every type and a standing order come, the writer's own older ones change and go. Every
-- fifth time the title of the large document changes, whose large values replication then leaves out. A writer that
-- holds its transaction open does this too: what writers share is skipped while it is locked.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'file_document')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), document AS (
    INSERT INTO public.documents AS r
        (id, title, body, scan, about, keywords, retention, valid, pages, size, ratio, filed_at, writer, tx)
    VALUES (gen_random_uuid(), 'filed', NULLIF(repeat('ß', :number % 3000), ''), '\x00ff',
        '{"n": 1e400, "s": "\u00e9"}', '{NULL,"NULL",""}', '-1 mon 1 day -00:00:01', '[2024-01-01,)', '{[1,3),[5,7)}',
        'NaN', '-0', 'infinity', :writer, :tx)
    RETURNING ROW(id)::text AS key, revision, md5(r::text) AS digest
), chosen AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY tx, id) = 1 AS old FROM public.documents WHERE writer = :writer LIMIT 3
), large AS MATERIALIZED (
    SELECT id FROM public.documents WHERE id = '00000000-0000-0000-0000-000000000001' AND :number % 5 = 0
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM public.documents WHERE id IN (SELECT id FROM chosen WHERE old) AND :number % 2 = 0
    RETURNING ROW(id)::text AS key, revision + 1 AS revision
), edited AS (
    UPDATE public.documents AS r
    SET title = format('Edition %s', :number),
        size = 0.1 + revision, ratio = ratio / 3, valid = 'empty', scan = CASE WHEN writer IS NULL THEN scan END,
        revision = revision + 1, tx = :tx
    WHERE id IN (SELECT id FROM chosen WHERE NOT old UNION ALL SELECT id FROM large)
    RETURNING ROW(id)::text AS key, revision, md5(r::text) AS digest
), standing AS (
    INSERT INTO public."order" AS r ("select", "Valid During", "group", writer, tx)
    VALUES ('standing', '(,2030-01-01)', 'z', :writer, :tx)
    RETURNING id, ROW(id)::text AS key, revision, md5(r::text) AS digest
), ended AS (
    DELETE FROM public."order"
    WHERE id IN (SELECT id FROM public."order" WHERE writer = :writer ORDER BY id LIMIT 1) AND :number % 2 = 0
    RETURNING ROW(id)::text AS key, revision + 1 AS revision
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', 'public.documents', key, revision, digest FROM document
UNION ALL SELECT 'delete', 'public.documents', key, revision, NULL FROM gone
UNION ALL SELECT 'put', 'public.documents', key, revision, digest FROM edited
UNION ALL SELECT 'put', 'public."order"', key, revision, digest FROM standing
UNION ALL SELECT 'delete', 'public."order"', key, revision, NULL FROM ended
UNION ALL SELECT 'draw', 'public.order_id_seq', id::text, NULL, NULL FROM standing
