-- The queue goes, and what was found.
DROP TABLE IF EXISTS bluegreen.comparison, bluegreen.unsettled_row, bluegreen.compared_shapes
