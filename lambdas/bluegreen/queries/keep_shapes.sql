-- From now on these are the shapes that tables had before they were compared.
INSERT INTO bluegreen.compared_shapes (shapes) VALUES (:shapes::json)
ON CONFLICT (id) DO UPDATE SET shapes = excluded.shapes
