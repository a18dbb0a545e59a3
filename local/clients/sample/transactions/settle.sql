-- Money moves between two accounts: two transfers come, the writer's own two oldest go. Only one writer does this:
-- local/clients/reconcile.py follows a cycling sequence (public.till) in the order of one writer's calls.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'settle')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), pair AS MATERIALIZED (
    SELECT 'ACC/' || lpad((1 + (:number * 7 + :writer) % 80)::text, 3, '0') AS payer,
        'ACC/' || lpad((1 + (:number * 7 + :writer + 1 + :number % 79) % 80)::text, 3, '0') AS payee
), account AS (
    UPDATE public.accounts AS r
    SET balance = balance + CASE code WHEN payer THEN -0.03 ELSE 0.03 END, revision = revision + 1, tx = :tx
    FROM pair WHERE code IN (
        SELECT a.code FROM public.accounts AS a, pair AS p WHERE a.code IN (p.payer, p.payee)
        ORDER BY a.code FOR UPDATE OF a
    )
    RETURNING ROW(code)::text AS key, revision, md5(r::text) AS digest
), number AS MATERIALIZED (
    SELECT nextval('public.voucher') AS voucher, n FROM generate_series(1, 2) n
), transfer AS (
    INSERT INTO public.transfers AS r (payer, payee, amount, voucher, writer, tx)
    SELECT payer, payee, n * 0.01, voucher, :writer, :tx FROM pair, number
    RETURNING ROW(id)::text AS key, revision, md5(r::text) AS digest
), gone AS (
    DELETE FROM public.transfers AS r
    WHERE id IN (SELECT id FROM public.transfers WHERE writer = :writer ORDER BY booked_at LIMIT 2)
    RETURNING ROW(id)::text AS key, revision + 1 AS revision
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', 'public.accounts', key, revision, digest FROM account
UNION ALL SELECT 'put', 'public.transfers', key, revision, digest FROM transfer
UNION ALL SELECT 'delete', 'public.transfers', key, revision, NULL FROM gone
UNION ALL SELECT 'draw', 'public.voucher', voucher::text, NULL, NULL FROM number
UNION ALL SELECT 'draw', 'public.countdown', nextval('public.countdown')::text, NULL, NULL
UNION ALL SELECT 'draw', 'public.edge', nextval('public.edge')::text, NULL, NULL
UNION ALL SELECT 'draw', 'public.till', nextval('public.till')::text, NULL, NULL
