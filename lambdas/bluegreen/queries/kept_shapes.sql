-- The shapes that tables had before they were compared.
SELECT shapes FROM bluegreen.compared_shapes
