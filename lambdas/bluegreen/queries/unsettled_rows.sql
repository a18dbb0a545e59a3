-- Rows of which nothing is known yet; none when there is no queue.
SELECT schema, name, key FROM bluegreen.unsettled_row
