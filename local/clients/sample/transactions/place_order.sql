-- A new customer places two orders of two lines each; the stock of two products, which all writers share, goes down.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'place_order')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), customer AS (
    INSERT INTO sales.customers AS r (email, name, home, preferences, tags, credit, born, tx)
    VALUES (format('%s@example.org', :tx), 'Zoë', ROW('1 Low Street', NULL), '{"writer": [1, 2.50, null]}',
        '{a,NULL,"b c"}', 12.5, current_date, :tx)
    RETURNING id, ROW(id)::text AS key, revision, md5(r::text) AS digest
), number AS MATERIALIZED (
    SELECT nextval('sales.order_number') AS id, n FROM generate_series(1, 2) n
), placed AS (
    INSERT INTO sales.orders AS r (id, placed_on, customer, status, total, shipping, writer, tx)
    SELECT number.id, DATE '2024-12-30' + n + :number % 400, customer.id, 'new', n * 19.99, INTERVAL '36:00:00.5',
        :writer, :tx
    FROM number, customer
    RETURNING id, placed_on, ROW(id, placed_on)::text AS key, revision, md5(r::text) AS digest
), line AS (
    INSERT INTO sales.order_lines AS r (order_id, placed_on, line_no, product, quantity, unit_price, tx)
    SELECT id, placed_on, n, format('SKU-%s', lpad((1 + (:number + n * 37) % 100)::text, 3, '0')), n, 9.99, :tx
    FROM placed, generate_series(1, 2) n
    RETURNING ROW(order_id, placed_on, line_no)::text AS key, revision, md5(r::text) AS digest
), stock AS (
    UPDATE sales.products AS r SET stock = stock - 2, revision = revision + 1, tx = :tx
    WHERE sku IN (
        SELECT sku FROM sales.products
        WHERE sku IN (
            SELECT format('SKU-%s', lpad((1 + (:number + n * 37) % 100)::text, 3, '0')) FROM generate_series(1, 2) n
        )
        ORDER BY sku FOR UPDATE
    )
    RETURNING ROW(sku)::text AS key, revision, md5(r::text) AS digest
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', 'sales.customers', key, revision, digest FROM customer
UNION ALL SELECT 'put', 'sales.orders', key, revision, digest FROM placed
UNION ALL SELECT 'put', 'sales.order_lines', key, revision, digest FROM line
UNION ALL SELECT 'put', 'sales.products', key, revision, digest FROM stock
UNION ALL SELECT 'draw', 'sales.customers_id_seq', id::text, NULL, NULL FROM customer
UNION ALL SELECT 'draw', 'sales.order_number', id::text, NULL, NULL FROM number
UNION ALL SELECT 'draw', 'sales."Invoice Numbers"', nextval('sales."Invoice Numbers"')::text, NULL, NULL
