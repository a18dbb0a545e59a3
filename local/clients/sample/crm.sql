-- Database crm: contacts, campaigns and conversations. Names of its own where app has others: the same schema and table
-- names in both databases (public.ledger, public.audit) show that nothing mixes databases up.

SET ROLE app_owner;
CREATE SCHEMA crm;

CREATE TYPE crm.channel AS ENUM ('phone', 'mail', 'visit', 'chat');
CREATE DOMAIN crm.phone AS text CHECK (VALUE ~ '^\+[0-9 ]+$');

CREATE SEQUENCE crm.ticket CACHE 20;
CREATE SEQUENCE crm."Batch Number" AS integer INCREMENT -5 MAXVALUE 2147483647 START 2147483647;
CREATE SEQUENCE crm.unborn INCREMENT -1 MINVALUE -10 MAXVALUE 10 START 10;
CREATE SEQUENCE crm.spent AS smallint START 32767;
SELECT nextval('crm.spent');

CREATE TABLE ledger (
    tx uuid PRIMARY KEY,
    writer smallint NOT NULL,
    number integer NOT NULL,
    kind text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revision integer NOT NULL DEFAULT 1
);

CREATE TABLE audit (
    id serial PRIMARY KEY,
    tx uuid NOT NULL,
    relation text NOT NULL,
    operation text NOT NULL,
    revision integer NOT NULL DEFAULT 1
);
CREATE INDEX ON audit (tx);

CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.audit (tx, relation, operation) VALUES (NEW.tx, TG_TABLE_NAME, TG_OP);
    RETURN NULL;
END $$;

CREATE TABLE crm."user" (name text PRIMARY KEY, "desc" text, revision integer NOT NULL DEFAULT 1, tx uuid);

CREATE TABLE crm.contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    given text NOT NULL,
    family text NOT NULL,
    full_name text GENERATED ALWAYS AS (given || ' ' || family) STORED,
    phone crm.phone,
    channels crm.channel[],
    birthday date,
    profile jsonb,
    photo bytea,
    score real,
    last_seen timestamptz,
    keeper text REFERENCES crm."user",
    writer smallint,
    revision integer NOT NULL DEFAULT 1,
    tx uuid
);
CREATE INDEX ON crm.contacts (writer, last_seen);
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON crm.contacts
    FOR EACH ROW WHEN (NEW.tx IS NOT NULL) EXECUTE FUNCTION audit();

CREATE TABLE crm.campaigns (
    id serial PRIMARY KEY,
    name text NOT NULL,
    budget numeric(12, 2),
    runs tsrange,
    members integer NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    tx uuid
);

CREATE TABLE crm.members (
    campaign integer REFERENCES crm.campaigns,
    contact uuid REFERENCES crm.contacts ON DELETE CASCADE,
    joined timestamp NOT NULL DEFAULT clock_timestamp(),
    revision integer NOT NULL DEFAULT 1,
    tx uuid,
    PRIMARY KEY (campaign, contact)
);

CREATE TABLE crm.conversations (
    id bigint NOT NULL,
    contact uuid NOT NULL REFERENCES crm.contacts,
    held_at timestamptz NOT NULL,
    channel crm.channel NOT NULL,
    lasted interval,
    summary text,
    revision integer NOT NULL DEFAULT 1,
    tx uuid,
    PRIMARY KEY (id, contact, held_at)
) PARTITION BY RANGE (held_at);
CREATE TABLE crm.conversations_past PARTITION OF crm.conversations
    FOR VALUES FROM (MINVALUE) TO ('2025-01-01 00:00:00+00') PARTITION BY HASH (contact);
CREATE TABLE crm.conversations_past_0 PARTITION OF crm.conversations_past FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE crm.conversations_past_1 PARTITION OF crm.conversations_past FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE crm.conversations_recent PARTITION OF crm.conversations
    FOR VALUES FROM ('2025-01-01 00:00:00+00') TO (MAXVALUE);
CREATE INDEX ON crm.conversations (contact);

CREATE TABLE crm."Notes & Files" (
    "Note No" integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY,
    "Contact" uuid REFERENCES crm.contacts,
    body text,
    file bytea,
    "Filed At" timetz,
    revision integer NOT NULL DEFAULT 1,
    tx uuid
);
CREATE INDEX ON crm."Notes & Files" ("Contact");

CREATE VIEW crm.reachable AS SELECT id, full_name, phone FROM crm.contacts WHERE phone IS NOT NULL;

INSERT INTO crm."user" (name, "desc", revision)
SELECT 'user ' || n, CASE WHEN n % 2 = 0 THEN 'says "hello"; -- :no' END, 0 FROM generate_series(1, 20) n;

INSERT INTO crm.contacts
    (id, given, family, phone, channels, birthday, profile, photo, score, last_seen, keeper, revision)
SELECT md5(n::text)::uuid, 'Given' || n, 'Fämily' || n, CASE WHEN n % 3 > 0 THEN '+44 ' || 1000000 + n END,
    (enum_range(NULL::crm.channel))[1 : n % 5], DATE '1930-01-01' + n * 17,
    jsonb_build_object('likes', jsonb_build_array('tea', n), 'null', NULL), decode(repeat(md5(n::text), n % 20), 'hex'),
    n / 3.0, to_timestamp(1.5e9 + n * 1e5), 'user ' || 1 + n % 20, 0
FROM generate_series(1, 500) n;

INSERT INTO crm.campaigns (name, budget, runs, members, revision)
SELECT 'Campaign ' || n, n * 99.99, tsrange('2024-01-01', '2024-12-31 23:59:59', '[]'), 0, 0
FROM generate_series(1, 12) n;

INSERT INTO crm.members (campaign, contact, joined, revision)
SELECT 1 + n % 12, md5(n::text)::uuid, TIMESTAMP '2024-06-01' + n * INTERVAL '1 hour', 0 FROM generate_series(1, 400) n;

INSERT INTO crm.conversations (id, contact, held_at, channel, lasted, summary, revision)
SELECT nextval('crm.ticket'), md5((1 + n % 500)::text)::uuid, TIMESTAMPTZ '2023-06-01 00:00:00+00' + n * INTERVAL '1 d',
    (enum_range(NULL::crm.channel))[1 + n % 4], n * INTERVAL '1.5 s', NULLIF(repeat('talk ', n % 8), ''), 0
FROM generate_series(1, 800) n;

INSERT INTO crm."Notes & Files" ("Contact", body, file, "Filed At", revision)
SELECT md5(n::text)::uuid, 'Note ' || n, CASE WHEN n % 4 = 0 THEN '\x00ff00'::bytea END, '12:34:56.789+05:30', 0
FROM generate_series(1, 150) n;

CREATE MATERIALIZED VIEW crm.channels AS SELECT channel, count(*) FROM crm.conversations GROUP BY channel;

GRANT USAGE ON SCHEMA crm TO "Crm Batch";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, crm TO "Crm Batch";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, crm TO "Crm Batch";
RESET ROLE;
