-- What a part of a script that ran outside of transactions has broken.
SELECT array_to_string(bluegreen.broken(facts, :subscription::text), '; ') AS problems
FROM bluegreen.change WHERE key = :key AND number = :number
