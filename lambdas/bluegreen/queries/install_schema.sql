-- The release's own schema on blue, made before the clone is taken, so that green has it too.
CREATE SCHEMA bluegreen;
REVOKE ALL ON SCHEMA bluegreen FROM PUBLIC;

-- A row that is written on blue and seen on green: end-to-end lag, and the proof that green is drained.
CREATE TABLE bluegreen.sentinel (
    release_id text PRIMARY KEY,
    beat bigint NOT NULL,
    written_at timestamptz NOT NULL
);

-- The roles that the freeze keeps from connecting and the grants that it took for it, written in the freeze's own
-- transaction, and what ends that freeze: once green may have been asked to open (opening_at), blue is given back
-- (unfrozen_at) only if green says that it is not open. That green was opened (opened_at) is noted here before green's
-- own word goes with this schema on green.
CREATE TABLE bluegreen.freeze_record (
    switchover_id text PRIMARY KEY,
    roles text[] NOT NULL,
    grants jsonb NOT NULL DEFAULT '[]',
    frozen_at timestamptz,
    deadline_at timestamptz,
    opening_at timestamptz,
    opened_at timestamptz,
    unfrozen_at timestamptz
);

-- Green only: where replication into the clone began.
CREATE TABLE bluegreen.adoption (
    release_id text PRIMARY KEY,
    start_lsn pg_lsn NOT NULL,
    adopted_at timestamptz NOT NULL
);

-- Green only: what it was cloned with (fingerprint.py), what it held before and after the release's own changes, and the DDL by which it followed blue since then (repair.py), with
-- the number of errors that its subscription had met until that helped. A default waits until a sentinel has arrived.
CREATE TABLE bluegreen.fingerprint (
    stage text NOT NULL DEFAULT 'cloned' CHECK (stage IN ('cloned', 'before', 'after')),
    kind text NOT NULL,
    identity text NOT NULL,
    part_of text NOT NULL,
    definition text NOT NULL
);
CREATE TABLE bluegreen.repair (
    statement text NOT NULL,
    owner text NOT NULL,
    column_default text,
    not_before_beat bigint,
    noted_at timestamptz NOT NULL,
    done_at timestamptz,
    apply_errors bigint
);

-- Green only: the changes that a release makes there (changes/applying.py): the parts of each script that ran, or run.
-- Each is one transaction or one statement; what it came to is written in the same transaction where there is one.
CREATE TABLE bluegreen.change (
    key text NOT NULL,
    number int NOT NULL,
    sha256 text NOT NULL,
    script_sha256 text NOT NULL,
    version text NOT NULL,
    attempts int NOT NULL DEFAULT 1,
    pid int NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    row_counts jsonb,
    facts jsonb,
    notices jsonb NOT NULL DEFAULT '[]',
    failed_statement int,
    failure text,
    is_told boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, number)
);
CREATE TABLE bluegreen.changed_script (
    key text PRIMARY KEY,
    sha256 text NOT NULL,
    done_at timestamptz NOT NULL
);

-- Green only: the commit point. The first row of a switchover decides it, 'open' or 'abort', once and for all.
CREATE TABLE bluegreen.opening (
    switchover_id text PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('open', 'abort')),
    decided_at timestamptz NOT NULL
);

-- Every sequence's position as it stands in the sequence itself, in one round trip, without consuming a value; or that
-- of some of them. One that was called is read at once; of one that was not, its first value is in itself alone.
CREATE FUNCTION bluegreen.sequence_states(wanted oid[] DEFAULT NULL)
RETURNS TABLE (schema text, name text, last_value bigint, is_called boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $function$
BEGIN
    FOR schema, name, last_value IN
        SELECT n.nspname, c.relname, pg_sequence_last_value(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND c.oid >= 16384 AND n.nspname <> 'bluegreen'
            AND (wanted IS NULL OR c.oid = ANY (wanted))
    LOOP
        is_called := true;
        IF last_value IS NULL THEN
            EXECUTE format('SELECT s.last_value, s.is_called FROM %I.%I s', schema, name) INTO last_value, is_called;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$function$;

-- The number of rows of each of these tables, in one round trip; a table that is not there is left out.
CREATE FUNCTION bluegreen.row_counts(schemas text[], names text[])
RETURNS TABLE (schema text, name text, row_count bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $function$
BEGIN
    FOR schema, name IN
        SELECT n.nspname, c.relname
        FROM unnest(schemas, names) AS wanted (schema, name)
        JOIN pg_namespace n ON n.nspname = wanted.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    LOOP
        EXECUTE format('SELECT count(*) FROM ONLY %I.%I', schema, name) INTO row_count;
        RETURN NEXT;
    END LOOP;
END
$function$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bluegreen FROM PUBLIC;
