-- Three price ticks come; of the writer's own ticks, the two oldest go and the next one moves to another symbol, which
-- mostly is another partition; two positions, which all writers share, change.
WITH token AS (
    INSERT INTO public.ledger AS r (tx, writer, number, kind) VALUES (:tx, :writer, :number, 'trade')
    RETURNING ROW(tx)::text AS key, revision, md5(r::text) AS digest
), number AS MATERIALIZED (
    SELECT nextval('"Trade Desk"."Price Ticks_Tick No_seq"') AS id, n FROM generate_series(1, 3) n
), tick AS (
    INSERT INTO "Trade Desk"."Price Ticks" AS r ("Symbol", "Tick No", price, spread, flags, writer, tx)
    SELECT 'SYM' || (:number + n) % 11, id, :number * 0.1 + n / 3.0, 1e-7, n::bit(8), :writer, :tx FROM number
    RETURNING ROW("Symbol", "Tick No")::text AS key, revision, md5(r::text) AS digest
), chosen AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY "Tick No") <= 2 AS old
    FROM (
        SELECT "Symbol", "Tick No" FROM "Trade Desk"."Price Ticks" WHERE writer = :writer ORDER BY "Tick No" LIMIT 3
    ) AS mine
), gone AS (
    DELETE FROM "Trade Desk"."Price Ticks" AS r USING chosen
    WHERE old AND (r."Symbol", r."Tick No") = (chosen."Symbol", chosen."Tick No")
    RETURNING ROW(r."Symbol", r."Tick No")::text AS key, r.revision + 1 AS revision
), moved AS (
    UPDATE "Trade Desk"."Price Ticks" AS r SET "Symbol" = chosen."Symbol" || '*', revision = r.revision + 1, tx = :tx
    FROM chosen WHERE NOT old AND (r."Symbol", r."Tick No") = (chosen."Symbol", chosen."Tick No")
    RETURNING ROW(chosen."Symbol", chosen."Tick No")::text AS old_key,
        ROW(r."Symbol", r."Tick No")::text AS key, r.revision, md5(r::text) AS digest
), position AS (
    UPDATE "Trade Desk"."Positions" AS r SET quantity = quantity + 0.001, revision = revision + 1, tx = :tx
    WHERE ("Book", "Symbol") IN (
        SELECT "Book", "Symbol" FROM "Trade Desk"."Positions"
        WHERE "Book" = 'Book ' || 1 + :number % 5 AND "Symbol" IN ('SYM' || :number % 11, 'SYM' || (:number + 1) % 11)
        ORDER BY "Book", "Symbol" FOR UPDATE
    )
    RETURNING ROW("Book", "Symbol")::text AS key, revision, md5(r::text) AS digest
)
SELECT 'put', 'public.ledger', key, revision, digest FROM token
UNION ALL SELECT 'put', '"Trade Desk"."Price Ticks"', key, revision, digest FROM tick
UNION ALL SELECT 'delete', '"Trade Desk"."Price Ticks"', key, revision, NULL FROM gone
UNION ALL SELECT 'delete', '"Trade Desk"."Price Ticks"', old_key, revision, NULL FROM moved
UNION ALL SELECT 'put', '"Trade Desk"."Price Ticks"', key, revision, digest FROM moved
UNION ALL SELECT 'put', '"Trade Desk"."Positions"', key, revision, digest FROM position
UNION ALL SELECT 'draw', '"Trade Desk"."Price Ticks_Tick No_seq"', id::text, NULL, NULL FROM number
