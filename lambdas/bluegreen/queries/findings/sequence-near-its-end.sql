-- Sequences of which nine tenths of the values are used up, unless they begin anew.
SELECT schemaname AS schema, sequencename AS name, round(used * 100, 1) AS percent,
       CASE WHEN increment_by > 0 THEN 'MAXVALUE' ELSE 'MINVALUE' END AS limit,
       CASE WHEN CASE WHEN increment_by > 0 THEN max_value = 9223372036854775807
                      ELSE min_value = -9223372036854775808 END
            THEN 'nothing helps: it has all values of bigint already' END AS fix
FROM (
    SELECT *, CASE WHEN increment_by > 0 THEN last_value::numeric - min_value ELSE max_value::numeric - last_value END
              / greatest(max_value::numeric - min_value, 1) AS used
    FROM pg_sequences
) s
WHERE NOT cycle AND used >= 0.9 AND schemaname <> 'bluegreen'
