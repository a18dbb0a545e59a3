-- Green only: what is to be compared, a table (chunk is null) or a chunk of it, and what came out; rows that kept changing
-- while they were looked at.
CREATE TABLE bluegreen.comparison (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema text NOT NULL,
    name text NOT NULL,
    row_estimate bigint NOT NULL,
    chunk jsonb,
    queued_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    rows bigint NOT NULL DEFAULT 0,
    differing_rows bigint NOT NULL DEFAULT 0,
    differences text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE bluegreen.compared_shapes (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), shapes json NOT NULL);
CREATE INDEX comparison_left ON bluegreen.comparison (number) WHERE done_at IS NULL;
CREATE INDEX comparison_undivided ON bluegreen.comparison (number) WHERE chunk IS NULL AND done_at IS NULL;
CREATE INDEX comparison_differing ON bluegreen.comparison (number) WHERE differing_rows > 0;
CREATE TABLE bluegreen.unsettled_row (
    schema text NOT NULL,
    name text NOT NULL,
    key jsonb NOT NULL,
    PRIMARY KEY (schema, name, key)
);
