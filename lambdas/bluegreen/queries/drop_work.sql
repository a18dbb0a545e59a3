-- A table whose chunks are in the queue now.
DELETE FROM bluegreen.comparison WHERE number = :number
