-- Of the writer's own orders, the oldest is deleted with its lines, and the next two are shipped.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'ship_orders')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), chosen AS MATERIALIZED (
    SELECT id, placed_on, row_number() OVER (ORDER BY id) = 1 AS old
    FROM (SELECT id, placed_on FROM sales.orders WHERE writer = :writer ORDER BY id LIMIT 3) AS mine
), gone_line AS (
    DELETE FROM sales.order_lines AS r USING chosen
    WHERE old AND (r.order_id, r.placed_on) = (chosen.id, chosen.placed_on)
    RETURNING ROW(r.order_id, r.placed_on, r.line_no)::text AS key, r.revision + 1 AS revision
), gone AS (
    DELETE FROM sales.orders AS r USING chosen
    WHERE old AND (r.id, r.placed_on) = (chosen.id, chosen.placed_on)
    RETURNING ROW(r.id, r.placed_on)::text AS key, r.revision + 1 AS revision
), shipped AS (
    UPDATE sales.orders AS r
    SET status = 'shipped', shipping = r.shipping + INTERVAL '1 mon -1 us', revision = revision + 1, tx = :tx
    FROM chosen WHERE NOT old AND (r.id, r.placed_on) = (chosen.id, chosen.placed_on)
    RETURNING ROW(r.id, r.placed_on)::text AS key, r.revision, md5(r::text) AS digest
), line AS (
    UPDATE sales.order_lines AS r SET quantity = quantity + 1, revision = revision + 1, tx = :tx
    FROM chosen WHERE NOT old AND (r.order_id, r.placed_on) = (chosen.id, chosen.placed_on)
    RETURNING ROW(r.order_id, r.placed_on, r.line_no)::text AS key, r.revision, md5(r::text) AS digest
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'delete', 'sales.order_lines', key, revision, NULL FROM gone_line
UNION ALL SELECT 'delete', 'sales.orders', key, revision, NULL FROM gone
UNION ALL SELECT 'put', 'sales.orders', key, revision, digest FROM shipped
UNION ALL SELECT 'put', 'sales.order_lines', key, revision, digest FROM line
